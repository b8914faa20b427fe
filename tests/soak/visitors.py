"""The crowd: each visitor acts by chance as people do, and remembers what was promised."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import requests

from chat.web.errors import STATUS
from providers import PLATFORMS
from tests.faults.table import FAULTS, Cell
from tests.kit.site import ServerEvent, Visitor, read_events

# By these come two of twenty visitors. The hash of a code takes a good part of a second.
CODES = {"ann": "a-code-of-ann", "ben": "a-code-of-ben"}
# An answer without an end by then is lost.
PATIENCE_S = 60.0
HTML = {"Accept": "text/html", "Accept-Language": "en"}
USUAL = (
    "",
    "",
    "!pieces 8 60",
    "!pieces 20 40",
    "!pieces 40 60",
    "!markdown",
    "!think !tool",
    "!two",
    "!cite",
    "!image",
    "!huge 20000",
    "!chop",
    "!slow 0.5",
    "!pause 1",
    "!strange",
)
_GONE = requests.RequestException, ConnectionError
_numbers = count(1)


@dataclass
class Promise:
    """A question that was asked, and what its visitor knows of it.

    `message` once it is known: from then on the question must not be lost. `end` is "done" or the
    code, once it was told; `is_whole` says that `texts` is then all there is."""

    question: str
    platform: str
    way: str
    visitor: Visitor
    message: str | None = None
    conversation: str | None = None
    end: str | None = None
    is_whole: bool = True
    was_refused: bool = False
    position: int = 0
    texts: dict[int, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "".join(self.texts[number] for number in sorted(self.texts))

    def apply(self, event: ServerEvent) -> None:
        """Applies one event as a page would."""
        self.position = max(self.position, event.id)
        reply = event.data.get("reply", 0)
        if event.name == "turn":
            self.message = event.data["message_id"]
            self.conversation = event.data["conversation_id"]
        elif event.name == "delta":
            self.texts[reply] = self.texts.get(reply, "") + event.data["text"]
        elif event.name == "replace":
            self.texts[reply] = event.data["text"]
        elif event.name in ("done", "error"):
            self.end = event.data.get("code", "done")


@dataclass
class Ledger:
    """Everything that was promised to anybody, and everything that nobody should have seen."""

    promises: list[Promise] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    broken_connections: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, promise: Promise) -> Promise:
        with self._lock:
            self.promises.append(promise)
        return promise

    def count(self, action: str) -> None:
        with self._lock:
            self.counts[action] = self.counts.get(action, 0) + 1

    def lost_connection(self) -> None:
        with self._lock:
            self.broken_connections += 1

    def surprise(self, text: str) -> None:
        with self._lock:
            self.surprises.append(text[:400])


class Person(threading.Thread):
    """One of the crowd; the same seed and number make the same choices."""

    def __init__(
        self, url: str, seed: int, number: int, ledger: Ledger, over: threading.Event
    ) -> None:
        super().__init__(name=f"visitor {number}", daemon=True)
        self._chance = random.Random(f"{seed} {number}")
        self._visitor = Visitor(url)
        self._code = dict(enumerate(CODES.values())).get(number % 20)
        self._visitor.session.headers["Accept-Language"] = "en"
        self._ledger, self._over = ledger, over
        self._last: Promise | None = None

    def run(self) -> None:
        actions = {
            self._listen: 40,
            self._hang_up_and_read_on: 25,
            self._hang_up: 8,
            self._stop_it: 10,
            self._whole: 12,
            self._form: 6,
            self._again: 6,
            self._live_page: 8,
            self._search: 5,
            self._reload: 8,
        }
        while not self._over.wait(self._chance.uniform(0.05, 2.0)):
            action = self._chance.choices(list(actions), list(actions.values()))[0]
            self._ledger.count(action.__name__.strip("_"))
            try:
                if self._has_entered():
                    action()
            except _GONE:
                self._ledger.lost_connection()
                self._over.wait(self._chance.uniform(0.5, 2.0))
            except Exception as error:
                self._ledger.surprise(f"{action.__name__}: {type(error).__name__}: {error}")
        self._visitor.session.close()

    def _has_entered(self) -> bool:
        """Signs in before the first question, when the site has time for the hash."""
        if self._code and self._visitor.post("/sign-in", data={"code": self._code}).ok:
            self._code = None
        return self._code is None

    # what a visitor does

    def _listen(self) -> None:
        self._read_to_the_end(self._ask("stream"))

    def _hang_up_and_read_on(self) -> None:
        promise = self._ask("stream", most_events=self._chance.randint(1, 12))
        self._over.wait(self._chance.uniform(0, 1.5))
        self._read_to_the_end(promise)

    def _hang_up(self) -> None:
        self._ask("stream", most_events=self._chance.randint(1, 8))
        self._visitor.conversation = None

    def _stop_it(self) -> None:
        promise = self._ask("stream", most_events=self._chance.randint(1, 6))
        if promise.message:
            response = self._visitor.post(
                f"/chat/{promise.message}/stop", headers={"Accept": "application/json"}
            )
            self._expect(response, 202)
        self._read_to_the_end(promise)

    def _again(self) -> None:
        """Asks another question in the place of the last one."""
        last = self._last
        if last is not None and last.message and last.conversation == self._visitor.conversation:
            self._read_to_the_end(self._ask("stream", instead=last.message))

    def _live_page(self) -> None:
        """Reads as the page does, which is given HTML besides the text."""
        self._read_to_the_end(self._ask("stream", query="?html=live"))

    def _whole(self) -> None:
        promise = self._promise("json")
        response = self._visitor.post(json=self._body(promise))
        payload = response.json()
        if response.ok:
            promise.message = payload["message_id"]
            promise.conversation = payload["conversation_id"]
            promise.end, promise.texts = "done", dict(enumerate(payload["replies"]))
            self._visitor.conversation, self._last = promise.conversation, promise
        else:
            self._note_refusal(promise, response)

    def _form(self) -> None:
        promise = self._promise("form")
        form = {"message": promise.question, "agent": promise.platform}
        response = self._visitor.post(data=form, headers=HTML, allow_redirects=False)
        if response.status_code == 303:
            promise.conversation = response.headers["Location"].rpartition("/")[2]
            self._expect(self._visitor.get(f"/c/{promise.conversation}", headers=HTML), 200)
        elif response.status_code == 502 and "is restarting" in response.text:
            promise.was_refused = True
        else:
            self._ledger.surprise(f"a form got {response.status_code}: {response.text[:200]}")

    def _search(self) -> None:
        word = self._chance.choice(["今天", "soak", "个问题", "nowhere"])
        self._expect(self._visitor.get("/search", params={"q": word}, headers=HTML), 200)
        self._expect(self._visitor.get("/conversations", headers=HTML), 200)

    def _reload(self) -> None:
        path = f"/c/{self._visitor.conversation}" if self._visitor.conversation else "/"
        self._expect(self._visitor.get(path, headers=HTML), 200)

    # how it is done

    def _promise(self, way: str) -> Promise:
        fault = self._chance.choice([fault for fault in FAULTS if fault.at in ("usual", "short")])
        rare = self._chance.choice([fault for fault in FAULTS if fault.at in ("alone", "paused")])
        words = self._chance.choices(
            [self._chance.choice(USUAL), fault.word.strip(), rare.word.strip()], [70, 28, 2]
        )[0]
        if self._chance.random() < 0.3:
            self._visitor.conversation = None
        platform = self._chance.choice(list(PLATFORMS))
        if self._visitor.conversation and self._last is not None and way != "form":
            platform = self._last.platform
        question = f"soak {next(_numbers)}: {words} 今天好".replace(":  ", ": ")
        return self._ledger.add(Promise(question, platform, way, self._visitor))

    def _body(self, promise: Promise, **more: object) -> dict[str, object]:
        body = {"message": promise.question, "agent": promise.platform, **more}
        if self._visitor.conversation:
            return {**body, "conversation_id": self._visitor.conversation}
        body.pop("instead", None)  # a new conversation has no place for it
        return body

    def _ask(self, way: str, most_events: int = 0, query: str = "", **more: object) -> Promise:
        """Asks for a stream and hears all of it, or so many events."""
        promise = self._promise(way)
        body = self._body(promise, stream=True, **more)
        with (
            self._connection(promise),
            self._visitor.post(f"/chat{query}", json=body, stream=True) as response,
        ):
            if not response.ok:
                self._note_refusal(promise, response)
                return promise
            self._hear(promise, response, most_events)
        if promise.message:
            self._visitor.conversation, self._last = promise.conversation, promise
        return promise

    @contextmanager
    def _connection(self, promise: Promise) -> Iterator[None]:
        """A connection that breaks is not the end of what was promised."""
        try:
            yield
        except _GONE:
            self._ledger.lost_connection()
            if not promise.message:
                promise.is_whole = False

    def _hear(self, promise: Promise, response: requests.Response, most_events: int = 0) -> None:
        for number, event in enumerate(read_events(response), 1):
            promise.apply(event)
            if promise.end or number == most_events:
                return

    def _read_to_the_end(self, promise: Promise) -> None:
        """Follows an answer from where it broke off, as often as it takes."""
        until = time.monotonic() + PATIENCE_S
        while promise.message and not promise.end:
            if time.monotonic() > until:
                self._ledger.surprise(f"no end of {promise.message}: {promise.question}")
                return
            headers = {"Last-Event-ID": str(promise.position)}
            address = f"/chat/{promise.message}/events"
            with (
                self._connection(promise),
                self._visitor.get(address, headers=headers, stream=True) as response,
            ):
                if response.status_code != 200:
                    self._ledger.surprise(
                        f"following got {response.status_code}: {response.text[:200]}"
                    )
                    return
                self._hear(promise, response)
            time.sleep(0.2)

    def _note_refusal(self, promise: Promise, response: requests.Response) -> None:
        """A failure in one piece: before the question was taken or after, which only the database
        knows.
        """
        payload: dict[str, Any] = response.json()
        promise.was_refused, promise.is_whole = True, False
        if STATUS.get(payload.get("code", "")) != response.status_code or not payload.get("error"):
            self._ledger.surprise(f"{promise.question}: {response.status_code} {payload}")
        if payload.get("code") in ("bad_input", "not_found") and "bad_input" not in _may_end(
            promise
        ):
            self._ledger.surprise(f"{promise.question}: {payload}")

    def _expect(self, response: requests.Response, status: int) -> None:
        if response.status_code != status:
            self._ledger.surprise(
                f"{response.request.method} {response.request.path_url}: {response.status_code}"
            )


def _may_end(promise: Promise) -> set[str]:
    """The codes that the table knows for the fault in a question."""
    words = promise.question.partition(": ")[2].removesuffix(" 今天好").strip()
    return {
        Cell(fault, promise.platform, promise.way).code
        for fault in FAULTS
        if fault.word.strip() == words and promise.platform in fault.on
    }
