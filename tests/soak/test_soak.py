"""The soak in short: a crowd, faults, kills; the long one is `make soak`."""

import os
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from chat import storage
from chat.china import CHINA
from chat.settings.model import Settings
from tests.kit.site import ROOT, ServerEvent, Visitor, environment
from tests.soak.counting import broken, faults_in_the_log, wrong_numbers, wrong_today
from tests.soak.visitors import Promise
from tests.storage.acting import ask, end


@pytest.mark.parametrize(("processes", "seconds"), [("1", "8"), ("2", "5")])
def test_seconds_of_a_crowd_and_kills_lose_nothing_and_are_counted_right(
    processes: str, seconds: str
) -> None:
    # As many other tests beside it as beside us.
    company = {name: value for name, value in os.environ.items() if name == "PYTEST_XDIST_WORKER"}
    command = [sys.executable, "-m", "tests.soak", "--seconds", seconds, "--visitors", "40"]
    command += ["--processes", processes]
    process = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(**company),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    output = process.stdout
    assert (
        "kill -9 at" in output and "SIGTERM at" in output and output.endswith("nothing is wrong\n")
    )
    known = int(output.partition("known to be taken ")[2].partition(",")[0])
    assert known > 10, output


# What counts has to be able to find something


def row(**more: object) -> dict[str, object]:
    usual = {"state": "done", "code": None, "replies": ["all"], "ended_at": "then"}
    return {"id": "m1", "question": "q", **usual, **more}


def promise(**more: object) -> Promise:
    promise = Promise("q", "coze", "stream", Visitor(""))
    promise.apply(ServerEvent(0, "turn", {"message_id": "m1", "conversation_id": "c1"}))
    promise.apply(ServerEvent(1, "delta", {"text": "all", "reply": 0}))
    for name, value in more.items():
        setattr(promise, name, value)
    return promise


def test_a_promise_that_was_kept_is_no_fault() -> None:
    assert list(broken([promise(end="done")], [row()])) == []
    assert list(broken([promise()], [row(replies=["all and more"])])) == []
    assert (
        list(broken([promise()], [row(state="interrupted", code="unavailable", replies=["a"])]))
        == []
    )


def test_each_broken_promise_is_found() -> None:
    failed = {"state": "failed", "code": "unavailable"}
    for problem, stored in (
        ("lost", []),
        ("stored 2 times", [row(), row(id="m2")]),
        ("no end", [row(state="running")]),
        ("no end", [row(ended_at=None)]),
        ("another id", [row(id="m2")]),
        ("heard done, stored unavailable", [row(**failed)]),
        ("a failure without a code", [row(state="failed")]),
        ("to the end, stored", [row(replies=["al"])]),
    ):
        assert any(problem in text for text in broken([promise(end="done")], stored)), problem
    assert list(broken([promise()], [row(replies=["else"])]))
    assert list(broken([promise()], [row(**failed, replies=["al"])])), "only kill -9 may cost text"


def stored_answers(folder: Path) -> str:
    """A database with an answer and a failure of today."""
    database = f"sqlite:///{folder}/chat.db"
    with closing(storage.connect(Settings(database_url=database))) as store:
        end(store, ask(store, visitor="alice"), "so", usage={"input": 1, "output": 2, "total": 3})
        end(store, ask(store, visitor="bob"), state="failed", code="timeout")
    return database


def desk_says(**more: object) -> dict[str, object]:
    today = datetime.now(CHINA).date().isoformat()
    count = {"questions": 2, "answers": 1, "failed": 1, "tokens": 3}
    agent = {"id": "coze", "questions": 2, "failed": 1, "codes": {"timeout": 1}}
    days = [{"day": today, **count, "visitors": 2, **more}]
    return {"days": days, "agents": [agent], "accesses": [{"access": None, **count}]}


def test_numbers_of_the_desk_that_are_right_are_no_fault(tmp_path: Path) -> None:
    assert list(wrong_numbers(desk_says(), stored_answers(tmp_path))) == []


def test_each_wrong_number_of_the_desk_is_found(tmp_path: Path) -> None:
    database = stored_answers(tmp_path)
    for name in ("questions", "answers", "failed", "visitors", "tokens"):
        (fault,) = wrong_numbers(desk_says(**{name: 7}), database)
        assert f"'{name}': 7" in fault
    said = desk_says()
    for kind in said:
        assert list(wrong_numbers({**said, kind: []}, database))
    today = datetime.now(CHINA).date().isoformat()
    assert not list(wrong_today({"questions": 2, "visitors": 2}, today, database))
    assert list(wrong_today({"questions": 2, "visitors": 3}, today, database))


def test_a_traceback_is_found_as_the_site_s_log_writes_it() -> None:
    log = "import logging\nfrom chat.logs.logging import install\ninstall('text', 'info', [])\n"
    log += "try: [][0]\nexcept IndexError: logging.getLogger('chat').exception('what was tried')\n"
    written = subprocess.run(
        [sys.executable, "-c", log], cwd=ROOT, capture_output=True, text=True
    ).stderr
    (fault,) = faults_in_the_log(written)
    assert "what was tried" in fault and "IndexError" in fault


def test_tracebacks_are_found_but_for_known_ones() -> None:
    trace = "Traceback (most recent call last):\n  File x\n    y\n"
    assert list(faults_in_the_log(f"ERROR oh\n{trace}ValueError: z\n"))
    assert list(faults_in_the_log("ERROR answer 7: a fault of ours\n"))
    assert not list(
        faults_in_the_log(f"Error handling request (no URI read)\n{trace}greenlet.GreenletExit\n")
    )
    assert not list(faults_in_the_log("INFO nothing\n"))
