"""The composition root: everything the site is made of, in the order of a table of contents."""

import atexit
import logging
import resource
import sys
from pathlib import Path
from typing import Any

from flask import Flask
from flask_compress import Compress
from werkzeug.middleware.proxy_fix import ProxyFix

from chat import storage
from chat.agents import demo
from chat.agents.introductions import Introductions
from chat.agents.offered import door, is_demo, load_agents
from chat.agents.vault import Vault
from chat.answers.live import Bridge, LiveAnswers
from chat.files.pictures import Pictures
from chat.files.uploads import MEGABYTE, Uploads
from chat.logs import logging as logs
from chat.logs import request_id
from chat.owner import commands as cli
from chat.owner.doctor import access as doctor_access
from chat.page import look
from chat.page.assets import Assets
from chat.services import Services
from chat.settings import model as settings
from chat.settings.errors import SettingsError
from chat.settings.model import Settings
from chat.settings.rate_text import is_off
from chat.settings.secret_key import secret_key
from chat.visitors.access import Access, Owner, Visitors
from chat.visitors.devices import Devices
from chat.visitors.guessing import Guessing
from chat.visitors.rates import VisitorLimits
from chat.visitors.readers import Readers
from chat.visitors.streams import PER_ADDRESS, Streams, room
from chat.web import (
    chat,
    conversations,
    dates,
    devices,
    errors,
    files,
    history,
    language,
    oauth,
    ops,
    pages,
    permissions,
    pictures,
    security,
    sharing,
    signing_in,
    static,
    visitors,
)

ROOT = Path(__file__).resolve().parent
LARGEST_BODY = 16 * 1024 * 1024
COMPRESSED = [
    "text/html",
    "text/css",
    "text/javascript",
    "image/svg+xml",
    "application/json",
    "application/yaml",
]


def create_app(given: Settings | None = None) -> Flask:
    """The site, ready to serve. Raises SettingsError, one line, when a setting is wrong."""
    ours = _with_emulator(given or settings.load())
    key, store = secret_key(ours), storage.connect(ours)
    redaction = logs.install(ours.log_format, ours.log_level, [key, *settings.secrets(ours)])
    agents = load_agents(
        ours, store.days.spend, Vault(store.secrets, key, settings.INSTANCE), redaction.learn
    )
    redaction.know(agents.secrets)
    shown = Pictures(key, door(ours, "pictures"))
    guessing = Guessing()
    moves = Devices(store.moves, key, guessing)
    access = Access(ours, key, store, guessing)
    app = Flask(__name__, static_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_BODY + int(ours.upload_max_mb * MEGABYTE),
        COMPRESS_MIMETYPES=COMPRESSED,
        COMPRESS_BR_LEVEL=5,
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.extensions["chat"] = Services(
        settings=ours,
        storage=store,
        live_answers=LiveAnswers(bridge=_bridge(ours)),
        agents=agents,
        introductions=Introductions(agents, shown.address),
        visitors=Visitors(key),
        limits=VisitorLimits(ours.visitor_rate, ours.upload_max_mb),
        streams=Streams(_room(ours), None if is_off(ours.visitor_rate) else PER_ADDRESS),
        look=(seen := look.load(ours)),
        assets=Assets(seen),
        uploads=Uploads(store, key, ours.upload_max_mb, ours.public_url),
        devices=moves,
        pictures=shown,
        owner=Owner(ours.admin_password, guessing),
        access=access,
        metrics_readers=Readers(ours.metrics_token, guessing),
        secret_key=key,
    )
    for agent in agents.all:
        app.extensions["chat"].metrics.expect_agent(agent.id, agent.platform)
    doctor_access.warn(ours)
    cli.init_app(app)
    errors.init_app(app)
    security.init_app(app, ours.public_url)
    language.init_app(app)
    Compress(app)
    visitors.init_app(app)
    permissions.init_app(app)
    signing_in.init_app(app)
    for blueprint in (
        pages.bp,
        chat.bp,
        conversations.bp,
        history.bp,
        sharing.bp,
        signing_in.bp,
        devices.bp,
        files.bp,
        oauth.bp,
        ops.bp,
        pictures.bp,
        static.bp,
    ):
        app.register_blueprint(blueprint)
    static.init_app(app, version())
    ops.init_app(app, (ROOT / "docs" / "openapi.yaml").read_bytes())
    app.jinja_env.globals.update(
        moment=dates.moment, number=dates.number, in_language=language.in_language
    )
    proxied = _behind_proxies(app.wsgi_app, ours.trusted_proxies)
    app.wsgi_app = request_id.numbered(proxied)  # type: ignore[method-assign]
    return app


def version() -> str:
    """The version of this release: the first heading of the changelog."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return text.partition("\n## ")[2].split()[0]


def _with_emulator(ours: Settings) -> Settings:
    """In demo mode, the settings with the address of an emulator, started here unless the server did."""
    if ours.demo_url or not is_demo(ours):
        return ours
    address, process = demo.start()
    atexit.register(process.kill)
    return ours.model_copy(update={"demo_url": address})


def _bridge(ours: Settings) -> Bridge | None:
    if ours.redis_url is None:
        return None
    from chat.answers.redis import RedisBridge  # 8 MB that most sites need not have

    return RedisBridge(ours.redis_url.get_secret_value(), ours.chat_timeout_s)


def _room(ours: Settings) -> int:
    most = room(ours.max_streams, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    if most < ours.max_streams:
        logging.getLogger("chat").warning(
            "MAX_STREAMS: the system's limit of open files lets in %d (ulimit -n, LimitNOFILE)",
            most,
        )
    return most


def _behind_proxies(wsgi_app: Any, hops: int) -> Any:
    return ProxyFix(wsgi_app, x_for=hops, x_proto=hops, x_host=hops) if hops else wsgi_app


def __getattr__(name: str) -> Flask:
    """`app:app` is made when a server asks for it, so that importing this module does nothing."""
    if name != "app":
        raise AttributeError(name)
    if cli.is_looked_up():
        return cli.commands()
    try:
        globals()["app"] = create_app()
    except SettingsError as error:
        sys.exit(error.say_in_both())
    return globals()["app"]  # type: ignore[no-any-return]
