"""Commands of the owner: `flask doctor`, `flask hash`."""

import json
import sys
from collections.abc import Sequence

import click
from flask import Flask

from chat import doctor, hashes, settings
from chat.findings import LANGUAGES, Finding
from chat.settings import SettingsError

EXIT = {"ok": 0, "warn": 1, "fail": 2}


def init_app(app: Flask) -> None:
    """Adds the commands to `flask`."""
    app.cli.add_command(examine)
    app.cli.add_command(hash_codes)


def is_looked_up() -> bool:
    """Whether Flask's command line looks for one of these commands, rather than for a site to serve.

    It takes them from an app, and the doctor is there for sites that do not start: it gets `commands`. The
    outermost click context is the search for a command, `flask run` has one of its own within.
    """
    context = click.get_current_context(silent=True)
    return context is not None and context.parent is None


def commands() -> Flask:
    """An app that has commands and no site."""
    app = Flask(__name__, static_folder=None)
    init_app(app)
    return app


def _language(context: click.Context, option: click.Parameter, wish: str | None) -> str:
    """The wished language: also out of LANG, such as zh_CN.UTF-8; else the site's own."""
    found = (wish or "")[:2].lower()
    if found in LANGUAGES:
        return found
    try:
        return settings.load().default_language
    except SettingsError:
        return "zh"


@click.command("doctor")
@click.option("--ask", is_flag=True, help="Ask each agent one real question; it costs quota.")
@click.option("--json", "is_json", is_flag=True, help="Print the findings as JSON.")
@click.option(
    "--lang", metavar="zh|en", envvar=["LC_ALL", "LANG"], callback=_language, help="zh or en; else LANG."
)
def examine(ask: bool, is_json: bool, lang: str) -> None:
    """Look at the set-up and say what to do about it. Exits with 0 (all well), 1 (warnings), 2 (failures)."""
    found = doctor.examine(ask)
    click.echo(_as_json(found, lang) if is_json else "\n".join(_line(one, lang) for one in found))
    raise SystemExit(max(EXIT[one.level] for one in found))


@click.command("hash")
def hash_codes() -> None:
    """Hash codes or passwords, for ACCESS_CODES, API_KEYS and ADMIN_PASSWORD: one a line, or asked for."""
    if sys.stdin.isatty():
        asked, again = "访问码或密码 / Code or password", "再输一次 / Again"
        given = [click.prompt(asked, hide_input=True, confirmation_prompt=again)]
    else:
        given = [line.strip() for line in sys.stdin]
    recipe = hashes.new_recipe()  # one for all: with the same salt a try costs the site the same as for one
    for text in given:
        if text:
            click.echo(hashes.made(text, recipe))


def _line(one: Finding, language: str) -> str:
    line = f"{one.level:<4}  {one.title(language)}: {one.seen(language)}"
    return f"{line}\n      → {to_do}" if (to_do := one.to_do(language)) else line


def _as_json(found: Sequence[Finding], language: str) -> str:
    told = [
        {
            "id": one.id,
            "level": one.level,
            "about": one.about,
            "seen": one.seen(language),
            "to_do": one.to_do(language),
        }
        for one in found
    ]
    return json.dumps(told, ensure_ascii=False, indent=2)
