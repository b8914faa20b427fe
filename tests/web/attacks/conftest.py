"""A site under attack; after each attack it answers as before."""

from collections.abc import Callable, Iterator

import pytest
import requests

from tests.kit.attacks import KEY, PASSWORD, PUBLIC
from tests.kit.emulator import Emulator, coze
from tests.kit.raw import Server
from tests.kit.site import Site, Visitor
from tests.kit.sockets import SOON_S


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    return keep_site(**coze(emulator), SECRET_KEY=KEY, VISITOR_RATE=0)


@pytest.fixture(scope="module")
def public(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """One that knows its address, and whose owner has yet to authorise it."""
    return keep_site(
        COZE_OAUTH_CLIENT_ID="74800000000000000001.app.coze",
        COZE_OAUTH_CLIENT_SECRET="demo-only-client-secret",
        COZE_BOT_ID="7480000000000000101",
        COZE_API_BASE=emulator.url,
        COZE_WEB_BASE=emulator.url,
        PUBLIC_URL=PUBLIC,
        ADMIN_PASSWORD=PASSWORD,
        SECRET_KEY=KEY,
        VISITOR_RATE=0,
    )


@pytest.fixture(autouse=True)
def still_there(site: Site) -> Iterator[None]:
    """After each step the site answers, and nothing of ours has broken."""
    yield
    assert requests.get(f"{site.url}/healthz", timeout=SOON_S).json() == {"status": "ok"}
    assert requests.get(site.url, timeout=SOON_S).status_code == 200
    assert "a fault of ours" not in site.log and "Traceback" not in site.log


@pytest.fixture
def canary() -> Iterator[Server]:
    """A server inside the owner's network that nobody from outside may make us call."""
    server = Server(lambda line, _: line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"))
    yield server
    server.close()
    assert server.connections == 0


@pytest.fixture
def talk(alice: Visitor) -> str:
    """A conversation of Alice's."""
    list(alice.hear("my own words"))
    assert alice.conversation
    return alice.conversation
