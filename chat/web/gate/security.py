"""Headers on every answer, and refusal of cross-site requests."""

from contextlib import suppress
from urllib.parse import urlsplit

from flask import Flask, Response, request

from chat.refusals import HostRefusal, Refusal
from chat.visitors.addresses import is_loopback

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; manifest-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; worker-src 'self'; "
    "require-trusted-types-for 'script'; trusted-types reply-html code-worker puzzle-worker; "
    # Not report-to as well: browsers would use that alone, a minute later and never on plain http.
    "report-uri /csp-report"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with that, browsers send "Origin: null" with our own form.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self), payment=(), usb=()",
}
# X-Frame-Options is left out because frame-ancestors does its work, X-XSS-Protection because
# browsers dropped it, Cross-Origin-Embedder-Policy because default-src already refuses what it
# would.
# Of these headers style sheets, scripts and pictures have no use, and a first visit carries them
# each time.
OF_DOCUMENTS = {"Cross-Origin-Opener-Policy", "Permissions-Policy"}
PARTS_OF_PAGES = {"text/css", "text/javascript", "image/png", "image/jpeg", "image/webp"}
OVER_TLS = {"Strict-Transport-Security": "max-age=31536000"}
SAFE = {"GET", "HEAD", "OPTIONS"}
# Probes use an IP address as the host.
PROBES = {"/healthz", "/readyz", "/metrics"}

FORWARDED = (
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-IP",
)


def init_app(app: Flask, public_url: str | None) -> None:
    """Guards every request and every response of the app."""
    own_origins = {_origin(public_url)} if public_url else set()

    @app.before_request
    def refuse_other_hosts() -> None:
        if public_url and request.path not in PROBES and not _is_own_host(public_url):
            raise HostRefusal("bad_input", f"the host {request.host!r}, not that of PUBLIC_URL")

    @app.before_request
    def refuse_cross_site() -> None:
        if request.method not in SAFE and not _is_from_own_page(own_origins):
            raise Refusal("cross_site", request.headers.get("Origin", "no Origin"))

    @app.after_request
    def add_headers(response: Response) -> Response:
        useless = OF_DOCUMENTS if response.mimetype in PARTS_OF_PAGES else set()
        for name, value in HEADERS.items():
            if name not in useless:
                response.headers.setdefault(name, value)
        if request.is_secure:
            response.headers.update(OVER_TLS)
        return response


def is_from_this_machine() -> bool:
    """Whether the request was made on this machine, to a name of this machine, and not through a
    proxy.

    What a proxy on this machine passes on, trusted or not, was made by somebody else.
    """
    is_to_loopback = is_loopback(_host(f"http://{request.host}"))
    has_proxy = any(name in request.headers for name in FORWARDED)
    return is_to_loopback and is_loopback(request.remote_addr or "") and not has_proxy


def _is_own_host(public_url: str) -> bool:
    """Whether the request names this site's host, with any port, which proxies drop.

    Loopback addresses count too: a proxy on this machine names them when it is not set up to pass
    the host on, and no stranger's name can be made to.
    """
    host = _host(f"http://{request.host}")
    return host == _host(public_url) or is_loopback(host)


def _host(url: str) -> str:
    """The host of an address as browsers write it; "" when there is none."""
    try:
        return urlsplit(_origin(url)).hostname or ""
    except ValueError:
        return ""


def _is_from_own_page(own_origins: set[str]) -> bool:
    """Whether a page of this site or a program made the request.

    Browsers name the origin. A request without one is a program's, which has no cookie to abuse.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        return site in ("same-origin", "none")
    # Not request.host_url: it spells 例子.中国 in Chinese, browsers in ASCII.
    if origin is None or origin in own_origins:
        return True
    return origin == _origin(f"{request.scheme}://{request.host}")


def _origin(url: str) -> str:
    """The origin of an address as browsers write it: in lower case and ASCII, without the usual
    port.
    """
    parts = urlsplit(url.lower())
    host = parts.netloc.removesuffix({"http": ":80", "https": ":443"}.get(parts.scheme, ""))
    # What is no name of a host equals no origin.
    with suppress(UnicodeError):
        host = host.encode("idna").decode()
    return f"{parts.scheme}://{host}"
