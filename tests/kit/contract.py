"""The questions of the contract of all providers, and a way to ask them."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from chat.agents import demo
from chat.answers.partial import PartialAnswer
from chat.settings.model import Settings
from providers import PLATFORMS, error_codes, load
from providers.base import Exchange, Provider
from providers.events import Accepted, Citation, Event, Media, Suggestion, ToolStep
from providers.http import Http, Network
from providers.stop import Stop
from tests.kit.asking import Heard, ask

NETWORK = Network()
WAYS = {"stream": True, "json": False}
WITHIN_S = 30.0
MOST_AT_ONCE = 16


# Questions, by their magic words, that every platform answers.
ANSWERED = [
    *("", "!chop", "!burst", "!crlf", "!space", "!comment", "!crlf !space !comment"),
    *("!pieces 7 5", "!pieces 1", "!slow 0.3", "!pause 0.3", "!markdown", "!huge 2000000"),
    *("!cr", "!heartbeat", "!tight", "!bom !chop", "!heartbeat !tight !crlf !bom"),
    *("!think-text", "!think-text !pieces 40 1", "!think-end"),
    *("!think", "!tool", "!cite", "!image", "!two", "!suggest", "!strange"),
    *("!chop !strange", "!burst !tool !cite", "!think !tool !two", "!two !crlf !burst"),
]
# Failures whose events are looked at here; how every fault ends is asked in tests/faults.
BROKEN = [
    "!tool !late-error",
    "!tool !cut",
    "!think !tool !blocked-late",
    "!tool !short",
    "!empty",
    "!http 500",
    "!redirect",
]


def documented_codes(platform: str) -> dict[str, str]:
    """The platform's own error codes, at once and after some pieces: words to the reason they end
    in.
    """
    reasons = {}
    for code, kind in error_codes(platform).ERRORS.items():
        number = str(code).removeprefix("AIAE.")
        if not number.isdigit():
            continue
        # Yuanqi's status comes first, and `!code` has only one; a busy conversation is waited for.
        if platform != "yuanqi" and kind.reason != "busy":
            reasons[f"!code {number}"] = kind.reason
        reasons[f"!late-code {number}"] = kind.reason
    return reasons


@dataclass
class TimedAnswer(Heard):
    """The events of one answer, how it ended, and after how long."""

    seconds: float = 0.0

    @property
    def ended(self) -> str:
        return "done" if self.error is None else getattr(self.error, "reason", "stopped")

    @property
    def partial(self) -> PartialAnswer:
        """What the site makes of the events."""
        partial = PartialAnswer()
        for event in self.events:
            partial.apply(event)
        return partial

    @property
    def essence(self) -> dict[str, Any]:
        """All that an answer says, however it was cut up on its way."""
        content = self.partial.content
        return {
            "replies": tuple(content.replies),
            "thoughts": content.thoughts,
            "tools": [(step["name"], step["state"], step.get("output")) for step in content.tools],
            "media": self.of(Media),
            "citations": [asdict(one) for one in self.of(Citation)],
            "suggestions": [one.text for one in self.of(Suggestion)],
            "usage": content.usage,
        }


def agent(platform: str, url: str, **options: Any) -> Provider:
    """The demo's agent on a platform of the emulator."""
    module = load(platform)
    accounts = {**demo.accounts(Settings(demo_url=url))[platform], **options}
    provider: Provider = module.PROVIDER(module.Options(**accounts), Http(platform, NETWORK))
    return provider


def ask_timed(
    provider: Provider, question: str, within: float = WITHIN_S, **turn: Any
) -> TimedAnswer:
    """Asks, listens to the end, and measures the time."""
    began = time.monotonic()
    heard = ask(provider, question, within, **turn)
    return TimedAnswer(heard.events, heard.error, time.monotonic() - began)


# By platform, way and words.
Answers = dict[tuple[str, str, str], TimedAnswer]


def ask_all(url: str, questions: Mapping[str, list[str]]) -> Answers:
    """Asks each platform its questions in both ways, many at once: most of the time is waiting."""
    answers: Answers = {}
    with ThreadPoolExecutor(len(questions)) as pool:
        for part in pool.map(lambda name: _ask_platform(url, name, questions[name]), questions):
            answers.update(part)
    return answers


def _ask_platform(url: str, platform: str, questions: list[str]) -> Answers:
    provider = agent(platform, url)

    def ask_one(case: tuple[str, str]) -> tuple[tuple[str, str, str], TimedAnswer]:
        words, way = case
        # Some characters of several bytes, so that cuts go through them; the way, for what
        # happens once.
        question = f"{words} 今天好 {way}".strip()
        return (platform, way, words), ask_timed(provider, question, streaming=WAYS[way])

    # What is hung up on is still counted there for a moment: hence fewer than the platform allows.
    at_once = min(PLATFORMS[platform].limits.concurrency * 2 // 3 or MOST_AT_ONCE, MOST_AT_ONCE)
    with ThreadPoolExecutor(at_once) as pool:
        return dict(pool.map(ask_one, [(words, way) for words in questions for way in WAYS]))


@dataclass
class Visitor:
    """A visitor who asks an agent several questions in one conversation."""

    provider: Provider
    streaming: bool
    user: str
    conversation: str | None = None
    history: tuple[Exchange, ...] = ()

    def ask(self, question: str, stop: Stop | None = None) -> TimedAnswer:
        heard = ask_timed(
            self.provider,
            question,
            user=self.user,
            stop=stop,
            streaming=self.streaming,
            conversation=self.conversation,
            history=self.history,
        )
        self.conversation = heard.conversation or self.conversation
        self.history += (Exchange(question, "\n\n".join(heard.partial.replies)),)
        return heard


def unfinished(events: list[Event]) -> set[str]:
    """The tool steps without an end."""
    states = {event.id: event.state for event in events if isinstance(event, ToolStep)}
    return {key for key, state in states.items() if state == "running"}


def accepted(events: list[Event]) -> list[Accepted]:
    return [event for event in events if isinstance(event, Accepted)]


def platforms_and_ways() -> list[tuple[str, str]]:
    return [(platform, way) for platform in PLATFORMS for way in WAYS]
