"""What a start says in the terminal of the way to the desk, while the owner has no password."""

import logging
import sys

from chat.logs.logging import formatter
from chat.owner.welcome import link
from chat.owner.words import say
from chat.services import Services
from chat.settings.words import LANGUAGES
from chat.storage.engine.kinds import StorageError


def announce_desk(site: Services, key: str) -> None:
    """Makes the key of this start good, and prints its link: one process of all does it."""
    try:
        is_new = site.welcome.offer(key)
    except StorageError as error:
        logging.getLogger("chat.welcome").warning("no link to the desk: %s", error)
        return
    if is_new:
        address = link(site.settings, key)
        _print(" / ".join(say("desk_link", language) for language in LANGUAGES), site)
        _print(address, site)


def _print(message: str, site: Services) -> None:
    """A line as those of the log, which itself blanks out what looks like a key."""
    record = logging.LogRecord("chat.welcome", logging.INFO, __file__, 0, message, None, None)
    print(formatter(site.settings.log_format).format(record), file=sys.stderr, flush=True)
