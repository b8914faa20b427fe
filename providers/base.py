"""What a provider is: it receives a Turn and yields events (events.py) until a Stop ends it
(stop.py)."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

from providers.errors import ProviderError, Unavailable
from providers.events import Event
from providers.stop import Stop
from providers.texts import tidy


class Pace(Protocol):
    """What an account may still be asked.

    A turn has waited for its first call before the provider gets it; each further call asks here.
    """

    def wait(self, stop: Stop, deadline: float) -> None:
        """Waits for a fair turn among all calls of the account.

        At the deadline (time.monotonic() seconds) it raises TimedOut, or OutOfTurn when the
        platform has made the account hold back. Raises Stopped.
        """

    def spend(self) -> None:
        """Counts one more question of the day's budget.

        Raises QuotaExhausted when it is used up.
        """

    def hold_back(self, retry_after: float | None = None) -> None:
        """Makes the whole account hold back: the platform has refused a further call as one too
        many.

        A RateLimited that leaves `stream` has the same effect without this.
        """


class NoPace:
    """An account without limits."""

    def wait(self, stop: Stop, deadline: float) -> None:
        pass

    def spend(self) -> None:
        pass

    def hold_back(self, retry_after: float | None = None) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that comes with a question.

    `url` is where the platform may fetch it, if the site is public.
    """

    name: str
    content_type: str
    data: bytes
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """An earlier question of the conversation and its answer, for platforms that remember
    nothing."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One question as a provider sees it.

    `user` is a stable pseudonym of the visitor (32 hex digits), `conversation` the platform's id of
    the thread from an earlier `Accepted`, None when this is the first question or the platform
    remembers something else than `history`, `previous_chat` the platform's id of the run before
    this one. `history` is oldest first. `streaming` says whether somebody reads along. `deadline`
    is in time.monotonic() seconds.
    """

    question: str
    user: str
    stop: Stop
    deadline: float
    conversation: str | None = None
    previous_chat: str | None = None
    history: tuple[Exchange, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    streaming: bool = True
    pace: Pace = field(default_factory=NoPace)


@dataclass(frozen=True, slots=True)
class Observation:
    """One fact about an agent's set-up; `error` is the platform's refusal behind it.

    `credentials`: they are accepted. `agent`: it may be asked, `detail` is its name where that is
    known. `unseen`: only a question would show whether it may. `scope`: the token lacks the
    permission `detail`; `stop_scope`: one that only Stop needs. `region`: the token is good at the
    address `detail` instead. `short_lived`: the token ends within a month.
    """

    subject: Literal[
        "credentials", "agent", "unseen", "scope", "stop_scope", "region", "short_lived"
    ]
    detail: str = ""
    error: ProviderError | None = None


class Provider(ABC):
    """One agent on one platform. Instances are shared by all threads and hold no state of a turn.

    `name` is the platform's key in PLATFORMS; its capabilities stand in that row. `proof` says in
    English, for docs/providers.md, what proves that an answer is whole.
    """

    name: ClassVar[str]
    proof: ClassVar[str]

    @property
    @abstractmethod
    def addresses(self) -> tuple[str, ...]:
        """The addresses it calls."""

    @property
    def polls_per_second(self) -> float:
        """The calls a second that one whole answer takes while it is made; 0: it is not polled."""
        return 0.0

    @property
    def short_lived_token(self) -> tuple[str, int]:
        """A token that ends so many days after it was made, at a time that nobody tells; an empty
        one when there is none."""
        return "", 0

    @abstractmethod
    def check(self, deadline: float) -> Iterator[Observation]:
        """Yields what the platform lets one see of the set-up without asking the agent anything.

        Raises the ProviderError that would keep it from answering.
        """

    def stream(self, turn: Turn) -> Iterator[Event]:
        """Asks the platform and yields its answer, `Done` last: whole characters, thoughts apart.

        Raises a ProviderError when the answer fails, Stopped when `turn.stop` was requested; either
        way the run at the platform has been cancelled where the platform can, and its connection
        closed.
        """
        return tidy(self.ask(turn))

    @abstractmethod
    def ask(self, turn: Turn) -> Iterator[Event]:
        """Like `stream`, with the text as the platform cuts it.

        Yields `Done` only on proof that the answer is whole. What proves it is in `proof`.
        """

    def resume(self, turn: Turn, chat: str, replies: tuple[str, ...]) -> Iterator[Event]:
        """Finishes an answer whose reader was lost, from the platform's own record of `chat`.

        `replies` are the texts stored so far; only what is missing is yielded. Raises like
        `stream`, and Unavailable where the platform keeps no record, which is the default.
        """
        raise Unavailable("keeps no record of an answer", provider=self.name)


@dataclass(frozen=True, slots=True)
class About:
    """An agent's own introduction on its platform; anything may be empty.

    `icon` is an address there.
    """

    name: str = ""
    description: str = ""
    prologue: str = ""
    suggestions: tuple[str, ...] = ()
    icon: str = ""


class Introduces(Protocol):
    """A provider whose row says `introduces`."""

    def about(self, deadline: float) -> About:
        """Asks the platform about the agent, until `deadline`. Raises ProviderError."""


class Clears(Protocol):
    """A provider whose row says `clears`."""

    def clear(self, conversation: str) -> None:
        """Makes the platform forget a conversation's earlier messages. Raises ProviderError."""
