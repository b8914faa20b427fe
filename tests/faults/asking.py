"""Every fault asked of the real site, on each platform, by stream, as JSON and by form; what came of it."""

import html
import json
import re
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from chat.agents import demo
from providers import PLATFORMS
from tests.faults.table import FAULTS, Fault
from tests.kit.company import COMPANY
from tests.kit.site import Site, Told, Visitor

WAYS = ("stream", "json", "form")
ANSWERED_S = 20.0 * COMPANY
SHORT_S = 2.0 * COMPANY
LATE_S = 5.0 * COMPANY  # what a busy machine may add
HELD_S = 30.0 * COMPANY
# The sites, each with an emulator of its own: one as it is usually; one of little patience; one where tokens
# are refused; one that leaves an account alone after each "too many requests". The last two are asked one
# question after another.
PATIENCE_S = {"usual": ANSWERED_S, "short": SHORT_S, "alone": ANSWERED_S, "held": HELD_S}
# No more than a platform takes, so that nobody's time is over while he waits in line.
AT_ONCE = {"coze": 10, "qingyan": 2, "wenxin": 5, "yuanqi": 6, "huawei": 5}
Key = tuple[str, str, str]


@dataclass
class Seen:
    """What one visitor saw of one fault in one way, and what the database holds of it.

    `status` is the response's own; `code` None when the answer came. `waits` is when to ask again.
    """

    question: str
    status: int = 0
    code: str | None = None
    waits: float | None = None
    seconds: float = 0.0
    said: str = ""
    sentence: str = ""
    ends: list[str] = field(default_factory=list)
    page: str = ""
    stored: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ended(self) -> str:
        """The outcome as the table writes it."""
        return self.code or "done"


def look_at_all() -> dict[Key, Seen]:
    """All cells, by word, platform and way."""
    with ExitStack() as stack, ThreadPoolExecutor(len(PATIENCE_S) * len(PLATFORMS)) as pool:
        folder = Path(stack.enter_context(_scratch()))
        waiting: list[Future[dict[Key, Seen]]] = []
        for name, patience_s in PATIENCE_S.items():
            site = stack.enter_context(_site(folder / name, patience_s))
            waiting += [pool.submit(_look, site, name, platform) for platform in PLATFORMS]
        return {key: seen for one in waiting for key, seen in one.result().items()}


@contextmanager
def _scratch() -> Iterator[str]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield folder


@contextmanager
def _site(folder: Path, patience_s: float) -> Iterator[Site]:
    """The demo's five agents, on an emulator in a process of its own."""
    url, process = demo.start()
    folder.mkdir()
    site = Site(
        folder, {"DEMO_URL": url, "CHAT_TIMEOUT_S": patience_s, "VISITOR_RATE": 0, "GRACE_S": 1}
    )
    try:
        switches = {
            "pace_s": 0,
            "coze_work_s": 0.3,
            "coze_qps": 0,
            "qingyan_daily": 0,
            "wenxin_daily": 0,
        }
        requests.post(f"{url}/_emulator/settings", json=switches, timeout=20).raise_for_status()
        yield site.start()
    finally:
        site.end()
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def _look(site: Site, name: str, platform: str) -> dict[Key, Seen]:
    """All that is asked of one agent of one site."""
    cells = [
        (fault, way)
        for fault in FAULTS
        if fault.at == name and platform in fault.on
        for way in WAYS
    ]
    if not cells:
        return {}

    def one(cell: tuple[Fault, str]) -> Seen:
        seen = look(site, platform, *cell)
        if (
            name == "held"
        ):  # the pause is over in a moment; an answer that comes makes the next one short
            assert Visitor(site.url).ask("!pieces 1 0", agent=platform).ok
        return seen

    with ThreadPoolExecutor(1 if name in ("alone", "held") else AT_ONCE[platform]) as pool:
        seen = pool.map(one, cells)
        return {
            (fault.word, platform, way): one for (fault, way), one in zip(cells, seen, strict=True)
        }


def look(site: Site, platform: str, fault: Fault, way: str) -> Seen:
    """Asks as a new visitor and looks at everything there is to see afterwards."""
    # A few characters of several bytes, so that cuts go through them; the way, for what happens once.
    visitor, seen = Visitor(site.url), Seen(f"{fault.word.strip()} 今天好 {platform} {way}")
    visitor.session.headers["Accept-Language"] = "en"
    began = time.monotonic()
    {"stream": _stream, "json": _json, "form": _form}[way](visitor, platform, seen)
    seen.seconds = time.monotonic() - began
    seen.stored = _stored(site, seen.question)
    if way == "form":
        _read_page(visitor, seen)
    return seen


def _stream(visitor: Visitor, platform: str, seen: Seen) -> None:
    told = list(visitor.hear(seen.question, agent=platform))
    seen.status, seen.said = 200, _as_heard(told)
    seen.ends = [one.name for one in told if one.name in ("turn", "done", "error")]
    _read_problem(told[-1].data, seen)


def _as_heard(told: list[Told]) -> str:
    """The text in front of a visitor in the end: what was added, and what took its place."""
    replies: dict[int, str] = {}
    for one in told:
        number = one.data.get("reply", 0)
        if one.name == "delta":
            replies[number] = replies.get(number, "") + one.data["text"]
        elif one.name == "replace":
            replies[number] = one.data["text"]
    return "".join(replies.values())


def _json(visitor: Visitor, platform: str, seen: Seen) -> None:
    response = visitor.ask(seen.question, agent=platform)
    seen.status, told = response.status_code, response.json()
    _read_problem(told, seen)
    header = response.headers.get("Retry-After")
    assert (header is None) == (seen.waits is None), "the header and the body say the same"
    assert header is None or int(header) == max(1, round(seen.waits or 0))
    seen.said = "".join(told.get("replies", []))


def _read_problem(told: dict[str, Any], seen: Seen) -> None:
    seen.code, seen.waits = told.get("code"), told.get("retry_after")
    seen.sentence = told.get("error", "")
    assert seen.code is None or set(told) <= {"error", "code", "retry_after", "id"}


def _form(visitor: Visitor, platform: str, seen: Seen) -> None:
    form = {"message": seen.question, "agent": platform}
    response = visitor.post(data=form, headers={"Accept": "text/html"}, allow_redirects=False)
    seen.status = response.status_code
    seen.page = response.headers.get("Location", "")


def _read_page(visitor: Visitor, seen: Seen) -> None:
    """The page behind the redirect: its one exchange, and the sentence that it shows."""
    page = visitor.get(seen.page, headers={"Accept": "text/html"}).text
    found = re.findall(r'<li id="m-[^>]*data-state="(\w+)"', page)
    seen.ends = found
    problem = re.search(r'<p class="problem if-failed[^>]*>(.*?)</p>', page, re.DOTALL)
    seen.sentence = html.unescape(problem[1]) if problem else ""
    seen.code = seen.stored[0]["code"] if len(seen.stored) == 1 else "not stored once"
    words = re.search(r'<div class="words">(.*?)</div>\s*<ul', page, re.DOTALL)
    seen.said = html.unescape(re.sub(r"<[^>]*>", "", words[1])) if words else ""


def _stored(site: Site, question: str) -> list[dict[str, Any]]:
    """What the database holds of a question. A form may have come back before the end: it is waited for."""
    until = time.monotonic() + HELD_S
    while True:
        found = _rows(site.folder / "instance" / "chat.db", question)
        if all(one["state"] != "running" for one in found) or time.monotonic() > until:
            return found
        time.sleep(0.1)


def _rows(database: Path, question: str) -> list[dict[str, Any]]:
    columns = "state", "code", "replies", "ended_at"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=20)) as db:
        found: Iterable[tuple[Any, ...]] = db.execute(
            f"SELECT {', '.join(columns)} FROM answers WHERE question = ?", (question,)
        ).fetchall()
    rows = [dict(zip(columns, one, strict=True)) for one in found]
    return [{**row, "replies": json.loads(row["replies"])} for row in rows]
