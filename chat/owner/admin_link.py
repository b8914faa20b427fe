"""The owner's command that prints a link by which a password for the desk is chosen."""

import click

from chat.owner.command_line import CommandError, failing_in, in_language, open_storage
from chat.owner.identity import Owner
from chat.owner.welcome import Welcome, link
from chat.owner.words import say
from chat.settings import model as settings
from chat.settings.secret_key import secret_key
from chat.visitors.guessing import Guessing


@click.command("admin-link")
@click.option("--forget-codes", is_flag=True, help="Ask for no one-time codes any more, instead.")
@in_language
def print_link(forget_codes: bool, lang: str) -> None:
    """Print a link that works once, to choose a password for the desk.

    Also when there is one that was forgotten; the link ends the one-time codes too. Exits with 0,
    or 2 when there can be no link.
    """
    with failing_in(lang):
        site = settings.load()
        store = open_storage()
        key = secret_key(site)
        owner = Owner(site.admin_password, key, store.owner_values, Guessing())
        if forget_codes:
            owner.codes.end()
            click.echo(say("codes_ended", lang))
            return
        if owner.is_locked:
            raise CommandError("password_is_set")
        address = link(site, Welcome(store.owner_values, owner).new_key())
        store.owner_log.add("admin-link")
        click.echo(say("admin_link", lang, address=address))
