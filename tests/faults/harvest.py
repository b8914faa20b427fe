"""Every fault asked of the running site, once: by stream, as JSON and by form.

One harvest serves three readers: what each question has to end in (test_outcomes.py), the tables of
docs/reliability.md (report.py), and the search for secrets that leaked (test_canary.py).
"""

import html
import json
import re
import sqlite3
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator import EmulatorSettings, create_emulator
from emulator.serving import serve
from providers import PLATFORMS
from tests.faults.table import CELLS, Cell
from tests.kit.canary import ALIASES, Output, granted_tokens, platform_settings, site_secrets
from tests.kit.emulator import NO_DAILY_LIMIT
from tests.kit.patience import ALLOWANCE
from tests.kit.site import ServerEvent, Site, Visitor, read_events

ANSWER_S = 20.0 * ALLOWANCE
SHORT_S = 2.0 * ALLOWANCE
# What a busy machine may add to a deadline.
LATE_S = 5.0 * ALLOWANCE
END_S = 30.0 * ALLOWANCE
# The patience of each site; every site has an emulator of its own. On "alone" tokens are refused,
# on "paused" an account is left alone after each "too many requests": these two are asked one
# question after another.
PATIENCE_S = {"usual": ANSWER_S, "short": SHORT_S, "alone": ANSWER_S, "paused": ANSWER_S}
# The emulated Yuanqi takes ten questions at once.
AT_ONCE = {"usual": 8, "short": 8, "alone": 1, "paused": 1}
HTML = {"Accept": "text/html"}


@dataclass
class Outcome:
    """What one visitor got of one fault in one way, and what the database holds of it.

    `status` is the response's own; `code` is None when the answer came; `retry_after` is in
    seconds. `ends` are the first and last events of a stream, or the states of the page's
    exchanges. `tools` are the last states of the tool steps of a stream. `rows` are the stored
    answers."""

    question: str
    status: int = 0
    code: str | None = None
    retry_after: float | None = None
    seconds: float = 0.0
    text: str = ""
    sentence: str = ""
    ends: list[str] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The outcome as the table writes it."""
        return self.code or "done"


@dataclass
class Harvest:
    """The outcome of every cell, and all that came out of the sites meanwhile.

    `granted` are the tokens that the platforms handed out, `cookies` those of the visitors,
    `violations` the rules of the platforms that were broken.
    """

    outcomes: dict[Cell, Outcome] = field(default_factory=dict)
    output: Output = field(default_factory=Output)
    granted: list[str] = field(default_factory=list)
    cookies: set[str] = field(default_factory=set)
    violations: list[dict[str, Any]] = field(default_factory=list)


def ask_everything(folder: Path) -> Harvest:
    """Asks all cells. The sites keep their files below `folder`."""
    harvest = Harvest()
    with ExitStack() as stack, ThreadPoolExecutor(len(PATIENCE_S) * len(PLATFORMS)) as pool:
        jobs: list[Future[None]] = []
        for name in PATIENCE_S:
            site = _start_site(stack, folder / name, name, harvest)
            for platform in PLATFORMS:
                jobs.append(pool.submit(_ask_agent, site, name, platform, harvest))
        for job in jobs:
            job.result()
    return harvest


def _start_site(stack: ExitStack, folder: Path, name: str, harvest: Harvest) -> Site:
    """A site with all platforms, every secret of which is a canary; its end is the stack's."""
    switches = {"pace_s": 0, "coze_work_s": 0.3, "coze_qps": 0, "aliases": ALIASES}
    unlimited = {**NO_DAILY_LIMIT, "qingyan_concurrency": 0}
    app = create_emulator(EmulatorSettings(**switches, **unlimited))
    url = stack.enter_context(serve(app))
    folder.mkdir()
    own = {"CHAT_TIMEOUT_S": PATIENCE_S[name], "GRACE_S": 1, "LOG_LEVEL": "debug"}
    site = Site(folder, {**site_secrets(), **platform_settings(url), **own})

    def close() -> None:
        site.end()
        harvest.output.add_folder(folder)
        harvest.output.add(f"log of {name}", site.log)
        harvest.granted += granted_tokens(app)
        request_log = app.extensions["emulator"].request_log
        harvest.violations += request_log.as_json()["violations"]

    stack.callback(close)
    return site.start()


def _ask_agent(site: Site, name: str, platform: str, harvest: Harvest) -> None:
    """All that is asked of one agent of one site."""
    cells = [cell for cell in CELLS if cell.fault.at == name and cell.platform == platform]

    def ask(cell: Cell) -> None:
        harvest.outcomes[cell] = _ask(site, cell, harvest)
        if name == "paused":
            # The pause is over in a moment; an answer that comes makes the next pause short.
            assert Visitor(site.url).ask("!pieces 1 0", agent=platform).ok

    with ThreadPoolExecutor(AT_ONCE[name]) as pool:
        list(pool.map(ask, cells))


def _ask(site: Site, cell: Cell, harvest: Harvest) -> Outcome:
    """Asks as a new visitor, and looks at everything there is to see afterwards."""
    visitor = Visitor(site.url)
    visitor.session.headers["Accept-Language"] = "en"
    # Some characters of several bytes, so that cuts go through them; the way, for what happens
    # once.
    outcome = Outcome(f"{cell.fault.word.strip()} 今天好 {cell.platform} {cell.way}")
    began = time.monotonic()
    if cell.way == "stream":
        _ask_stream(visitor, cell, outcome, harvest.output)
    elif cell.way == "json":
        _ask_json(visitor, cell, outcome, harvest.output)
    else:
        page = _ask_form(visitor, cell, outcome, harvest.output)
    outcome.seconds = time.monotonic() - began
    outcome.rows = _wait_for_rows(site, outcome.question)
    if cell.way == "form":
        _read_page(visitor, page, outcome, harvest.output)
    harvest.cookies.add(visitor.session.cookies["visitor"])
    return outcome


def _ask_stream(visitor: Visitor, cell: Cell, outcome: Outcome, output: Output) -> None:
    body = {"message": outcome.question, "agent": cell.platform, "stream": True}
    response = output.add_response(visitor.post(json=body))
    events = list(read_events(response))
    outcome.status = response.status_code
    outcome.text = _final_text(events)
    outcome.ends = [event.name for event in events if event.name in ("turn", "done", "error")]
    states = {event.data["id"]: event.data["state"] for event in events if event.name == "tool"}
    outcome.tools = list(states.values())
    _read_problem(events[-1].data, outcome)


def _final_text(events: list[ServerEvent]) -> str:
    """The text in front of a visitor in the end: what was added, and what took its place."""
    replies: dict[int, str] = {}
    for event in events:
        number = event.data.get("reply", 0)
        if event.name == "delta":
            replies[number] = replies.get(number, "") + event.data["text"]
        elif event.name == "replace":
            replies[number] = event.data["text"]
    return "".join(replies.values())


def _ask_json(visitor: Visitor, cell: Cell, outcome: Outcome, output: Output) -> None:
    response = output.add_response(visitor.ask(outcome.question, agent=cell.platform))
    payload = response.json()
    outcome.status = response.status_code
    outcome.text = "".join(payload.get("replies", []))
    _read_problem(payload, outcome)
    header = response.headers.get("Retry-After")
    assert (header is None) == (outcome.retry_after is None), "the header and the body agree"
    assert header is None or int(header) == max(1, round(outcome.retry_after or 0))


def _read_problem(payload: dict[str, Any], outcome: Outcome) -> None:
    outcome.code = payload.get("code")
    outcome.retry_after = payload.get("retry_after")
    outcome.sentence = payload.get("error", "")
    assert outcome.code is None or set(payload) <= {"error", "code", "retry_after", "id"}


def _ask_form(visitor: Visitor, cell: Cell, outcome: Outcome, output: Output) -> str:
    """Returns the address of the page that shows the answer."""
    form = {"message": outcome.question, "agent": cell.platform}
    response = visitor.post(data=form, headers=HTML, allow_redirects=False)
    outcome.status = output.add_response(response).status_code
    return response.headers.get("Location", "")


def _read_page(visitor: Visitor, address: str, outcome: Outcome, output: Output) -> None:
    """The page behind the redirect: its one exchange, and the sentence that it shows."""
    page = output.add_response(visitor.get(address, headers=HTML)).text
    outcome.ends = re.findall(r'<li id="m-[^>]*data-state="(\w+)"', page)
    problem = re.search(r'<p class="problem if-failed[^>]*>(.*?)</p>', page, re.DOTALL)
    outcome.sentence = html.unescape(problem[1]) if problem else ""
    outcome.code = outcome.rows[0]["code"] if len(outcome.rows) == 1 else "not stored once"
    words = re.search(r'<div class="prose">(.*?)</div>\s*<(?:ul|template)', page, re.DOTALL)
    outcome.text = html.unescape(re.sub(r"<[^>]*>", "", words[1])) if words else ""


def _wait_for_rows(site: Site, question: str) -> list[dict[str, Any]]:
    """What the database holds of a question. A form may come back before the end, which is waited
    for.
    """
    until = time.monotonic() + END_S
    while True:
        rows = _select_rows(site.folder / "instance" / "chat.db", question)
        if all(row["state"] != "running" for row in rows) or time.monotonic() > until:
            return rows
        time.sleep(0.1)


def _select_rows(database: Path, question: str) -> list[dict[str, Any]]:
    columns = ("state", "code", "replies", "ended_at")
    query = f"SELECT {', '.join(columns)} FROM answers WHERE question = ?"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=20)) as connection:
        tuples = connection.execute(query, (question,)).fetchall()
    rows = [dict(zip(columns, values, strict=True)) for values in tuples]
    return [{**row, "replies": json.loads(row["replies"])} for row in rows]
