"""The composition root: everything the site is made of, in the order of a table of contents."""

import sys
from typing import Any

from flask import Flask
from flask_compress import Compress
from werkzeug.middleware.proxy_fix import ProxyFix

from chat.logs import request_id
from chat.owner import commands
from chat.owner.doctor import access as doctor_access
from chat.release import ROOT, version
from chat.services import Services
from chat.settings import model
from chat.settings.errors import SettingsError
from chat.settings.model import Settings
from chat.web import desk, errors
from chat.web.answers import pictures
from chat.web.conversations import actions, feedback, history, pages, sharing
from chat.web.frame import dates, language, static, templates
from chat.web.gate import admission, security, visitors
from chat.web.ops import csp_reports, health, oauth
from chat.web.questions import chat, files
from chat.web.visitors import devices, signing_in

COMPRESSED = [
    "text/html",
    "text/css",
    "text/javascript",
    "image/svg+xml",
    "application/json",
    "application/yaml",
]


def create_app(settings: Settings | None = None) -> Flask:
    """The site, ready to serve. Raises SettingsError, one line, when a setting is wrong."""
    services = Services.build(settings or model.load())
    settings = services.settings
    app = Flask(__name__, static_folder=None)
    app.extensions["chat"] = services
    app.config.update(
        COMPRESS_MIMETYPES=COMPRESSED,
        COMPRESS_BR_LEVEL=6,
        # Without Zstandard, whose pages at the default level are larger than those of gzip.
        COMPRESS_ALGORITHM=["br", "gzip"],
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    doctor_access.warn(settings)

    commands.init_app(app)
    errors.init_app(app)
    security.init_app(app, settings.public_url)
    language.init_app(app)
    Compress(app)
    visitors.init_app(app)
    admission.init_app(app)
    signing_in.init_app(app)
    for blueprint in (
        pages.bp,
        chat.bp,
        feedback.bp,
        actions.bp,
        history.bp,
        sharing.bp,
        signing_in.bp,
        devices.bp,
        files.bp,
        oauth.bp,
        health.bp,
        pictures.bp,
        csp_reports.bp,
        static.bp,
    ):
        app.register_blueprint(blueprint)
    desk.init_app(app)
    templates.init_app(app)
    static.init_app(app, version())
    health.init_app(app, (ROOT / "docs" / "openapi.yaml").read_bytes())
    dates.init_app(app)

    proxied = _behind_proxies(app.wsgi_app, settings.trusted_proxies)
    app.wsgi_app = request_id.numbered(proxied)  # type: ignore[method-assign]
    return app


def _behind_proxies(wsgi_app: Any, hops: int) -> Any:
    return ProxyFix(wsgi_app, x_for=hops, x_proto=hops, x_host=hops) if hops else wsgi_app


def __getattr__(name: str) -> Flask:
    """`app:app` is made when a server asks for it, so that importing this module does nothing."""
    if name != "app":
        raise AttributeError(name)
    if commands.is_looked_up():
        return commands.commands()
    try:
        globals()["app"] = create_app()
    except SettingsError as error:
        sys.exit(error.say_in_both())
    return globals()["app"]  # type: ignore[no-any-return]
