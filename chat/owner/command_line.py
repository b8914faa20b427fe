"""What the owner's commands share: their language, the database, and how they fail."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from chat import storage
from chat.owner.words import say
from chat.settings import model as settings
from chat.settings.errors import SettingsError
from chat.settings.secret_key import secret_key
from chat.settings.words import LANGUAGES
from chat.storage.copies.backup import BackupError
from chat.storage.engine.kinds import SQLITE, StorageError, lacks_tables, parse, place_of, reason_of
from chat.storage.migrations import version_of

EXIT = {"ok": 0, "warn": 1, "fail": 2}


class CommandError(Exception):
    """A command cannot do what it was asked: `id` names a sentence, `facts` fill it."""

    def __init__(self, id: str, **facts: Any) -> None:
        super().__init__(id)
        self.id = id
        self.facts = facts


def _language(context: click.Context, option: click.Parameter, choice: str | None) -> str:
    """The language of the option or of LANG, such as zh_CN.UTF-8; else the site's own."""
    language = (choice or "")[:2].lower()
    if language in LANGUAGES:
        return language
    try:
        return settings.load().default_language
    except SettingsError:
        return "zh"


in_language = click.option(
    "--lang",
    metavar="zh|en",
    envvar=["LC_ALL", "LANG"],
    callback=_language,
    help="zh or en; else LANG.",
)


def database_path(instead: str, file: Path) -> Path:
    """The file of the database. Raises SettingsError.

    For a server raises CommandError with the line to paste for `file`: `instead` names its words.
    """
    url = parse(settings.load().database_url)
    if url.drivername == SQLITE:
        return Path(url.database or "")
    address = server_address(settings.load().database_url)
    raise CommandError(instead, file=shlex.quote(str(file)), address=address)


def server_address(database_url: str) -> str:
    """The address of a server's database for a command line, without its password."""
    return shlex.quote(f"postgresql://{place_of(parse(database_url))}")


def open_storage() -> storage.Storage:
    """The storage of a site that has a database, brought up to date; closed with the command.

    Raises BackupError, CommandError, SettingsError, StorageError.
    """
    site = settings.load()
    url = parse(site.database_url)
    if url.drivername != SQLITE:
        _require_tables(site, place_of(url))
    elif not Path(url.database or "").is_file():
        raise BackupError("no_database", path=url.database)
    store = storage.connect(site)
    click.get_current_context().call_on_close(store.close)
    return store


def _require_tables(site: settings.Settings, place: str) -> None:
    """Raises CommandError when the database on a server is none of a site yet."""
    store = storage.open_existing(site)
    try:
        if version_of(store.engine) is None:
            raise CommandError("no_tables", place=place)
    finally:
        store.close()


def note(command: str, language: str, **facts: Any) -> None:
    """Notes in the owner's log what was done. When that fails the command has succeeded anyhow."""
    store = storage.open_existing(settings.load())
    try:
        store.owner_log.add(command, **facts)
    except StorageError as error:
        # A database that this version has not upgraded yet has no such log.
        if not lacks_tables(error):
            click.echo(say("not_noted", language, reason=reason_of(error)), err=True)
    finally:
        store.close()


def tell_processes() -> None:
    """Has every process look at once at what was changed here; without Redis they look soon."""
    site = settings.load()
    if site.redis_url is None:
        return
    from chat.shared.connection import OWNER, Connection, site_name

    connection = Connection(site.redis_url.get_secret_value(), site_name(secret_key(site)))
    connection.say(OWNER, "changed")
    connection.disconnect()


@contextmanager
def failing_in(language: str) -> Iterator[None]:
    """Ends the command with a sentence that says what to do, and the exit code 2."""
    try:
        yield
        return
    except BackupError as error:
        message = say(error.kind, language, **error.facts)
    except CommandError as error:
        message = say(error.id, language, **error.facts)
    except SettingsError as error:
        message = error.say(language)
    except StorageError as error:
        reason = getattr(error, "orig", None) or error
        message = say("locked", language, reason=reason)
    click.echo(message, err=True)
    raise SystemExit(EXIT["fail"])
