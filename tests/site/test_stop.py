"""SIGTERM: idle connections delay nothing, answers have GRACE_S, a killed worker is replaced."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.kit.emulator import Emulator, coze
from tests.kit.fork_server import GUNICORN
from tests.kit.site import Site, Visitor, environment, text


@pytest.fixture
def site(emulator: Emulator, tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, {**coze(emulator), "GRACE_S": 15}, command=GUNICORN).start()
    yield site
    site.end()


def stop(site: Site) -> float:
    """Asks the site to stop; how many seconds it took."""
    assert site.process is not None
    began = time.monotonic()
    site.process.terminate()
    assert site.process.wait(40) == 0
    return time.monotonic() - began


def worker_of(site: Site) -> int:
    assert site.process is not None
    pid = site.process.pid
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def test_an_idle_connection_holds_nothing_up(site: Site) -> None:
    with (
        requests.Session() as browser,
        socket.create_connection(("127.0.0.1", site.port)) as preconnected,
    ):
        assert browser.get(f"{site.url}/healthz", timeout=10).ok
        assert stop(site) < 10, "less than a connection may be idle"
        assert preconnected.recv(1) == b"", "closed without a word"


def test_nobody_is_cut_off_who_comes_while_it_ends(site: Site) -> None:
    """Who is refused can be sent to another process; who is cut off may have been heard."""
    hearing = Visitor(site.url).hear("!pieces 15 100")
    next(hearing)
    assert site.process is not None
    site.process.terminate()
    reasons = []
    for _ in range(40):
        try:
            assert requests.get(f"{site.url}/healthz", timeout=10).ok
        except requests.ConnectionError as error:
            reasons.append(str(error))
        time.sleep(0.02)
    assert list(hearing)[-1].name == "done"
    assert reasons and all("Connection refused" in reason for reason in reasons)


def test_a_second_signal_changes_nothing(site: Site) -> None:
    """A service manager signals the whole group, so that a worker hears of the end twice."""
    hearing = Visitor(site.url).hear("!pieces 20 100")
    next(hearing)
    worker = worker_of(site)
    for _ in range(2):
        os.kill(worker, signal.SIGTERM)
        time.sleep(0.3)
    assert list(hearing)[-1].name == "done"
    assert "Traceback" not in site.log


def test_an_answer_is_heard_to_its_end(site: Site) -> None:
    hearing = Visitor(site.url).hear("!pieces 30 100")
    events = [next(hearing), next(hearing)]
    assert site.process is not None
    site.process.terminate()
    events += list(hearing)
    assert events[-1].name == "done" and events[-1].data["replies"] == [text(events)]
    assert site.process.wait(30) == 0


def test_an_answer_nobody_reads_has_its_time_too(site: Site) -> None:
    visitor = Visitor(site.url)
    hearing = visitor.hear("!pieces 30 100")
    next(hearing)
    hearing.close()
    stop(site)
    assert "done by coze" in site.log


def test_an_answer_that_takes_longer_is_saved_and_goes_on_after_the_start(
    emulator: Emulator, tmp_path: Path
) -> None:
    site = Site(tmp_path, {**coze(emulator), "GRACE_S": 1}).start()
    try:
        visitor = Visitor(site.url)
        for event in visitor.hear("!pieces 40 150 a long one"):
            if event.name == "delta" and event.data["text"].strip():
                break
        assert stop(site) < 12
        assert "Perhaps out of memory" not in site.log, "it left by itself"
        site.start()
        events = list(visitor.follow())
        assert events[-1].name == "done" and "a long one" in events[-1].data["replies"][0]
    finally:
        site.end()


def test_a_reader_reads_on_after_its_worker_was_killed(site: Site) -> None:
    visitor = Visitor(site.url)
    events = []
    with pytest.raises(requests.RequestException):
        for event in visitor.hear("!pieces 57 80 read on"):
            events.append(event)
            if len(events) == 12:
                os.kill(worker_of(site), signal.SIGKILL)
    site._wait_until_ready()
    so_far = text(events)
    for event in visitor.follow(after=events[-1].id):
        assert event.id >= events[-1].id, "so that a second loss is no worse"
        if event.name == "replace":
            so_far = event.data["text"]
        elif event.name == "delta":
            so_far += event.data["text"]
    assert event.name == "done" and event.data["replies"] == [so_far]
    assert visitor.ask("and now?").ok


def test_a_reload_leaves_old_answers_to_the_old_worker_and_serves_at_once(site: Site) -> None:
    visitor = Visitor(site.url)
    hearing = visitor.hear("!pieces 30 100")
    events = [next(hearing)]
    assert site.process is not None
    os.kill(site.process.pid, signal.SIGHUP)
    time.sleep(0.3)
    assert Visitor(site.url).ask("hi").ok
    events += list(hearing)
    assert events[-1].name == "done"
    assert list(visitor.follow())[-1].data == events[-1].data


A_REQUEST_IN_THE_MOMENT_OF_THE_END = """
from gevent import monkey
monkey.patch_all()
import signal
import gevent
from gevent.event import Event
from gunicorn.config import Config
from chat.server.worker import SiteWorker

worker = SiteWorker(1, 1, [], None, 30, Config(), None)
asked, told = Event(), []

def connection(is_asked):
    worker._connections.open(gevent.getcurrent(), "")
    worker._has_asked.add(gevent.getcurrent())
    with worker.timeout_ctx():
        is_asked.wait()
    if is_asked.is_set():
        gevent.sleep(0.1)
        told.append("answered")

talking, idle = gevent.spawn(connection, asked), gevent.spawn(connection, Event())
gevent.sleep(0.1)
# The request is there, its connection not awake yet.
asked.set()
worker._cease()
gevent.joinall([talking], timeout=5, raise_error=True)
print(told, idle.dead)
"""


def test_a_request_that_comes_in_the_moment_of_the_end_is_answered(tmp_path: Path) -> None:
    """Impatience with its connection, which was idle just now, must not hit the request itself."""
    ran = subprocess.run(
        [sys.executable, "-c", A_REQUEST_IN_THE_MOMENT_OF_THE_END],
        env=environment(DEMO_URL="http://127.0.0.1:9"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout.strip() == "['answered'] True", ran.stderr
