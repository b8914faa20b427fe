"""What a provider yields: the events of one answer."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Accepted:
    """The platform has taken the question. Stored at once: cancelling and recovering need these
    ids.

    `conversation` and `chat` are the platform's ids of the thread and of this run of the agent;
    `trace` is what its support asks for (Coze's logid). Any may be None; a later one adds to, and
    does not erase, an earlier.
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
    """The whole text of a reply so far, in place of the earlier text: the platform has corrected
    itself."""

    text: str
    reply: int = 0


@dataclass(frozen=True, slots=True)
class Thought:
    """More of the model's reasoning. Never part of the answer.

    `seconds` is how long it has thought in all. Providers leave it out; the reader of the events
    sets it.
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
    """Something to see or hear, outside of the text.

    The address is the platform's and may expire.
    """

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
    """Where the turn stands before and between words.

    `position` counts the turns ahead of a queued one.
    """

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
