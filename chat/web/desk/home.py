"""The first page of the desk: whichever the navigation begins with."""

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from chat.web.desk import frame

bp = Blueprint("home", __name__)


@bp.get("", strict_slashes=False)
def show() -> AnyResponse:
    """Leads to the first page."""
    return redirect(url_for(frame.PAGES[0].endpoint), 303)
