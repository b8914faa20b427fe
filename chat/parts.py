"""The parts of a site that one process has in its memory, and several processes in Redis."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from chat.agents.health import Health
from chat.agents.introductions import Abouts, LocalAbouts
from chat.agents.line import Lines, LocalLines
from chat.answers.live import Bridge
from chat.settings.model import Settings
from chat.visitors.guesses import LocalGuesses, StoredGuesses
from chat.visitors.limits.at_once import AtOnce, LocalAtOnce
from chat.visitors.limits.rates import local_counts
from chat.visitors.puzzles import LocalUsedPuzzles, UsedPuzzles

if TYPE_CHECKING:
    from chat.shared.connection import Connection
    from chat.visitors.limits.rate_counts import RateCounts


@dataclass(frozen=True)
class Parts:
    """Each local part has a twin in Redis, which all processes of the site share.

    `make_counts` makes the counts of rates at the first use, `make_guesses` what keeps the guesses
    of one kind of secret. Without a `connection` everything is in the memory of this process.
    """

    connection: "Connection | None"
    bridge: Bridge | None
    make_counts: "Callable[[], RateCounts]"
    at_once: AtOnce
    make_guesses: Callable[[str], StoredGuesses]
    used_puzzles: UsedPuzzles
    lines: Lines
    abouts: Abouts
    health: Health

    def tell(self) -> None:
        """Has all processes look at once at what the owner has changed."""
        if self.connection is not None:
            from chat.shared.connection import OWNER

            self.connection.say(OWNER, "changed")

    @classmethod
    def of(cls, settings: Settings, secret_key: str) -> "Parts":
        """The parts of a site with these settings. Raises SettingsError for a wrong REDIS_URL."""
        return _local(settings) if settings.redis_url is None else _shared(settings, secret_key)


def _local(settings: Settings) -> Parts:
    return Parts(
        connection=None,
        bridge=None,
        make_counts=local_counts,
        at_once=LocalAtOnce(),
        make_guesses=lambda kind: LocalGuesses(),
        used_puzzles=LocalUsedPuzzles(),
        lines=LocalLines(settings.address_share),
        abouts=LocalAbouts(),
        health=Health(),
    )


def _shared(settings: Settings, secret_key: str) -> Parts:
    # Imported here: Redis costs 8 MB, which most sites need not have.
    from chat.agents.redis_health import RedisHealth
    from chat.agents.redis_introductions import RedisAbouts
    from chat.agents.redis_lines import RedisLines
    from chat.answers.redis import RedisBridge
    from chat.shared.connection import Connection, site_name
    from chat.visitors.limits.redis_at_once import RedisAtOnce
    from chat.visitors.limits.redis_rate_counts import RedisRateCounts
    from chat.visitors.redis_guesses import RedisGuesses
    from chat.visitors.redis_puzzles import RedisUsedPuzzles

    assert settings.redis_url is not None
    # One that starts while Redis is away takes no more than its share of this machine's.
    connection = Connection(
        settings.redis_url.get_secret_value(), site_name(secret_key), processes=settings.workers
    )
    return Parts(
        connection=connection,
        bridge=RedisBridge(connection, settings.chat_timeout_s),
        make_counts=partial(RedisRateCounts, connection),
        at_once=RedisAtOnce(connection),
        make_guesses=partial(RedisGuesses, connection),
        used_puzzles=RedisUsedPuzzles(connection),
        lines=RedisLines(connection, settings.address_share),
        abouts=RedisAbouts(connection),
        health=RedisHealth(connection),
    )
