"""The owner's command that moves a site from SQLite to PostgreSQL."""

from pathlib import Path

import click

from chat import storage
from chat.owner.command_line import CommandError, failing_in, in_language
from chat.owner.words import counted, counts, say
from chat.settings import model as settings
from chat.settings.model import INSTANCE
from chat.storage import Storage
from chat.storage.copies import backup, relocation
from chat.storage.copies.backup import BackupError
from chat.storage.engine.kinds import SQLITE, file_of, parse, place_of


@click.command("move-data")
@click.option(
    "--from",
    "source",
    default=str(INSTANCE / "chat.db"),
    show_default=True,
    metavar="FILE",
    help="The SQLite database to copy, a path or sqlite:///path.",
)
@in_language
def move_data(source: str, lang: str) -> None:
    """Copy the site from a SQLite file into the PostgreSQL that DATABASE_URL names.

    Every row is compared in the end. May be repeated, also after it was interrupted; the file
    stays. Exits with 0, or 2 when it could not.
    """
    with failing_in(lang):
        site = settings.load()
        target = parse(site.database_url)
        if target.drivername == SQLITE:
            raise CommandError("no_server")
        path = _existing_file(source)
        file_settings = site.model_copy(update={"database_url": f"sqlite:///{path.absolute()}"})
        # As a start of the site would do, with a copy of what is changed.
        old = storage.connect(file_settings)
        new = storage.connect(site)
        try:
            if pids := [str(worker.pid) for worker in new.workers.heard()]:
                raise BackupError("running", pids=", ".join(pids))
            _copy(old, new, path, place_of(target), lang)
        finally:
            old.close()
            new.close()


def _existing_file(source: str) -> Path:
    """The file of a site that is not running. Raises CommandError, BackupError."""
    path = file_of(source) if "://" in source else Path(source)
    if path is None:
        raise CommandError("not_a_file", source=source.partition("://")[0])
    if not path.is_file():
        raise BackupError("no_database", path=path)
    backup.version_of(path)
    if pids := backup.living_workers(path):
        raise BackupError("running", pids=", ".join(str(pid) for pid in pids))
    return path


def _copy(old: Storage, new: Storage, path: Path, place: str, language: str) -> None:
    def report(table: str, count: int) -> None:
        click.echo(say("copied_table", language, table=counted(table), count=count))

    try:
        numbers = relocation.copy_site(old.engine, new.engine, report)
    except relocation.RelocationError as error:
        facts = {**error.facts, "table": counted(error.facts["table"])}
        raise CommandError(error.kind, place=place, path=path, **facts) from None
    click.echo(say("moved", language, path=path, place=place, counts=counts(numbers)))
