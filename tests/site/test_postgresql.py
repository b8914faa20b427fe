"""A site whose conversations are in PostgreSQL: odd texts, and a server that goes away."""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from urllib.parse import quote

import psycopg
import pytest
import requests

from tests.kit.emulator import Emulator, coze
from tests.kit.patience import eventually, soon
from tests.kit.servers.postgresql import PASSWORD, Databases, PostgresqlServer, postgresql_server
from tests.kit.site import Site, Visitor

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "en"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)


@pytest.fixture(scope="module")
def site(
    emulator: Emulator, postgresql: Databases, keep_site: Callable[..., Site]
) -> Iterator[Site]:
    """The site of this module, on a database of its own."""
    name = postgresql.lend()
    site = keep_site(**coze(emulator), DATABASE_URL=postgresql.server.address(name))
    yield site
    site.end()
    postgresql.give_back(name)


@contextmanager
def locked(site: Site) -> Iterator[None]:
    """Somebody holds the table of the answers, and takes the time."""
    with psycopg.connect(str(site.settings["DATABASE_URL"])) as db:
        db.execute("LOCK TABLE answers")
        yield
        db.rollback()


@pytest.mark.parametrize("words", ["a\x00b", "\ud83d", "\x00\x00x\udc00"], ids=ascii)
def test_no_text_of_a_visitor_is_a_fault_of_ours(site: Site, words: str) -> None:
    carol = Visitor(site.url)
    assert carol.ask(f"{words} question").status_code in (200, 400)
    assert carol.ask("a question").ok
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    title = f"title={quote(words, errors='surrogatepass')}+title".encode()
    renamed = carol.post(f"/c/{carol.conversation}/title", data=title, headers=form)
    assert renamed.status_code < 500
    pages = ["/search?q=%00", "/c/%00", "/chat/%00/events", "/s/%00", "/files/%00"]
    for path in [*pages, "/conversations?before=9", f"/conversations?before={10**30}"]:
        assert carol.get(path, headers=HTML).status_code < 500, path
    assert carol.ask("more", conversation_id=f"{words}").status_code in (400, 404)
    sent = carol.post("/files", files={"file": ("a\x00.png", PNG)})
    assert sent.status_code < 500
    assert carol.get("/metrics").ok and 'code="unexpected"' not in carol.get("/metrics").text
    assert "Traceback" not in site.log, site.log


def test_a_table_that_somebody_holds_stops_nobody_else(site: Site, alice: Visitor) -> None:
    assert alice.ask("before").ok
    refused: list[requests.Response] = []
    with locked(site):
        asking = threading.Thread(target=lambda: refused.append(alice.ask("meanwhile")))
        asking.start()
        longest = 0.0
        while asking.is_alive():
            began = time.monotonic()
            assert requests.get(f"{site.url}/healthz", timeout=20).ok
            longest = max(longest, time.monotonic() - began)
            time.sleep(0.05)
        assert longest < soon(1), "the process waits for the server, and works on"
    (response,) = refused
    assert response.status_code == 502 and response.json()["code"] == "unavailable"
    assert alice.ask("after").ok


@pytest.fixture
def server() -> Iterator[PostgresqlServer]:
    """One that the test may stop."""
    own = postgresql_server()
    yield own.start()
    own.end()


class CuttingProxy:
    """On the way to a server. Once armed it loses the reply to the commit of the question."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.is_armed = self._is_over = False
        self._pool = ThreadPoolExecutor(50)
        self._pool.submit(self._accept)

    def close(self) -> None:
        self._is_over = True
        self._pool.shutdown()
        self._listener.close()

    def _accept(self) -> None:
        while self._readable([self._listener]):
            client, _ = self._listener.accept()
            self._pool.submit(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        has_question = False
        with client, socket.create_connection(self._target) as server:
            while ready := self._readable([client, server]):
                for source in ready:
                    data = source.recv(65536)
                    if not data:
                        return
                    (server if source is client else client).sendall(data)
                    has_question |= b"in doubt" in data
                    if self.is_armed and has_question and b"COMMIT" in data:
                        self.is_armed = False
                        # The server has committed; the site never hears of it.
                        server.recv(1)
                        return

    def _readable(self, sockets: list[socket.socket]) -> list[socket.socket]:
        """Those that have something to read; none when it is over."""
        while not self._is_over:
            if ready := select.select(sockets, [], [], 0.1)[0]:
                return ready
        return []


def test_a_question_whose_commit_was_not_heard_of_blocks_nothing(
    emulator: Emulator, postgresql: Databases, start_site: Callable[..., Site]
) -> None:
    name = postgresql.lend()
    with closing(CuttingProxy(postgresql.server.port)) as proxy:
        address = postgresql.server.address(name)
        behind = address.replace(f":{postgresql.server.port}/", f":{proxy.port}/")
        site = start_site(**coze(emulator), DATABASE_URL=behind)
        alice = Visitor(site.url)
        assert alice.ask("before").ok
        mark = emulator.mark()
        proxy.is_armed = True
        assert alice.ask("in doubt").status_code == 502
        assert not [path for path in emulator.asked(mark) if path == "/v3/chat"]
        assert eventually(lambda: alice.ask("after").ok), "the conversation is not busy"
        page = alice.get(f"/c/{alice.conversation}", headers=HTML).text
        assert "in doubt" in page, "the server had stored it"
        # Otherwise it would beat until its database is somebody else's.
        site.end()
    postgresql.give_back(name)


def test_a_server_that_is_restarted_costs_no_answer(
    emulator: Emulator, start_site: Callable[..., Site], server: PostgresqlServer
) -> None:
    site = start_site(**coze(emulator), DATABASE_URL=server.create("site"))
    alice, bob = Visitor(site.url), Visitor(site.url)
    bob.session.headers["Accept-Language"] = "en"
    hearing = alice.hear("!pieces 20 100")
    while next(hearing).name != "delta":
        pass
    server.stop()
    mark = emulator.mark()
    response = bob.ask("meanwhile")
    assert response.status_code == 502 and "database" in response.json()["error"]
    assert int(response.headers["Retry-After"]) > 0
    assert bob.get("/", headers=HTML).status_code in (200, 502)
    assert bob.get("/healthz").ok and bob.get("/readyz").status_code == 503
    assert not [path for path in emulator.asked(mark) if path == "/v3/chat"]
    assert list(hearing)[-1].name == "done", "the answer goes on to its end"
    server.start()
    assert eventually(lambda: bob.ask("after").ok)
    page = f"/c/{alice.conversation}"
    assert eventually(lambda: 'data-state="done"' in alice.get(page, headers=HTML).text)
    # As a power cut would, in the middle of an answer.
    hearing = alice.hear("!pieces 30 100")
    while next(hearing).name != "delta":
        pass
    site.kill()
    with pytest.raises(requests.RequestException):
        list(hearing)
    site.start()
    alice.url = site.url
    done = "another process has taken the answer over"
    assert eventually(lambda: alice.ask("and on").ok, 30), done
    assert "Traceback" not in site.log and PASSWORD not in site.log, site.log
