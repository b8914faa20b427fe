"""Coze (扣子): an agent in its API, streamed or polled (platforms/coze.md §1, §2, §11)."""

import time
from collections.abc import Iterator

from providers.base import About, Observation, Provider, Turn
from providers.coze import check as coze_check
from providers.coze.answer import about
from providers.coze.api import Api
from providers.coze.auth import WebApp, credentials
from providers.coze.options import Options
from providers.coze.run import Run
from providers.events import Event
from providers.http import Http
from providers.stop import Stop
from providers.texts import tidy
from providers.tokens import Vault

__all__ = ["PROVIDER", "Coze", "Options"]

CLEAR_S = 15.0
# The longest life of a personal access token (platforms/coze.md §6).
PERSONAL_DAYS = 30


class Coze(Provider):
    """One agent on Coze."""

    name = "coze"
    proof = (
        "the chat's status `completed` (its event, or a poll), and for each reply that "
        "was begun its completed message in the stream or in the list, which is asked for "
        "up to four times"
    )

    def __init__(self, options: Options, http: Http, vault: Vault | None = None) -> None:
        self._options = options
        self._http = http
        self._credentials = credentials(options, http, vault)

    @property
    def web_app(self) -> WebApp | None:
        """The app that the owner has to authorise, when that is how we sign in."""
        return self._credentials if isinstance(self._credentials, WebApp) else None

    @property
    def _api(self) -> Api:
        return Api(self._options.api_base, self._credentials, self._http)

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self._options.api_base,)

    @property
    def polls_per_second(self) -> float:
        return 1 / self._options.poll_interval_s if self._options.ask == "poll" else 0.0

    @property
    def short_lived_token(self) -> tuple[str, int]:
        token = self._options.api_token
        text = token.get_secret_value() if token else ""
        return (text, PERSONAL_DAYS) if text.startswith(coze_check.SHORT_LIVED) else ("", 0)

    def check(self, deadline: float) -> Iterator[Observation]:
        return coze_check.check(self._options, self._credentials, self._http, deadline)

    def ask(self, turn: Turn) -> Iterator[Event]:
        """Asks, and yields the answer while it is made; in one piece when nobody reads along."""
        run = Run(self._options, self._api, turn)
        yield from run.ask()

    def resume(self, turn: Turn, chat: str, replies: tuple[str, ...]) -> Iterator[Event]:
        """Yields what `replies` lack of an earlier chat's answer; waits for its end if it still
        runs."""
        run = Run(self._options, self._api, turn, chat, replies)
        return tidy(run.resume(), replies)

    def about(self, deadline: float) -> About:
        """The published agent's name, welcome and first questions (§5). Raises ProviderError."""
        return about(self._api.bot(self._options.bot_id, deadline))

    def clear(self, conversation: str) -> None:
        """Makes the agent forget the earlier messages; the thread stays. Raises ProviderError."""
        self._api.clear(conversation, time.monotonic() + CLEAR_S)

    def create_conversation(self, stop: Stop | None = None, timeout: float = 30.0) -> str:
        """A new, empty thread at Coze: its id.

        Not needed before a first question, which makes its own.
        """
        return self._api.create_conversation(self._options.bot_id, stop, time.monotonic() + timeout)


PROVIDER = Coze
