"""Commands of the owner: `flask doctor`, `hash`, `backup`, `restore`, `forget`."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from flask import Flask

from chat import storage
from chat.logs.redaction import Redaction
from chat.owner.doctor import examination as doctor
from chat.owner.doctor.findings import LANGUAGES, Finding
from chat.owner.words import counts, say
from chat.settings import hashes
from chat.settings import model as settings
from chat.settings.model import SettingsError
from chat.settings.wrong import wrong_setting
from chat.storage import backup
from chat.storage.backup import BackupError
from chat.storage.sqlite import StorageError
from chat.visitors import codes

TRACES_S = 60.0
EXIT = {"ok": 0, "warn": 1, "fail": 2}


def init_app(app: Flask) -> None:
    """Adds the commands to `flask`."""
    for command in (examine, hash_codes, back_up, restore, forget):
        app.cli.add_command(command)


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


_in_language = click.option(
    "--lang",
    metavar="zh|en",
    envvar=["LC_ALL", "LANG"],
    callback=_language,
    help="zh or en; else LANG.",
)


@click.command("doctor")
@click.option("--ask", is_flag=True, help="Ask each agent one real question; it costs quota.")
@click.option("--json", "is_json", is_flag=True, help="Print the findings as JSON.")
@_in_language
def examine(ask: bool, is_json: bool, lang: str) -> None:
    """Look at the set-up and say what to do about it. Exits with 0 (all well), 1 (warnings), 2 (failures)."""
    redaction = Redaction()
    found = doctor.examine(ask, redaction)
    told = _as_json(found, lang) if is_json else "\n".join(_line(one, lang) for one in found)
    click.echo(redaction.blank_known(told))
    raise SystemExit(max(EXIT[one.level] for one in found))


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@_in_language
def back_up(file: Path, force: bool, lang: str) -> None:
    """Copy the database into FILE, also while the site runs. Exits with 0, or 2 when it could not."""
    with _failing_in(lang):
        _tell_copied("backed_up", backup.backup(_database(), file, force), lang)


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Also while the site runs.")
@_in_language
def restore(file: Path, force: bool, lang: str) -> None:
    """Put the backup FILE in the database's place. Exits with 0, or 2 when it could not."""
    with _failing_in(lang):
        _tell_copied("restored", backup.restore(file, _database(), force), lang)


@click.command("forget")
@click.argument("visitor")
@_in_language
def forget(visitor: str, lang: str) -> None:
    """Delete everything of VISITOR: an id, or the id or address of a conversation.

    Exits with 0, with 1 while traces are left, or with 2 when nothing was deleted.
    """
    with _failing_in(lang):
        database = _database()
        if not database.is_file():
            raise BackupError("no_database", path=database)
        store = storage.connect(settings.load())
        mine = store.deletion.visitor_of(visitor)
        if mine is None:
            raise BackupError("nobody", named=visitor)
        gone = store.deletion.forget(mine)
        click.echo(say("forgotten", lang, visitor=mine, counts=counts(gone, lang)))
        click.echo(say("copies", lang))
        if not store.deletion.finish(TRACES_S):
            click.echo(say("traces", lang, path=database))
            raise SystemExit(EXIT["warn"])


def _database() -> Path:
    path = storage.file_of(settings.load())
    if path is None:
        raise BackupError("no_place")
    return path


def _tell_copied(kind: str, done: backup.Copied, language: str) -> None:
    facts = {"path": done.path, "size": done.size, "conversations": done.conversations}
    click.echo(say(kind, language, **facts))
    if done.before:
        click.echo(say("kept_beside", language, before=done.before))


@contextmanager
def _failing_in(language: str) -> Iterator[None]:
    """Ends the command with a sentence that says what to do, and the exit code 2."""
    try:
        yield
        return
    except BackupError as error:
        said = say(error.kind, language, **error.facts)
    except SettingsError as error:
        said = wrong_setting(str(error)).seen(language)
    except StorageError as error:
        said = say("locked", language, reason=getattr(error, "orig", None) or error)
    click.echo(said, err=True)
    raise SystemExit(EXIT["fail"])


@click.command("hash")
def hash_codes() -> None:
    """Hash codes or passwords, for ACCESS_CODES, API_KEYS and ADMIN_PASSWORD: one a line, or asked for."""
    if sys.stdin.isatty():
        asked, again = "访问码或密码 / Code or password", "再输一次 / Again"
        given = [click.prompt(asked, hide_input=True, confirmation_prompt=again)]
    else:
        given = [line.strip() for line in sys.stdin]
    recipe = (
        hashes.new_recipe()
    )  # one for all: with the same salt a try costs the site the same as for one
    given = [text for text in given if text]
    if not given or any(len(text) < codes.SHORTEST_CODE for text in given):
        least = codes.SHORTEST_CODE
        click.echo(
            f"每行一个，至少 {least} 个字符 / One a line, of at least {least} characters", err=True
        )
        raise SystemExit(EXIT["fail"])
    for text in given:
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
