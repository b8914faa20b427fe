"""HTTPS to the platform, as production speaks it, in the deployed form: gunicorn with gevent."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from trustme import CA

from emulator import create_emulator
from emulator.serving import serve
from tests.kit.certificates import certified
from tests.kit.emulator import Emulator, coze, quick
from tests.kit.fork_server import GUNICORN
from tests.kit.patience import soon
from tests.kit.servers.redis import redis_server
from tests.kit.site import Site, Visitor, text


@pytest.fixture(scope="module")
def secure_emulator(authority: CA) -> Iterator[Emulator]:
    context = certified(authority, "localhost", "127.0.0.1")
    with serve(create_emulator(quick()), ssl_context=context) as url:
        yield Emulator(url)


@pytest.fixture(scope="module")
def secure_site(secure_emulator: Emulator, bundle: Path, keep_site: Callable[..., Site]) -> Site:
    return keep_site(command=GUNICORN, **coze(secure_emulator), CA_BUNDLE=bundle)


def test_an_answer_streams_over_tls(secure_site: Site, secure_emulator: Emulator) -> None:
    assert secure_emulator.url.startswith("https://")
    visitor = Visitor(secure_site.url)
    started = time.monotonic()
    arrivals = [
        time.monotonic() - started
        for event in visitor.hear("!pieces 20 100")
        if event.name == "delta"
    ]
    assert arrivals[-1] - arrivals[0] > 1.0, "piece by piece, not all at the end"
    assert visitor.ask("!chop 你好").ok


def test_processes_share_over_tls(
    emulator: Emulator,
    authority: CA,
    bundle: Path,
    start_site: Callable[..., Site],
    tmp_path: Path,
) -> None:
    pem = authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem
    pem.write_to_path(str(tmp_path / "server.pem"))
    server = redis_server(tmp_path, tmp_path / "server.pem").start()
    try:
        address = f"{server.url}?ssl_ca_certs={bundle}"
        site = start_site(**coze(emulator), REDIS_URL=address, VISITOR_RATE="2/minute")
        alice = Visitor(site.url)
        assert [alice.ask("hi").status_code for _ in range(3)] == [200, 200, 429]
        ready = alice.get("/readyz").json()
        assert ready == {"status": "ok"}, "and not away"
    finally:
        server.end()


def test_stop_hangs_up_over_tls(secure_site: Site) -> None:
    visitor = Visitor(secure_site.url)
    stopped = 0.0
    for event in visitor.hear("!pieces 5 10 !pause 30"):
        if event.name == "delta" and not stopped:
            stopped = time.monotonic()
            visitor.stop()
    assert event.name == "done" and event.data["finish_reason"] == "stopped"
    assert time.monotonic() - stopped < soon(3)


def test_many_at_once_over_tls(secure_site: Site) -> None:
    answers: list[str] = []

    def ask(number: int) -> None:
        visitor = Visitor(secure_site.url)
        answers.append(text(list(visitor.hear(f"!pieces 5 50 question {number}"))))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 20
    assert all(any(f"question {number}" in answer for answer in answers) for number in range(20))


def test_an_unknown_authority_is_refused(
    secure_emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(secure_emulator))
    response = Visitor(site.url).ask("hi")
    assert (response.status_code, response.json()["code"]) == (502, "unavailable")
    assert "CERTIFICATE_VERIFY_FAILED" in site.log or "SSLCertVerificationError" in site.log


def test_the_proxy_of_the_settings_is_used_and_no_other(
    secure_emulator: Emulator, bundle: Path, start_site: Callable[..., Site]
) -> None:
    with Tunnel() as tunnel:
        through = start_site(**coze(secure_emulator), CA_BUNDLE=bundle, UPSTREAM_PROXY=tunnel.url)
        assert list(Visitor(through.url).hear("hi"))[-1].name == "done"
        assert tunnel.targets
        through.end()
    past = start_site(**coze(secure_emulator), CA_BUNDLE=bundle, HTTPS_PROXY="http://127.0.0.1:9")
    assert list(Visitor(past.url).hear("hi"))[-1].name == "done"


class Tunnel:
    """The smallest HTTP proxy: CONNECT, then bytes both ways."""

    def __enter__(self) -> "Tunnel":
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.targets: list[str] = []
        self._threads: list[threading.Thread] = []
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._connect, args=(near,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _connect(self, near: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += near.recv(4096)
        target = head.split()[1].decode()
        self.targets.append(target)
        host, _, port = target.partition(":")
        with near, socket.create_connection((host, int(port))) as far:
            near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_pour, args=(far, near), daemon=True)
            back.start()
            _pour(near, far)
            back.join()


def _pour(source: socket.socket, sink: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
