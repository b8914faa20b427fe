"""A Coze agent for tests: ask it, collect its events, find its requests in the emulator's log."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from providers.base import Turn
from providers.coze.provider import Coze, Options
from providers.errors import ProviderError
from providers.events import (
    Accepted,
    Citation,
    Delta,
    Done,
    Event,
    Media,
    Rewrite,
    Status,
    Suggestion,
    Thought,
    ToolStep,
    Usage,
)
from providers.http import Http, Network
from providers.stop import Stop, Stopped

TOKEN = "pat_demo_only_not_a_secret"
BOT = "7480000000000000101"
NETWORK = Network()


class Hurry(Stop):
    """Lets an answer pause for a fiftieth of the time, and knows the `pauses` that it meant."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(round(seconds, 3))
        super().sleep(seconds / 50)


@dataclass
class CozeAnswer:
    """All that came of one question."""

    events: list[Event] = field(default_factory=list)
    error: ProviderError | Stopped | None = None
    seconds: float = 0.0

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def replies(self) -> list[str]:
        """The replies as a page would show them."""
        texts: list[str] = []
        for event in self.events:
            if isinstance(event, Delta | Rewrite):
                if event.reply == len(texts):
                    texts.append("")
                assert event.reply < len(texts), "replies are counted from 0, without gaps"
                texts[event.reply] = (
                    event.text if isinstance(event, Rewrite) else texts[event.reply] + event.text
                )
        return texts

    @property
    def text(self) -> str:
        return "\n".join(self.replies)

    @property
    def thoughts(self) -> str:
        return "".join(event.text for event in self.of(Thought))

    @property
    def suggestions(self) -> list[str]:
        return [event.text for event in self.of(Suggestion)]

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.of(Status)]

    @property
    def accepted(self) -> Accepted:
        """The last of each id."""
        conversation = chat = trace = None
        for event in self.of(Accepted):
            conversation = event.conversation or conversation
            chat = event.chat or chat
            trace = event.trace or trace
        return Accepted(conversation, chat, trace)

    @property
    def essence(self) -> tuple[object, ...]:
        """What has to be the same however the answer came."""
        return (
            self.replies,
            self.thoughts,
            self.suggestions,
            [(step.name, step.state, step.input, step.output) for step in self.of(ToolStep)],
            self.of(Citation),
            self.of(Media),
            self.of(Usage),
            self.of(Done),
            (type(self.error), getattr(self.error, "code", None)),
        )


def agent(url: str, **options: Any) -> Coze:
    fields = {"api_token": TOKEN, "bot_id": BOT, "api_base": url, **options}
    return Coze(Options(**fields), Http("coze", NETWORK))


def turn(question: str, *, user: str = "alice", seconds: float = 20.0, **more: Any) -> Turn:
    more.setdefault("stop", Stop())
    return Turn(question, user, deadline=time.monotonic() + seconds, **more)


def listen(events: Iterator[Event]) -> CozeAnswer:
    answer = CozeAnswer()
    began = time.monotonic()
    try:
        for event in events:
            answer.events.append(event)
    except (ProviderError, Stopped) as error:
        answer.error = error
    answer.seconds = time.monotonic() - began
    return answer


def ask(coze: Coze, question: str, **more: Any) -> CozeAnswer:
    return listen(coze.stream(turn(question, **more)))


def requests_of(journal: dict[str, Any], chat: str | None, path: str = "") -> list[dict[str, Any]]:
    """The logged requests about one chat, in their order."""
    return [
        entry
        for entry in journal["requests"]
        if entry["ids"].get("chat_id") == chat and entry["path"].endswith(path)
    ]
