"""The site as it is deployed, gunicorn and all, and people who use it over real sockets."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.kit.fork_server import ROOT, Fork, fork_server
from tests.kit.patience import ALLOWANCE

PATIENCE_S = 20.0 * ALLOWANCE
# All tests ask from one address; those of the limits set their own.
UNLIMITED = {"VISITOR_RATE": 0, "ADDRESS_SHARE": 0}


def environment(**settings: object) -> dict[str, str]:
    """An environment with these settings and no others."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "HOME", "LANG", "TMPDIR")
    }
    return {
        **ours,
        "PYTHONPATH": str(ROOT),
        **{name: str(value) for name, value in settings.items()},
    }


@dataclass
class Site:
    """A running site. `folder` is its working directory: .env, instance/ and the log are there.

    It begins as a fork of what has been imported, or with a command, as it does for its owner.
    """

    folder: Path
    settings: dict[str, object]
    port: int = 0
    process: subprocess.Popen[bytes] | Fork | None = None
    held: socket.socket | None = None
    command: tuple[str, ...] = ()

    def start(self) -> "Site":
        """Starts, or starts again after a crash, on the same port and with the same database."""
        self.held = self.held or hold_port(self.port)
        self.port = self.held.getsockname()[1]
        variables = environment(**{**UNLIMITED, "PORT": self.port, **self.settings})
        self.process = self._begin(self.folder / "log.txt", variables)
        self._wait_until_ready()
        return self

    def _begin(self, log: Path, variables: dict[str, str]) -> subprocess.Popen[bytes] | Fork:
        if not self.command:
            return fork_server().begin_site(self.folder, log, variables)
        with open(log, "ab") as output:
            return subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=variables,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()

    def kill(self) -> None:
        """As a power cut would: master and worker, without a word."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        """Asks it to stop, and insists. Its port is anybody's from now on."""
        self._let_port_go()
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def discard(self) -> None:
        """Ends it without a word, sooner than it would by itself; nobody looks at it any more."""
        self._let_port_go()
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def _let_port_go(self) -> None:
        if self.held is not None:
            self.held.close()
            self.held = None

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + PATIENCE_S
        assert self.process is not None
        while time.monotonic() < until:
            assert self.process.poll() is None, f"the site ended:\n{self.log}"
            try:
                if requests.get(f"{self.url}/readyz", timeout=5).ok:
                    return
            except requests.RequestException:
                time.sleep(0.05)
        raise AssertionError(f"not ready:\n{self.log}")


@dataclass
class ServerEvent:
    """One server-sent event as a visitor hears it."""

    id: int
    name: str
    data: dict[str, Any]


@dataclass
class Visitor:
    """A person with a browser's cookies. `conversation` and `message` are those of the last
    question.
    """

    url: str
    session: requests.Session = field(default_factory=requests.Session)
    conversation: str | None = None
    message: str | None = None

    def post(self, path: str = "/chat", **options: Any) -> requests.Response:
        return self.session.post(self.url + path, timeout=60, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.url + path, timeout=60, **options)

    def ask(self, message: str, **more: object) -> requests.Response:
        """Asks for one JSON answer, in the conversation at hand if there is one."""
        body = {"message": message, **more}
        if self.conversation and "conversation_id" not in body:
            body["conversation_id"] = self.conversation
        response = self.post(json=body)
        if response.ok:
            self.conversation = response.json()["conversation_id"]
            self.message = response.json()["message_id"]
        return response

    def hear(self, message: str, query: str = "", **more: object) -> Iterator[ServerEvent]:
        """Asks for a stream, and yields its events as they come."""
        body = {"message": message, "stream": True, **more}
        if self.conversation and "conversation_id" not in body:
            body["conversation_id"] = self.conversation
        with self.post("/chat" + query, json=body, stream=True) as response:
            assert response.status_code == 200, response.text
            assert response.headers["Content-Type"].startswith("text/event-stream")
            for event in read_events(response):
                if event.name == "turn":
                    self.conversation = event.data["conversation_id"]
                    self.message = event.data["message_id"]
                yield event

    def hear_for(self, message: str, seconds: float) -> list[ServerEvent]:
        """Asks for a stream, and reads it for so long."""
        started = time.monotonic()
        events: list[ServerEvent] = []
        for event in self.hear(message):
            events.append(event)
            if time.monotonic() - started > seconds:
                break
        return events

    def follow(self, after: int | None = None, query: str = "") -> Iterator[ServerEvent]:
        """Reads the last answer again, or on from an event."""
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        with self.get(
            f"/chat/{self.message}/events{query}", headers=headers, stream=True
        ) as response:
            assert response.status_code == 200, response.text
            yield from read_events(response)

    def stop(self) -> requests.Response:
        return self.post(f"/chat/{self.message}/stop", headers={"Accept": "application/json"})


def read_events(response: requests.Response) -> Iterator[ServerEvent]:
    """A small reader of its own, so that ours on the other side is not proved by itself."""
    block: dict[str, str] = {}
    for raw in response.iter_lines(chunk_size=1):
        line = raw.decode("utf-8")
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            block[name] = value
        elif block:
            yield ServerEvent(int(block["id"]), block["event"], json.loads(block["data"]))
            block = {}


def text(events: list[ServerEvent]) -> str:
    return "".join(event.data["text"] for event in events if event.name == "delta")


def hold_port(port: int = 0) -> socket.socket:
    """A port that is ours until the socket is closed; until somebody listens there, connections
    are refused.

    Linux gives a port that is bound to nobody who takes any, and to no connection on its way out;
    yet whoever names it, and sets SO_REUSEADDR as servers do, may listen there as long as we do
    not."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held


def visitor_from(site: Site, address: str) -> Visitor:
    """A visitor whose address is what the site's own proxy says; needs TRUSTED_PROXIES=1."""
    visitor = Visitor(site.url)
    visitor.session.headers["X-Forwarded-For"] = address
    return visitor
