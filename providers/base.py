"""What a provider is given (a Turn), what it yields (events), and how it is told to stop."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from providers.errors import ProviderError


@dataclass(frozen=True, slots=True)
class Accepted:
    """The platform has taken the question. Stored at once: cancelling and recovering need these ids.

    `conversation` and `chat` are the platform's ids of the thread and of this run of the agent; `trace` is
    what its support asks for (Coze's logid). Any may be None; a later one adds to, and does not erase, an
    earlier.
    """

    conversation: str | None = None
    chat: str | None = None
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """More text of a reply, as Markdown. An answer is one or more replies, counted from 0."""

    text: str
    reply: int = 0


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The whole text of a reply so far, in place of what was said: the platform has corrected itself."""

    text: str
    reply: int = 0


@dataclass(frozen=True, slots=True)
class Thought:
    """More of the model's reasoning. Never part of the answer.

    `seconds` is how long it has thought in all: told at the end by whoever listens, not by a provider.
    """

    text: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ToolStep:
    """A tool, workflow or knowledge base at work. The same `id` again says how it went."""

    id: str
    name: str
    state: Literal["running", "done", "failed"]
    input: str | None = None
    output: str | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """Something to see or hear, outside of the text. The address is the platform's and may expire."""

    kind: Literal["image", "video", "audio", "file"]
    url: str


@dataclass(frozen=True, slots=True)
class Citation:
    """A source the answer rests on: a page, or a passage of the agent's knowledge."""

    title: str
    url: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question the visitor may like to ask next."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the platform counts them."""

    input: int
    output: int
    total: int


@dataclass(frozen=True, slots=True)
class Status:
    """Where the turn stands before and between words. `position` counts the turns ahead of a queued one."""

    state: Literal["queued", "waiting", "answering", "recovering"]
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The platform has finished the answer. Always the last event."""

    finish_reason: str = "stop"


Event = (
    Accepted
    | Delta
    | Rewrite
    | Thought
    | ToolStep
    | Media
    | Citation
    | Suggestion
    | Usage
    | Status
    | Done
)


class Stopped(Exception):
    """Raised inside a provider when somebody has asked it to stop. No error: the answer ends where it is."""


class Stop:
    """A wish that an answer end, from any thread: it wakes who sleeps and closes what is being read."""

    def __init__(self) -> None:
        self._wished = threading.Event()
        self._lock = threading.Lock()
        self._interrupts: list[Callable[[], None]] = []

    def request(self) -> None:
        """Asks for the end. Returns at once; asking again changes nothing."""
        with self._lock:
            interrupts = [] if self._wished.is_set() else list(self._interrupts)
            self._wished.set()
        for interrupt in interrupts:
            interrupt()

    @property
    def is_requested(self) -> bool:
        return self._wished.is_set()

    def check(self) -> None:
        """Raises Stopped when the end has been asked for."""
        if self._wished.is_set():
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Sleeps, but wakes at once and raises Stopped when the end is asked for."""
        if self._wished.wait(seconds):
            raise Stopped

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Calls `interrupt` when the end is asked for inside the block, or was before it."""
        with self._lock:
            self._interrupts.append(interrupt)
            already = self._wished.is_set()
        if already:
            interrupt()
        try:
            yield
        finally:
            with self._lock:
                self._interrupts.remove(interrupt)


class Pace(Protocol):
    """What an account may still be asked. A turn has waited for its first call; further ones ask here."""

    def wait(self, stop: Stop, deadline: float) -> None:
        """Waits for a fair turn among all calls of the account. Raises Stopped, TimedOut at the deadline."""

    def spend(self) -> None:
        """One more question of the day's budget. Raises QuotaExhausted when there is none."""

    def refused(self, retry_after: float | None = None) -> None:
        """The platform has refused a further call as one too many: the whole account holds back for a while.

        A RateLimited that a provider raises says the same without this.
        """


class NoPace:
    """An account without limits."""

    def wait(self, stop: Stop, deadline: float) -> None:
        pass

    def spend(self) -> None:
        pass

    def refused(self, retry_after: float | None = None) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that comes with a question. `url` is where the platform may fetch it, if the site is public."""

    name: str
    content_type: str
    data: bytes
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """An earlier question of the conversation and its answer, for platforms that remember nothing."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One question as a provider sees it.

    `user` is a stable pseudonym of the visitor (32 hex digits), `conversation` the platform's id of the
    thread as an earlier `Accepted` gave it, None when this is the first question or the platform remembers
    something else than `history`, `previous_chat` the platform's id of the run before this one.
    `history` is oldest first. `streaming` says whether somebody reads along. `deadline` is in
    time.monotonic() seconds.
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
class Seen:
    """What a look at an agent's set-up has shown; `error` is what the platform said.

    `credentials`: they are accepted. `agent`: it may be asked, `detail` is its name where that is known.
    `unseen`: only a question would show whether it may. `scope`: the token lacks the permission `detail`;
    `stop_scope`: one that only Stop needs. `region`: the token is good at the address `detail` instead.
    `short_lived`: the token ends within a month.
    """

    what: Literal["credentials", "agent", "unseen", "scope", "stop_scope", "region", "short_lived"]
    detail: str = ""
    error: ProviderError | None = None


class Provider(Protocol):
    """One agent on one platform. Instances are shared by all threads and keep nothing of a turn."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it calls."""

    def check(self, deadline: float) -> Iterator[Seen]:
        """Yields what the platform lets one see of the set-up without asking the agent anything.

        Raises the ProviderError that would keep it from answering.
        """

    def stream(self, turn: Turn) -> Iterator[Event]:
        """Asks the platform and yields its answer, `Done` last.

        Raises a ProviderError when the answer fails, Stopped when `turn.stop` was requested; either way the
        run at the platform has been cancelled where the platform can, and its connection closed.
        """

    def resume(self, turn: Turn, chat: str, said: tuple[str, ...]) -> Iterator[Event]:
        """Finishes an answer whose reader was lost, from the platform's own record of `chat`.

        `said` are the replies as far as they were kept; only what is missing is yielded. Raises like
        `stream`, and Unavailable where the platform keeps no record.
        """


@dataclass(frozen=True, slots=True)
class About:
    """What an agent says of itself on its platform; anything may be empty. `icon` is an address there."""

    name: str = ""
    description: str = ""
    prologue: str = ""
    suggestions: tuple[str, ...] = ()
    icon: str = ""


class Introduces(Provider, Protocol):
    """A provider whose row says `introduces`."""

    def about(self, deadline: float) -> About:
        """Asks the platform about the agent, until `deadline`. Raises ProviderError."""


class Clears(Provider, Protocol):
    """A provider whose row says `clears`."""

    def clear(self, conversation: str) -> None:
        """Makes the platform forget a conversation's earlier messages. Raises ProviderError."""
