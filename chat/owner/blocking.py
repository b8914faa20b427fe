"""Commands by which the owner shuts out visitors and networks, and reads what was done."""

from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import click

from chat.owner.command_line import (
    CommandError,
    failing_in,
    in_language,
    open_storage,
    tell_processes,
)
from chat.owner.desk import blocking
from chat.owner.desk.blocking import BlockError
from chat.owner.words import say
from chat.settings import model as settings
from chat.settings.secret_key import secret_key
from chat.storage import Storage
from chat.visitors.access import Visitors


@click.command("block")
@click.argument("who", required=False)
@click.option("--list", "is_list", is_flag=True, help="List whom you have shut out.")
@click.option("--force", is_flag=True, help="Also an address of your own network.")
@in_language
def block(who: str | None, is_list: bool, force: bool, lang: str) -> None:
    """Shut out WHO: a visitor by the name in the log or a conversation, an address or a network.

    Works at once, also while the site runs. Exits with 0, or 2 when nothing was changed.
    """
    with failing_in(lang):
        if is_list or who is None:
            _list_blocks(open_storage(), lang)
            return
        store = open_storage()
        with _mistakes():
            subject = blocking.subject_of(store, _visitors(), who, force)
        if not store.blocks.add(subject):
            raise CommandError("already_blocked", subject=subject)
        tell_processes()
        click.echo(say("blocked", lang, subject=subject))


@click.command("unblock")
@click.argument("who")
@in_language
def unblock(who: str, lang: str) -> None:
    """Let WHO in again, who was shut out by `flask block`. Exits with 0, or 2 when nobody was."""
    with failing_in(lang):
        store = open_storage()
        subjects = [block.subject for block in store.blocks.all()]
        with _mistakes():
            matches = blocking.matches(store, _visitors(), who, subjects)
        if not matches:
            raise CommandError("not_blocked", who=who)
        for subject in matches:
            store.blocks.remove(subject)
            click.echo(say("unblocked", lang, subject=subject))
        tell_processes()


@click.command("log")
@in_language
def show_log(lang: str) -> None:
    """Print what you did with these commands, the oldest first."""
    with failing_in(lang):
        zone = _zone()
        entries = open_storage().owner_log.all()
        if not entries:
            click.echo(say("nothing_done", lang))
        for entry in entries:
            facts = ", ".join(f"{name} {fact}" for name, fact in entry.facts.items())
            click.echo(f"{entry.at.astimezone(zone):%Y-%m-%d %H:%M:%S}  {entry.command:<8} {facts}")


def _zone() -> ZoneInfo:
    return ZoneInfo(settings.load().time_zone)


def _list_blocks(store: Storage, language: str) -> None:
    rows = store.blocks.all()
    zone = _zone()
    for row in rows:
        click.echo(f"{row.at.astimezone(zone):%Y-%m-%d %H:%M:%S}  {row.subject}")
    if not rows:
        click.echo(say("nobody_blocked", language))


@contextmanager
def _mistakes() -> Iterator[None]:
    """What would be a mistake, as a command says it."""
    try:
        yield
    except BlockError as error:
        raise CommandError(error.kind, **error.facts) from None


def _visitors() -> Visitors:
    return Visitors(secret_key(settings.load()))
