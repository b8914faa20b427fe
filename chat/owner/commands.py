"""Commands of the owner: `doctor`, `hash`, `backup`, `restore`, `forget`, and the rest, for `flask`
and `zhiye`.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from flask import Flask

from chat.logs.redaction import Redaction
from chat.owner.admin_link import print_link
from chat.owner.blocking import block, show_log, unblock
from chat.owner.command_line import (
    EXIT,
    CommandError,
    database_path,
    failing_in,
    in_language,
    note,
    open_storage,
)
from chat.owner.desk.values import in_force
from chat.owner.doctor import examination as doctor
from chat.owner.doctor.findings import Finding
from chat.owner.moving import move_data
from chat.owner.service import write_service
from chat.owner.words import counts, say
from chat.settings import hashes
from chat.settings import model as settings
from chat.settings.code_lists import SHORTEST_CODE, SHORTEST_KEY, entries, recipes
from chat.settings.errors import SettingsError
from chat.settings.hashes import Recipe
from chat.settings.help import example
from chat.settings.words import COLON, LANGUAGES
from chat.storage import file_of
from chat.storage.copies import backup
from chat.storage.engine.files import copies_before

# For readers of a running site, who keep the log from being emptied.
TRACES_S = 60.0


def init_app(app: Flask) -> None:
    """Adds the commands to `flask`."""
    for command in COMMANDS:
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


@click.command("doctor")
@click.option("--ask", is_flag=True, help="Ask each agent one real question; it costs quota.")
@click.option("--json", "is_json", is_flag=True, help="Print the findings as JSON.")
@in_language
def examine(ask: bool, is_json: bool, lang: str) -> None:
    """Look at the set-up and say what to do about it.

    Exits with 0 (all well), 1 (warnings), 2 (failures).
    """
    redaction = Redaction()
    findings = doctor.examine(ask, redaction, in_force)
    lines = [_line(finding, lang) for finding in findings]
    report = _as_json(findings, lang) if is_json else "\n".join(lines)
    click.echo(redaction.blank_known(report))
    raise SystemExit(max(EXIT[finding.level] for finding in findings))


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@in_language
def back_up(file: Path, force: bool, lang: str) -> None:
    """Copy the database into FILE, also while the site runs.

    Exits with 0, or 2 when it could not.
    """
    with failing_in(lang):
        copy = backup.backup(database_path("use_pg_dump", file), file, force)
        _report_copy("backed_up", copy, lang)
        note("backup", lang, path=str(copy.path), conversations=copy.conversations)


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Also while the site runs.")
@in_language
def restore(file: Path, force: bool, lang: str) -> None:
    """Put the backup FILE in the database's place. Exits with 0, or 2 when it could not."""
    with failing_in(lang):
        copy = backup.restore(file, database_path("use_pg_restore", file), force)
        _report_copy("restored", copy, lang)
        note("restore", lang, path=str(file), conversations=copy.conversations)


@click.command("forget")
@click.argument("visitor")
@in_language
def forget(visitor: str, lang: str) -> None:
    """Delete everything of VISITOR: an id, or the id or address of a conversation.

    Exits with 0, with 1 while traces are left, or with 2 when nothing was deleted.
    """
    with failing_in(lang):
        store, database = open_storage(), file_of(settings.load())
        id = store.deletion.visitor_of(visitor)
        if id is None:
            raise CommandError("nobody", named=visitor)
        deleted = store.deletion.forget(id)
        # Not who it was: what is forgotten must not stand here either.
        store.owner_log.add("forget", **deleted)
        click.echo(say("forgotten", lang, visitor=id, counts=counts(deleted)))
        click.echo(say("copies", lang))
        if database and (paths := copies_before(database)):
            click.echo(say("copies_before", lang, paths=", ".join(map(str, paths))))
        if not store.deletion.finish(TRACES_S):
            click.echo(say("traces", lang, path=database))
            raise SystemExit(EXIT["warn"])


def _report_copy(id: str, copy: backup.Copied, language: str) -> None:
    facts = {"path": copy.path, "size": copy.size, "conversations": copy.conversations}
    click.echo(say(id, language, **facts))
    if copy.before:
        click.echo(say("kept_beside", language, before=copy.before))


@click.command("settings")
def print_settings() -> None:
    """Print every setting with its help and its default, as a file .env to fill in."""
    click.echo(example(), nl=False)


@click.command("hash")
def hash_codes() -> None:
    """Hash codes or passwords, for ACCESS_CODES, API_KEYS and ADMIN_PASSWORD.

    They come one a line, or are asked for. Each has the salt of the hashes in the settings.
    """
    texts = [text for text in _texts_to_hash() if text]
    if not texts or any(len(text) < SHORTEST_CODE for text in texts):
        sentences = [say("no_codes", language, least=SHORTEST_CODE) for language in LANGUAGES]
        click.echo(" / ".join(sentences), err=True)
        raise SystemExit(EXIT["fail"])
    recipe = _common_recipe()
    for text in texts:
        click.echo(hashes.make_hash(text, recipe))


def _common_recipe() -> Recipe:
    """The commonest recipe in the settings: with the same salt a try costs the same as for one."""
    try:
        site = settings.load()
    except SettingsError:
        return hashes.new_recipe()
    lists = (site.access_codes, SHORTEST_CODE), (site.api_keys, SHORTEST_KEY)
    recipes_in_use = recipes(entry for codes, least in lists for entry in entries(codes, least))
    strong = (recipe for recipe in recipes_in_use if recipe.work >= hashes.WORK_IN_FILES)
    return next(strong, None) or hashes.new_recipe()


def _texts_to_hash() -> list[str]:
    if not sys.stdin.isatty():
        return [line.strip() for line in sys.stdin]
    prompt = "访问码或密码 / Code or password"
    repeat = "再输一次 / Again"
    return [click.prompt(prompt, hide_input=True, confirmation_prompt=repeat)]


def _line(finding: Finding, language: str) -> str:
    about = f"{finding.title(language)}{COLON.say(language)}"
    seen = f"{finding.level:<4}  {about}{finding.seen(language)}"
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


# Both `flask` and `zhiye` have all of them.
COMMANDS: tuple[click.Command, ...] = (
    examine,
    print_settings,
    hash_codes,
    back_up,
    restore,
    forget,
    block,
    unblock,
    show_log,
    write_service,
    move_data,
    print_link,
)
