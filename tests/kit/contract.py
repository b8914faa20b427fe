"""What the contract asks of every platform: the questions, how each has to end, and what came of
them.
"""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from chat.agents import demo
from chat.answers.partial import PartialAnswer
from chat.settings.model import Settings
from providers import PLATFORMS, load
from providers.base import Exchange, Provider
from providers.events import Accepted, Citation, Event, Media, Suggestion, ToolStep
from providers.http import Http, Network
from providers.stop import Stop
from tests.kit.asking import Heard, ask
from tests.kit.company import COMPANY

NETWORK = Network()
WAYS = {"stream": True, "json": False}
WITHIN_S = 30.0
SHORT_S = 1.5 * COMPANY
MOST_AT_ONCE = 16


@dataclass(frozen=True)
class Scenario:
    """A question by its magic words, how it ends, and on which platforms it has to end otherwise.

    `ends` is "done" or the reason of a failure (providers/errors.py).
    """

    words: str
    ends: str = "done"
    but: Mapping[str, str] = field(default_factory=dict)
    within: float = WITHIN_S

    def outcome(self, platform: str) -> str:
        return self.but.get(platform, self.ends)


ANSWERED = [
    *map(Scenario, ("", "!chop", "!burst", "!crlf", "!space", "!comment", "!crlf !space !comment")),
    *map(
        Scenario,
        ("!pieces 7 5", "!pieces 1", "!slow 0.3", "!pause 0.3", "!markdown", "!huge 2000000"),
    ),
    *map(Scenario, ("!think", "!tool", "!cite", "!image", "!two", "!suggest", "!strange")),
    *map(
        Scenario, ("!chop !strange", "!burst !tool !cite", "!think !tool !two", "!two !crlf !burst")
    ),
]
RECORDED = {"coze": "done"}  # what was lost of a stream is read from the platform's own record
ENDLESS = {"huawei": "done"}  # no end marker: an answer that is cut properly is an answer
FAILED = [
    Scenario("!empty", "empty"),
    Scenario("!silent", "timeout", within=SHORT_S),
    Scenario("!endless", "timeout", within=SHORT_S),
    Scenario("!slow 20", "timeout", within=SHORT_S),
    Scenario("!pause 20", "timeout", within=SHORT_S),
    Scenario("!cut", "unavailable", RECORDED),
    Scenario("!cut !chop", "unavailable", RECORDED),
    Scenario("!short", "unavailable", {**RECORDED, **ENDLESS}),
    Scenario("!late-error", "unavailable"),
    Scenario("!late-error !burst", "unavailable"),
    Scenario("!blocked", "blocked"),
    Scenario("!blocked-late", "blocked"),
    Scenario("!busy", "rate_limited"),
    Scenario(
        "!quota", "quota_exhausted", {"huawei": "rate_limited"}
    ),  # it has no code of its own for it
    Scenario("!unpublished", "misconfigured"),
    Scenario("!unknown", "misconfigured"),
    Scenario("!http 400", "unexpected", {"coze": "bad_input"}),  # comes with 4000 there
    Scenario("!http 403", "misconfigured"),
    Scenario("!http 404", "misconfigured"),
    Scenario("!http 429", "rate_limited"),
    *(Scenario(f"!http {status}", "unavailable") for status in (408, 500, 502, 503, 504)),
    *(Scenario(f"!html {status}", "unavailable") for status in (500, 502, 503, 504)),
    Scenario("!html 200", "unexpected"),
    Scenario("!html 404", "misconfigured"),
    Scenario("!nothing 200", "unavailable", {"huawei": "empty"}),  # the same as its !empty
    Scenario("!nothing 403", "misconfigured"),
    Scenario("!nothing 429", "rate_limited"),
    Scenario("!nothing 500", "unavailable"),
    Scenario("!garbage", "unavailable"),
    Scenario("!json-error", "unavailable", {"coze": "bad_input"}),  # 4000 there
    Scenario("!redirect", "unexpected"),
]
SCENARIOS = [*ANSWERED, *FAILED]
# These make a platform refuse a token for everybody who shares it: asked one after another,
# elsewhere.
TOKENS = [
    Scenario("!unauthorized", "misconfigured"),
    Scenario("!http 401", "misconfigured"),
    # Qingyan's and only Qingyan's token can be bought anew; Wenxin has none.
    Scenario("!expired", "misconfigured", {"qingyan": "done", "wenxin": "done"}),
]


def codes(platform: str) -> list[Scenario]:
    """The platform's own documented codes, at once and after some pieces, as its module sorts
    them.
    """
    found = []
    for code, kind in load(platform).ERRORS.items():
        number = str(code).removeprefix("AIAE.")
        if not number.isdigit():
            continue
        # Yuanqi's status comes first, and `!code` has only one; a busy conversation is waited for.
        if platform != "yuanqi" and kind.reason != "busy":
            found.append(Scenario(f"!code {number}", kind.reason))
        found.append(Scenario(f"!late-code {number}", kind.reason))
    return found


@dataclass
class Told(Heard):
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
    given = {**demo.accounts(Settings(demo_url=url))[platform], **options}
    made: Provider = module.PROVIDER(module.Options(**given), Http(platform, NETWORK))
    return made


def told(provider: Provider, question: str, within: float = WITHIN_S, **turn: Any) -> Told:
    """Asks, listens to the end, and looks at the clock."""
    began = time.monotonic()
    heard = ask(provider, question, within, **turn)
    return Told(heard.events, heard.error, time.monotonic() - began)


Asked = dict[tuple[str, str, str], Told]


def ask_all(url: str, scenarios: Mapping[str, list[Scenario]]) -> Asked:
    """Asks each platform its questions in both ways, many at once: most of the time is waiting."""
    found: Asked = {}
    with ThreadPoolExecutor(len(scenarios)) as pool:
        for answers in pool.map(
            lambda platform: _ask_one(url, platform, scenarios[platform]), scenarios
        ):
            found.update(answers)
    return found


def _ask_one(url: str, platform: str, scenarios: list[Scenario]) -> Asked:
    provider = agent(platform, url)

    def one_of(which: tuple[Scenario, str]) -> tuple[tuple[str, str, str], Told]:
        scenario, way = which
        # A few characters of several bytes, so that cuts go through them; the way, for what
        # happens once.
        question = f"{scenario.words} 今天好 {way}".strip()
        heard = told(provider, question, scenario.within, streaming=WAYS[way])
        return (platform, way, scenario.words), heard

    # What is hung up on is still counted there for a moment: hence fewer than the platform allows.
    at_once = min(PLATFORMS[platform].limits.concurrency * 2 // 3 or MOST_AT_ONCE, MOST_AT_ONCE)
    with ThreadPoolExecutor(at_once) as pool:
        return dict(pool.map(one_of, [(one, way) for one in scenarios for way in WAYS]))


@dataclass
class Visitor:
    """Somebody who talks with an agent for longer than one question, as the site would have it."""

    provider: Provider
    streaming: bool
    user: str
    conversation: str | None = None
    history: tuple[Exchange, ...] = ()

    def ask(self, question: str, stop: Stop | None = None) -> Told:
        heard = told(
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
    """The tool steps that were never said to have ended."""
    states = {event.id: event.state for event in events if isinstance(event, ToolStep)}
    return {key for key, state in states.items() if state == "running"}


def accepted(events: list[Event]) -> list[Accepted]:
    return [event for event in events if isinstance(event, Accepted)]


def platforms_and_ways() -> list[tuple[str, str]]:
    return [(platform, way) for platform in PLATFORMS for way in WAYS]
