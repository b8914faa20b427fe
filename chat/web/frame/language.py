"""The language: by the link on the page, else the browser's preference, else the site's default."""

from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, g, request
from flask_babel import Babel, get_translations

from chat.web import services

LANGUAGES = ("zh", "en")
COOKIE = "language"


def init_app(app: Flask) -> None:
    """Chooses a language for each request, and remembers a choice made by `?lang=`."""
    app.config.setdefault("BABEL_TRANSLATION_DIRECTORIES", "chat/translations")
    app.config.setdefault("BABEL_DEFAULT_LOCALE", "en")
    app.jinja_env.globals["in_language"] = in_language
    Babel(app, locale_selector=language, timezone_selector=lambda: services().settings.time_zone)
    # Flask-Babel looks for the catalogue at each sentence, and a conversation has a thousand.
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda sentence: _catalogue().ugettext(sentence),
        lambda one, many, count: _catalogue().ungettext(one, many, count),
        newstyle=True,
        pgettext=lambda where, sentence: _catalogue().upgettext(where, sentence),
    )

    @app.after_request
    def remember(response: Response) -> Response:
        code = request.args.get("lang")
        if code in LANGUAGES:
            response.set_cookie(
                COOKIE,
                code,
                max_age=365 * 24 * 3600,
                httponly=True,
                samesite="Lax",
                secure=request.is_secure,
            )
        return response


def _catalogue() -> Any:
    """The sentences in the language of the request at hand."""
    if "catalogue" not in g:
        g.catalogue = get_translations()
    return g.catalogue


def in_language(code: str) -> str:
    """The address of this page in another language."""
    others = [pair for pair in request.args.items(multi=True) if pair[0] != "lang"]
    return "?" + urlencode([*others, ("lang", code)])


def language() -> str:
    """ "zh" or "en" for the request at hand."""
    for code in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if code in LANGUAGES:
            return code
    return request.accept_languages.best_match(LANGUAGES) or services().settings.default_language
