"""The routes of the contract: those of every blueprint of chat/web/ beside the owner's desk."""

import importlib
import pkgutil

from flask import Flask
from werkzeug.routing import Map

from chat import web


def routes() -> Map:
    """The routes, read from the modules and not from the list in app.py."""
    app = Flask(__name__, static_folder=None)
    for module in pkgutil.walk_packages(web.__path__, "chat.web."):
        if module.name.startswith("chat.web.desk"):
            continue
        blueprint = getattr(importlib.import_module(module.name), "bp", None)
        if blueprint is not None:
            app.register_blueprint(blueprint)
    return app.url_map
