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
from chat.owner.doctor.findings import Finding, wrong_setting
from chat.owner.words import counts, say
from chat.settings import hashes
from chat.settings import model as settings
from chat.settings.code_lists import SHORTEST_CODE
from chat.settings.errors import SettingsError
from chat.settings.words import LANGUAGES
from chat.storage import backup
from chat.storage.backup import BackupError
from chat.storage.files import copies_before
from chat.storage.sqlite import StorageError

TRACES_S = 60.0
EXIT = {"ok": 0, "warn": 1, "fail": 2}


def init_app(app: Flask) -> None:
    """Adds the commands to `flask`."""
    for command in (examine, hash_codes, back_up, restore, forget):
        app.cli.add_command(command)


def is_looked_up() -> bool:
    """Whether Flask's command line looks for one of these commands, not for a site to serve.

    It takes them from an app, and the doctor is there for sites that do not start: then it gets
    `commands`. The outermost click context is the search for a command, `flask run` has one of its
    own within.
    """
    context = click.get_current_context(silent=True)
    return context is not None and context.parent is None


def commands() -> Flask:
    """An app that has commands and no site."""
    app = Flask(__name__, static_folder=None)
    init_app(app)
    return app


def _language(context: click.Context, option: click.Parameter, choice: str | None) -> str:
    """The language of the option or of LANG, such as zh_CN.UTF-8; else the site's own."""
    language = (choice or "")[:2].lower()
    if language in LANGUAGES:
        return language
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
    """Look at the set-up and say what to do about it.

    Exits with 0 (all well), 1 (warnings), 2 (failures).
    """
    redaction = Redaction()
    findings = doctor.examine(ask, redaction)
    lines = [_line(finding, lang) for finding in findings]
    report = _as_json(findings, lang) if is_json else "\n".join(lines)
    click.echo(redaction.blank_known(report))
    raise SystemExit(max(EXIT[finding.level] for finding in findings))


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@_in_language
def back_up(file: Path, force: bool, lang: str) -> None:
    """Copy the database into FILE, also while the site runs.

    Exits with 0, or 2 when it could not.
    """
    with _failing_in(lang):
        _report_copy("backed_up", backup.backup(_database(), file, force), lang)


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Also while the site runs.")
@_in_language
def restore(file: Path, force: bool, lang: str) -> None:
    """Put the backup FILE in the database's place. Exits with 0, or 2 when it could not."""
    with _failing_in(lang):
        _report_copy("restored", backup.restore(file, _database(), force), lang)


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
        id = store.deletion.visitor_of(visitor)
        if id is None:
            raise BackupError("nobody", named=visitor)
        deleted = store.deletion.forget(id)
        click.echo(say("forgotten", lang, visitor=id, counts=counts(deleted)))
        click.echo(say("copies", lang))
        if paths := copies_before(database):
            click.echo(say("copies_before", lang, paths=", ".join(map(str, paths))))
        if not store.deletion.finish(TRACES_S):
            click.echo(say("traces", lang, path=database))
            raise SystemExit(EXIT["warn"])


def _database() -> Path:
    path = storage.file_of(settings.load())
    if path is None:
        raise BackupError("no_place")
    return path


def _report_copy(id: str, copy: backup.Copied, language: str) -> None:
    facts = {"path": copy.path, "size": copy.size, "conversations": copy.conversations}
    click.echo(say(id, language, **facts))
    if copy.before:
        click.echo(say("kept_beside", language, before=copy.before))


@contextmanager
def _failing_in(language: str) -> Iterator[None]:
    """Ends the command with a sentence that says what to do, and the exit code 2."""
    try:
        yield
        return
    except BackupError as error:
        message = say(error.kind, language, **error.facts)
    except SettingsError as error:
        message = wrong_setting(error).seen(language)
    except StorageError as error:
        message = say("locked", language, reason=getattr(error, "orig", None) or error)
    click.echo(message, err=True)
    raise SystemExit(EXIT["fail"])


@click.command("hash")
def hash_codes() -> None:
    """Hash codes or passwords, for ACCESS_CODES, API_KEYS and ADMIN_PASSWORD.

    They come one a line, or are asked for.
    """
    texts = [text for text in _texts_to_hash() if text]
    if not texts or any(len(text) < SHORTEST_CODE for text in texts):
        sentences = [say("no_codes", language, least=SHORTEST_CODE) for language in LANGUAGES]
        click.echo(" / ".join(sentences), err=True)
        raise SystemExit(EXIT["fail"])
    # One recipe for all: with the same salt a try costs the site the same as for one.
    recipe = hashes.new_recipe()
    for text in texts:
        click.echo(hashes.make_hash(text, recipe))


def _texts_to_hash() -> list[str]:
    if not sys.stdin.isatty():
        return [line.strip() for line in sys.stdin]
    prompt = "访问码或密码 / Code or password"
    repeat = "再输一次 / Again"
    return [click.prompt(prompt, hide_input=True, confirmation_prompt=repeat)]


def _line(finding: Finding, language: str) -> str:
    seen = f"{finding.level:<4}  {finding.title(language)}: {finding.seen(language)}"
    to_do = finding.to_do(language)
    return f"{seen}\n      → {to_do}" if to_do else seen


def _as_json(findings: Sequence[Finding], language: str) -> str:
    objects = [
        {
            "id": finding.id,
            "level": finding.level,
            "about": finding.about,
            "seen": finding.seen(language),
            "to_do": finding.to_do(language),
        }
        for finding in findings
    ]
    return json.dumps(objects, ensure_ascii=False, indent=2)
