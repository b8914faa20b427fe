"""The owner's desk under /admin: one blueprint a page, all behind one lock.

A new page is a module with a blueprint `bp`, its template in templates/desk/, a row of MODULES, and
a row of chat/web/desk/frame.py's PAGES if the navigation is to lead there.
"""

from flask import Blueprint, Flask

from chat.web.desk import (
    agents,
    authorising,
    backup,
    blocked,
    codes,
    doctor,
    frame,
    log,
    one_time,
    questions,
    session,
    signing_in,
    site,
    thumbs,
    today,
    usage,
)

MODULES = (
    today,
    usage,
    questions,
    thumbs,
    agents,
    doctor,
    site,
    codes,
    blocked,
    log,
    backup,
    signing_in,
    one_time,
    authorising,
)


def init_app(app: Flask) -> None:
    """Adds the desk to the site."""
    desk = Blueprint("desk", __name__, url_prefix="/admin")
    # Of every page there is and will be: who is not the owner gets no further.
    desk.before_request(session.require_owner)
    desk.before_request(session.refuse_control_characters)
    desk.after_request(frame.keep_private)
    for module in MODULES:
        desk.register_blueprint(module.bp)
    app.register_blueprint(desk)
    session.init_app(app)
    frame.init_app(app)
