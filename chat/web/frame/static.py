"""Files of the page, whose addresses change with each release and look."""

from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify, request, url_for
from flask_babel import to_user_timezone

from chat import file_types
from chat.page.assets import LOGO
from chat.page.look import ICONS, LOGOS
from chat.refusals import Refusal
from chat.storage.models import now
from chat.web import services
from chat.web.frame.language import language

bp = Blueprint("static", __name__)
YEAR_S = 365 * 24 * 3600
# The best first.
ENCODINGS = ["br", "gzip", "identity"]
PAPER = "#faf9f6"
# An SVG may contain a script, which must not run when the logo is opened by itself.
LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
# A file by itself does nothing, and a page's policy is long. Only a worker obeys its script's.
FILE_POLICY = "default-src 'none'; sandbox"


def init_app(app: Flask, version: str) -> None:
    """Gives templates `static("js/stream.js")`, and `logo` where the owner has one."""
    app.config["EDITION"] = version
    app.jinja_env.globals["static"] = address

    @app.context_processor
    def owner() -> dict[str, Any]:
        """What every page shows of the site and its owner."""
        site = services()
        return {
            "site_title": site.settings.site_title,
            "owner": site.settings,
            "site_notice": site.settings.notice_on(to_user_timezone(now()).date()),
            "logo": address(LOGO) if site.look.logo else None,
            "language": language(),
            "demo": site.agents.is_demo,
        }


def address(path: str) -> str:
    """The address of a file in this release and look."""
    edition = f"{current_app.config['EDITION']}-{services().assets.digest}"
    return url_for("static.file", version=edition, name=path)


@bp.get("/static/<version>/<path:name>")
def file(version: str, name: str) -> Response:
    """A file of the page, whatever the version: an open tab may use an address from before a
    release.
    """
    asset = services().assets.find(name)
    if asset is None:
        raise Refusal("not_found", "a file")
    has_wish = "Accept-Encoding" in request.headers
    best = request.accept_encodings.best_match(ENCODINGS) if has_wish else None
    encoding = best if best in asset.encoded else "identity"
    response = Response(asset.encoded[encoding], content_type=asset.content_type)
    if encoding != "identity":
        response.headers["Content-Encoding"] = encoding
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = f"public, max-age={YEAR_S}, immutable"
    if name == LOGO:
        response.headers["Content-Security-Policy"] = LOGO_POLICY
    elif not name.endswith("-worker.js"):
        response.headers["Content-Security-Policy"] = FILE_POLICY
    response.set_etag(f"{asset.etag}-{encoding}")
    response.make_conditional(request)
    return response


@bp.get(f"{ICONS}<id>")
def icon(id: str) -> Response:
    """An agent's picture that the owner has uploaded, by the hash of what is in it."""
    data = services().desk.picture(id)
    if data is None:
        raise Refusal("not_found", "a picture")
    response = Response(data, content_type=file_types.recognize(data, LOGOS))
    response.headers["Cache-Control"] = f"public, max-age={YEAR_S}, immutable"
    response.headers["Content-Security-Policy"] = LOGO_POLICY
    return response


@bp.get("/manifest.webmanifest")
def manifest() -> Response:
    """What a phone shows of the site when it is put on its home screen."""
    site = services()
    icons = [
        {"src": address("icon-192.png"), "sizes": "192x192", "type": "image/png"},
        {"src": address("icon-512.png"), "sizes": "512x512", "type": "image/png"},
        {
            "src": address("icon-maskable.png"),
            "sizes": "512x512",
            "type": "image/png",
            "purpose": "maskable",
        },
    ]
    if site.look.logo:
        icons = [{"src": address(LOGO), "sizes": "any", "type": site.look.logo.content_type}]
    response = jsonify(
        {
            "name": site.settings.site_title,
            "short_name": site.settings.site_title[:12],
            "lang": "en" if language() == "en" else "zh-CN",
            "id": "/",
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "background_color": PAPER,
            "theme_color": PAPER,
            "icons": icons,
        }
    )
    response.content_type = "application/manifest+json"
    response.headers["Cache-Control"] = "public, max-age=3600"
    response.headers["Vary"] = "Accept-Language, Cookie"
    return response
