"""Headers on every answer, and refusal of cross-site requests."""

from contextlib import suppress
from urllib.parse import urlsplit

from flask import Flask, Response, request

from chat.refusals import HostRefusal, Refusal
from chat.visitors.addresses import is_loopback

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types reply-html"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with that, browsers send "Origin: null" with our own form.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# Not X-Frame-Options: frame-ancestors says it; not X-XSS-Protection: browsers have dropped it; not
# Cross-Origin-Embedder-Policy: default-src lets in nothing that it would keep out.
OVER_TLS = {"Strict-Transport-Security": "max-age=31536000"}
SAFE = {"GET", "HEAD", "OPTIONS"}
PROBES = {"/healthz", "/readyz", "/metrics"}  # whoever asks them uses an address

FORWARDED = (
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-IP",
)


def init_app(app: Flask, public_url: str | None) -> None:
    """Guards every request and every answer of the app."""
    ours = {_origin(public_url)} if public_url else set()

    @app.before_request
    def refuse_other_hosts() -> None:
        if public_url and request.path not in PROBES and not _is_for_us(public_url):
            raise HostRefusal("bad_input", f"the host {request.host!r}, not that of PUBLIC_URL")

    @app.before_request
    def refuse_cross_site() -> None:
        if request.method not in SAFE and not _is_from_our_page(ours):
            raise Refusal("cross_site", request.headers.get("Origin", "no Origin"))

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.is_secure:
            response.headers.update(OVER_TLS)
        return response


def is_from_this_machine() -> bool:
    """Whether the request at hand was made here, to a name of this machine, and nothing says that a proxy
    passed it on: what comes through a proxy beside us is made by somebody else, trusted or not.
    """
    is_to_us = is_loopback(_host(f"http://{request.host}"))
    is_passed_on = any(name in request.headers for name in FORWARDED)
    return is_to_us and is_loopback(request.remote_addr or "") and not is_passed_on


def _is_for_us(public_url: str) -> bool:
    """Whether the request names our host, whatever the port: proxies drop it. The machine's own addresses
    are ours too: that is what a proxy beside us says when it was not told to pass the name on, and no
    stranger's name can be made to say it.
    """
    host = _host(f"http://{request.host}")
    return host == _host(public_url) or is_loopback(host)


def _host(url: str) -> str:
    """The host of an address as browsers write it; "" when there is none."""
    try:
        return urlsplit(_origin(url)).hostname or ""
    except ValueError:
        return ""


def _is_from_our_page(ours: set[str]) -> bool:
    """Browsers say where a request comes from; a program that says nothing is no browser, and has no cookie
    that somebody else could use.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        return site in ("same-origin", "none")
    # Not request.host_url: it spells 例子.中国 in Chinese, browsers in ASCII.
    return (
        origin is None or origin in ours or origin == _origin(f"{request.scheme}://{request.host}")
    )


def _origin(url: str) -> str:
    """The origin of an address as browsers write it: in lower case and ASCII, without the usual port."""
    parts = urlsplit(url.lower())
    host = parts.netloc.removesuffix({"http": ":80", "https": ":443"}.get(parts.scheme, ""))
    with suppress(UnicodeError):  # what is no name of a host equals no origin
        host = host.encode("idna").decode()
    return f"{parts.scheme}://{host}"
