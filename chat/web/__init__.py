"""The HTTP interface for browsers and programs: one blueprint a file."""

from typing import cast

from flask import current_app

from chat.services import Services


def services() -> Services:
    """The parts of this site."""
    return cast(Services, current_app.extensions["chat"])
