"""Chinese or English: the link on the page, else the browser's wish, else the site's default."""

from urllib.parse import urlencode

from flask import Flask, Response, request
from flask_babel import Babel

from chat.web import services

LANGUAGES = ("zh", "en")
COOKIE = "language"


def init_app(app: Flask) -> None:
    """Chooses a language for each request, and remembers a choice made by `?lang=`."""
    app.config.setdefault("BABEL_TRANSLATION_DIRECTORIES", "chat/translations")
    app.config.setdefault("BABEL_DEFAULT_LOCALE", "en")
    app.jinja_env.globals["in_language"] = in_language
    Babel(app, locale_selector=language, timezone_selector=lambda: services().settings.time_zone)

    @app.after_request
    def remember(response: Response) -> Response:
        wish = request.args.get("lang")
        if wish in LANGUAGES:
            response.set_cookie(
                COOKIE,
                wish,
                max_age=365 * 24 * 3600,
                httponly=True,
                samesite="Lax",
                secure=request.is_secure,
            )
        return response


def in_language(wish: str) -> str:
    """Where the page at hand is in a language: the link that changes it."""
    others = [pair for pair in request.args.items(multi=True) if pair[0] != "lang"]
    return "?" + urlencode([*others, ("lang", wish)])


def language() -> str:
    """ "zh" or "en" for the request at hand."""
    for wish in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if wish in LANGUAGES:
            return wish
    return request.accept_languages.best_match(LANGUAGES) or services().settings.default_language
