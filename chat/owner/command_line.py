"""What the owner's commands share: their language, the database, and how they fail."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from chat import storage
from chat.owner.doctor.findings import wrong_setting
from chat.owner.words import say
from chat.settings import model as settings
from chat.settings.errors import SettingsError
from chat.settings.secret_key import secret_key
from chat.settings.words import LANGUAGES
from chat.storage.backup import BackupError
from chat.storage.engine.kinds import StorageError

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


def database_path() -> Path:
    """The file of the database. Raises BackupError, SettingsError."""
    path = storage.file_of(settings.load())
    if path is None:
        raise BackupError("no_place")
    return path


def open_storage() -> storage.Storage:
    """The storage of a site that has a database, brought up to date.

    Raises BackupError, SettingsError.
    """
    path = database_path()
    if not path.is_file():
        raise BackupError("no_database", path=path)
    return storage.connect(settings.load())


def note(command: str, language: str, **facts: Any) -> None:
    """Notes in the owner's log what was done. When that fails the command has succeeded anyhow."""
    store = storage.open_existing(settings.load())
    try:
        store.owner_log.add(command, **facts)
    except StorageError as error:
        reason = getattr(error, "orig", None) or error
        # A database that this version has not upgraded yet has no such log.
        if "no such table" not in str(reason):
            click.echo(say("not_noted", language, reason=reason), err=True)
    finally:
        store.close()


def tell_processes() -> None:
    """Has every process look at once at what was changed here; without Redis they look soon."""
    site = settings.load()
    if site.redis_url is None:
        return
    from chat.shared.connection import OWNER, Connection, site_name

    name = site_name(secret_key(site))
    Connection(site.redis_url.get_secret_value(), name).say(OWNER, "changed")


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
        message = wrong_setting(error).seen(language)
    except StorageError as error:
        message = say("locked", language, reason=getattr(error, "orig", None) or error)
    click.echo(message, err=True)
    raise SystemExit(EXIT["fail"])
