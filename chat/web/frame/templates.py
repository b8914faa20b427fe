"""Templates as they are sent: without the indentation, which only their authors see."""

import re

from flask import Flask
from jinja2.ext import Extension


def init_app(app: Flask) -> None:
    """Takes the indentation out of each template once, when it is loaded."""
    app.jinja_env.add_extension(Unindented)


class Unindented(Extension):
    """To a browser the end of a line is a space already; as many lines keep their numbers."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return re.sub(r"\n[ \t]+", "\n", source)
