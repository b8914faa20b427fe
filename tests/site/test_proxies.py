"""nginx and Caddy in front, with the files of deploy/: words at once, files, addresses, limits."""

import time
from collections.abc import Callable, Iterator

import pytest
import requests
from trustme import CA

from emulator.picture import png
from tests.kit.emulator import Emulator, coze
from tests.kit.servers.proxies import Proxy, caddy, nginx
from tests.kit.site import Site, Visitor

PROXIES = {"nginx": nginx, "caddy": caddy}
# Questions and, counted apart, files a minute of an address.
RATE = 4
# Each test asks from an address of its own, behind each proxy.
READERS, SENDERS, CROWD, NEIGHBOURS, FLOOD = range(10, 15)


@pytest.fixture(scope="module")
def site_behind(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    settings = {"TRUSTED_PROXIES": 1, "VISITOR_RATE": f"{RATE}/minute", "ADDRESS_SHARE": 1}
    return keep_site(**coze(emulator), **settings)


@pytest.fixture(scope="module", params=PROXIES)
def proxy(
    request: pytest.FixtureRequest,
    site_behind: Site,
    authority: CA,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp(request.param)
    proxy = PROXIES[request.param](folder, authority, site_behind.port)
    yield proxy
    proxy.end()


@pytest.fixture
def visitor_of(proxy: Proxy) -> Callable[[int], Visitor]:
    """`visitor_of(CROWD)`: a new visitor from that address."""
    network = list(PROXIES).index(proxy.name)
    return lambda number: proxy.visitor(f"127.0.{network}.{number}")


def test_an_answer_streams_while_compression_is_on(
    proxy: Proxy, visitor_of: Callable[[int], Visitor]
) -> None:
    visitor = visitor_of(READERS)
    visitor.session.headers["Accept-Encoding"] = "gzip"
    assert visitor.get("/").headers["Content-Encoding"] == "gzip"
    started = time.monotonic()
    arrivals = [
        time.monotonic() - started
        for event in visitor.hear("!pieces 10 100")
        if event.name == "delta"
    ]
    assert arrivals[-1] - arrivals[0] > 0.5, "piece by piece, not all at the end"


def test_files_pass_up_to_the_limit(visitor_of: Callable[[int], Visitor]) -> None:
    visitor = visitor_of(SENDERS)
    picture = png() + bytes(2_000_000)
    sent = visitor.post("/files", files={"file": ("a.png", picture)}, data={"agent": "coze"})
    assert sent.ok
    assert list(visitor.hear("What is this?", files=[sent.json()["id"]]))[-1].name == "done"
    assert _status(visitor, "/files", bytes(22_000_000)) == 413
    assert _status(visitor, "/device", bytes(70_000)) == 413


def _status(visitor: Visitor, path: str, body: bytes) -> int:
    """The answer to a body; 413 as well when the line is cut before all of it is sent."""
    try:
        return visitor.post(path, data=body).status_code
    except requests.ConnectionError:
        return 413


def test_each_address_has_limits_of_its_own(visitor_of: Callable[[int], Visitor]) -> None:
    statuses = [_ask_anew(visitor_of(CROWD)) for _ in range(RATE + 1)]
    assert statuses == [200] * RATE + [429]
    assert _ask_anew(visitor_of(NEIGHBOURS)) == 200


def _ask_anew(visitor: Visitor) -> int:
    """Asks as one who pretends to come from elsewhere."""
    visitor.session.headers["X-Forwarded-For"] = f"203.0.113.{time.monotonic_ns() % 250}"
    return visitor.post(json={"message": "hi", "stream": True}).status_code


def test_the_numbers_of_the_site_stay_inside(visitor_of: Callable[[int], Visitor]) -> None:
    assert visitor_of(READERS).get("/metrics").status_code == 404


def test_cookies_of_a_secure_site_are_bound_to_it(
    proxy: Proxy, visitor_of: Callable[[int], Visitor]
) -> None:
    visitor = visitor_of(NEIGHBOURS)
    visitor.get("/")
    names = set(visitor.session.cookies.keys())
    assert names == ({"__Host-visitor"} if proxy.url.startswith("https:") else {"visitor"})


def test_nginx_holds_off_a_flood_from_one_address(
    proxy: Proxy, visitor_of: Callable[[int], Visitor]
) -> None:
    if proxy.name != "nginx":
        pytest.skip("Caddy counts no requests")
    flood = visitor_of(FLOOD)
    # Thirty at once and one a second, whatever is asked; the site itself answers 405.
    statuses = [flood.get("/files").status_code for _ in range(50)]
    assert statuses[0] == 405 and 429 in statuses
    assert visitor_of(NEIGHBOURS).get("/files").status_code == 405
