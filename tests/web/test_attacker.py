"""The attacker's walk: each step is tried on a running site, is refused, and the site answers as before."""

import json
import os
import re
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests

from chat.files.pictures import Pictures
from chat.page import qr
from chat.visitors.access import Visitors
from chat.visitors.guessing import LOCKED_FROM
from providers.http import Http, Network
from tests.kit.asking import saying
from tests.kit.emulator import Emulator, coze
from tests.kit.patience import eventually
from tests.kit.raw import Server
from tests.kit.site import Site, Visitor
from tests.kit.sockets import SOON_S, everything, send

KEY = "a key for tests, nothing else"
PASSWORD = "correct horse battery"
SECRET_CODE, API_KEY = "brass-lantern-42", "0123456789abcdef0123"
PUBLIC = "https://chat.example.com"
PAGE = {"Accept": "text/html"}
CORPUS = json.loads(
    (Path(__file__).parents[1] / "kit" / "hostile.json").read_text(encoding="utf-8")
)
WRITES = ["clear", "title", "delete", "restore", "share", "unshare"]
CODE = r"\b[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}\b"
ENDS = b"Host: localhost\r\nConnection: close\r\n"


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


class Elements(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


# being somebody else


@pytest.mark.parametrize(
    "cookie",
    [
        "planted",
        "ImFsaWNlIg.forged",
        '"ImFsaWNlIg"',
        Visitors("another key altogether").cookie("alice"),
        "A" * 3000,
        "a\xff\xfe",
        ".",
        "%00",
    ],
)
def test_a_planted_or_forged_cookie_makes_nobody(site: Site, cookie: str) -> None:
    request = f"GET / HTTP/1.1\r\nCookie: visitor={cookie}\r\n".encode("latin-1")
    heard = send(site.port, request + ENDS + b"\r\n")
    assert heard is not None and heard.status == 200
    given = heard.headers["set-cookie"].partition("visitor=")[2].partition(";")[0]
    assert given != cookie and Visitors(KEY).read(given)


def test_who_planted_a_cookie_does_not_follow_to_the_visitor_of_another_device(
    alice: Visitor, bob: Visitor, talk: str
) -> None:
    bob.get("/")
    planted = bob.session.cookies["visitor"]
    found = re.search(CODE, alice.post("/device").text)
    assert found
    bob.post("/device/claim", data={"code": found[0]}, headers=PAGE)
    assert bob.get(f"/c/{talk}").ok
    mallory = Visitor(bob.url)
    mallory.session.cookies["visitor"] = planted
    assert mallory.get(f"/c/{talk}").status_code == 404


def test_a_stranger_s_page_does_not_use_up_a_visitor_s_tries(alice: Visitor, bob: Visitor) -> None:
    for _ in range(LOCKED_FROM):
        assert alice.get("/device?code=WRONG", headers={**PAGE, "Sec-Fetch-Dest": "image"}).ok
    found = re.search(CODE, alice.post("/device").text)
    assert found and bob.get(f"/device?code={found[0]}", headers=PAGE).ok


@pytest.mark.parametrize("path", ["", "/export.md", "/export.json"])
def test_nobody_reads_another_s_conversation(bob: Visitor, talk: str, path: str) -> None:
    refused = bob.get(f"/c/{talk}{path}")
    assert refused.status_code == 404 and "my own words" not in refused.text


def test_nobody_follows_or_stops_another_s_answer(alice: Visitor, bob: Visitor) -> None:
    hearing = alice.hear("!pieces 10 50")
    next(hearing)
    assert bob.get(f"/chat/{alice.message}/events").status_code == 404
    assert bob.post(f"/chat/{alice.message}/stop").status_code == 404
    assert [told.data["finish_reason"] for told in hearing if told.name == "done"] == ["stop"]


@pytest.mark.parametrize("write", WRITES)
def test_nobody_changes_another_s_conversation(
    alice: Visitor, bob: Visitor, talk: str, write: str
) -> None:
    link = alice.post(f"/c/{talk}/share").json()["url"]
    if write == "restore":
        alice.post(f"/c/{talk}/delete")
    before = alice.get(f"/c/{talk}")
    assert bob.post(f"/c/{talk}/{write}", data={"title": "stolen"}).status_code == 404
    after = alice.get(f"/c/{talk}")
    assert before.status_code == after.status_code and "stolen" not in after.text
    assert bob.get(link).status_code == (404 if write == "restore" else 200)


@pytest.mark.parametrize("field", ["conversation_id", "after", "instead"])
def test_nobody_asks_into_another_s_conversation(
    alice: Visitor, bob: Visitor, talk: str, field: str
) -> None:
    bob.ask("hello")
    named = {field: talk if field == "conversation_id" else alice.message}
    refused = bob.post(json={"message": "hi", "conversation_id": bob.conversation, **named})
    assert refused.status_code == 404
    assert bob.get(f"/c/{bob.conversation}?at={alice.message}").status_code == 404


def test_nobody_sends_or_fetches_another_s_file(alice: Visitor, bob: Visitor) -> None:
    sent = alice.post("/files", files={"file": ("secret.pdf", b"%PDF-1.7 secret")})
    assert sent.status_code == 201
    assert bob.ask("what is in it?", files=[sent.json()["id"]]).status_code == 404
    for key in (sent.json()["id"], f"{sent.json()['id']}.x.y", "%2e%2e%2f", "%00"):
        assert alice.get(f"/files/{key}").status_code == 404


def test_a_link_cannot_be_guessed_and_ends_when_it_is_withdrawn(
    alice: Visitor, bob: Visitor, talk: str
) -> None:
    link = alice.post(f"/c/{talk}/share").json()["url"]
    token = link.removeprefix("/s/")
    assert len(token) >= 32 and bob.get(link).ok
    near = [
        token[:-1],
        token + "a",
        token[:-1] + ("a" if token[-1] != "a" else "b"),
        token.swapcase(),
    ]
    for guess in [*near, "%25", "_" * len(token), "%2a", talk, "' OR 1=1 --"]:
        assert bob.get(f"/s/{guess}").status_code == 404
    alice.post(f"/c/{talk}/unshare")
    assert bob.get(link).status_code == 404
    link = alice.post(f"/c/{talk}/share").json()["url"]
    alice.post(f"/c/{talk}/delete")
    alice.post(f"/c/{talk}/restore")
    assert bob.get(link).status_code == 404, (
        "deleting ended it, and taking back does not begin it again"
    )


# from another site


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "{url}"},
        {"Origin": "null"},
        {"Origin": "{url}.evil.example"},
        {"Origin": "http://localhost:{port}"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://evil.example@127.0.0.1:{port}"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "{url}", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "{url} {url}"},
    ],
    ids=str,
)
def test_another_site_s_page_changes_nothing(
    site: Site, alice: Visitor, talk: str, headers: dict[str, str]
) -> None:
    spelled = {name: value.format(url=site.url, port=site.port) for name, value in headers.items()}
    for path in (
        "/chat",
        "/files",
        "/device",
        "/device/claim",
        f"/chat/{alice.message}/stop",
        *(f"/c/{talk}/{write}" for write in WRITES),
    ):
        for form in ({"data": {"message": "hi", "title": "stolen"}}, {"json": {"message": "hi"}}):
            assert alice.post(path, headers=spelled, **form).status_code == 403, path
    assert "stolen" not in alice.get(f"/c/{talk}").text


def test_a_form_cannot_pass_for_json(alice: Visitor) -> None:
    disguised = alice.post(data='{"message":"hi"}', headers={"Content-Type": "text/plain"})
    assert disguised.status_code == 415


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_another_method_changes_nothing(alice: Visitor, talk: str, method: str) -> None:
    override = {
        "X-HTTP-Method-Override": "POST",
        "X-Method-Override": "POST",
        "X-HTTP-Method": "POST",
    }
    for write in WRITES:
        refused = alice.session.request(
            method,
            f"{alice.url}/c/{talk}/{write}?_method=POST&title=stolen",
            headers=override,
            timeout=SOON_S,
        )
        assert refused.status_code in (400, 405)
    page = alice.get(f"/c/{talk}")
    assert page.ok and "stolen" not in page.text


def test_what_is_private_is_kept_by_no_cache_and_read_by_no_other_page(
    alice: Visitor, talk: str
) -> None:
    link = alice.post(f"/c/{talk}/share").json()["url"]
    export = f"/c/{talk}/export.json"
    paths = ["/", f"/c/{talk}", "/conversations", "/search?q=own", "/device", link, export]
    for path in [*paths, f"/c/{talk}/export.md", f"/chat/{alice.message}/events", "/nowhere"]:
        answer = alice.get(path)
        assert "no-store" in answer.headers["Cache-Control"], path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in answer.headers
    taken = alice.get(export)
    assert taken.headers["Content-Type"] == "application/json" and taken.text.startswith("{")
    assert taken.headers["Content-Disposition"].startswith("attachment")


# paths, headers, lines


@pytest.mark.parametrize(
    "before", ["/static/any/", "/files/", "/pictures/", "/c/", "/s/", "/chat/", "/"]
)
def test_no_path_leads_out(site: Site, before: str) -> None:
    ways = (
        "../../app.py ..%2f..%2fapp.py %2e%2e/%2e%2e/app.py ..%252f..%252fapp.py ..\\..\\app.py "
        "..%5c..%5capp.py ....//....//app.py /etc/passwd //etc/passwd %2fetc%2fpasswd app.py%00.css "
        "css/page.css%00 css/../../app.py %c0%ae%c0%ae/app.py ..;/app.py instance/chat.db .env ~root"
    )
    for way in ways.split():
        heard = send(site.port, f"GET {before}{way} HTTP/1.1\r\n".encode() + ENDS + b"\r\n")
        assert heard is not None, way
        assert heard.status in (404, 308), (way, heard)
        assert b"create_app" not in heard.body and b"root:" not in heard.body
        assert re.fullmatch(r"(http://localhost)?/(?!/).*|", heard.headers.get("location", "")), (
            heard
        )


CRLF = [
    "\r\nX-Evil: 1",
    "%0d%0aX-Evil:%201",
    "\nX-Evil: 1",
    "\u560d\u560aX-Evil: 1",
    '"; X-Evil: 1; a="\r\n',
]


@pytest.mark.parametrize("evil", CRLF)
def test_no_header_is_smuggled_into_an_answer(
    site: Site, alice: Visitor, talk: str, evil: str
) -> None:
    alice.post(f"/c/{talk}/title", json={"title": f"a{evil}"})
    answers = [alice.get(f"/c/{talk}/export.{ending}") for ending in ("md", "json")]
    for answer in answers:
        assert answer.ok and re.match(
            r'attachment; filename="conversation\.\w+"; filename\*=UTF-8\'\'[\w%.~-]+$',
            answer.headers["Content-Disposition"],
        )
    given = quote(evil)
    for path in (
        f"/?lang=en{given}",
        f"/?lang={given}&lang=en",
        f"/c/{given}",
        f"/search?q={given}",
    ):
        answers.append(alice.get(path, headers=PAGE))
    for path in (f"/c/{talk}/delete?agent={given}", f"/chat/{given}/stop", f"/c/{given}/clear"):
        answers.append(alice.post(path, headers=PAGE, allow_redirects=False))
    answers.append(alice.post("/files", files={"file": (f"a{evil}.pdf", b"%PDF-1.7")}))
    answers.append(
        alice.get("/healthz", headers={"Last-Event-ID": given, "Accept-Language": given})
    )
    for answer in answers:
        assert "X-Evil" not in answer.headers and answer.status_code < 500
        assert "X-Evil" not in answer.headers.get("Set-Cookie", "")


@pytest.mark.parametrize(
    "way", ["//evil.example", "https://evil.example", "/\\evil.example", "%2f%2fevil.example"]
)
def test_nobody_is_led_elsewhere(site: Site, alice: Visitor, talk: str, way: str) -> None:
    names = ("next", "url", "return", "redirect", "lang", "deleted", "before", "at")
    query = "&".join(f"{name}={way}" for name in names)
    heard = send(site.port, f"GET {way} HTTP/1.1\r\n".encode() + ENDS + b"\r\n")
    assert heard is not None and "evil" not in urlsplit(heard.headers.get("location", "")).netloc
    home = alice.get(f"/?{query}", allow_redirects=False)
    assert home.status_code == 200
    links = [one.get("href") or "" for one in Elements(home.text).of("a")]
    assert not [one for one in links if urlsplit(one.replace("\\", "/")).netloc == "evil.example"]
    for write in ("clear", "share", "unshare", "delete", "restore"):
        done = alice.post(
            f"/c/{talk}/{write}?{query}", data={"next": way}, headers=PAGE, allow_redirects=False
        )
        assert done.status_code in (303, 404)
        assert urlsplit(done.headers.get("Location", "/")).netloc == ""


def claiming(visitor: Visitor, host: str) -> dict[str, str]:
    """Headers by which a visitor of ours claims to have come to another host."""
    cookie = f"visitor={visitor.session.cookies['visitor']}"
    return {"Host": host, "X-Forwarded-Host": host, "Forwarded": f"host={host}", "Cookie": cookie}


def test_the_host_that_is_claimed_poisons_no_link(public: Site) -> None:
    alice = Visitor(public.url)
    list(alice.hear("hello"))  # its agent has no token yet: the conversation is there all the same
    evil = claiming(alice, "evil.example")
    for path in (f"/c/{alice.conversation}/share", "/device"):
        refused = requests.post(f"{public.url}{path}", headers=evil, timeout=SOON_S)
        assert refused.status_code == 400 and "evil.example" not in refused.text
    alice.post(f"/c/{alice.conversation}/share")
    shown = alice.get(f"/c/{alice.conversation}").text
    assert f'value="{PUBLIC}/s/' in shown, "nor does the address it was asked at"
    device = alice.post("/device").text
    code = re.search(CODE, device)
    assert code and qr.code(f"{PUBLIC}/device?code={code[0]}").path in device


def test_the_host_that_is_claimed_poisons_no_authorisation(public: Site) -> None:
    def start(host: str) -> requests.Response:
        return requests.get(
            f"{public.url}/oauth/coze/start",
            headers={"Host": host, "X-Forwarded-Host": "evil.example"},
            auth=("olivia", PASSWORD),
            allow_redirects=False,
            timeout=SOON_S,
        )

    assert start("evil.example").status_code == 400
    sent = start("chat.example.com")
    asked = parse_qs(urlsplit(sent.headers["Location"]).query)
    assert asked["redirect_uri"] == [f"{PUBLIC}/oauth/coze/callback"]


@pytest.mark.parametrize(
    "host", ['a"><script>alert(1)</script>', "evil.example/?", "a b", "[", "a@b", ""]
)
def test_a_host_that_is_none_writes_nothing_into_a_page(
    alice: Visitor, talk: str, host: str
) -> None:
    alice.post(f"/c/{talk}/share")
    shown = requests.get(f"{alice.url}/c/{talk}", headers=claiming(alice, host), timeout=SOON_S)
    assert shown.status_code in (200, 400)
    assert "<script>alert" not in shown.text


def test_nobody_writes_lines_of_their_own_into_the_log(
    site: Site, alice: Visitor, talk: str
) -> None:
    forged = "2026-01-01 00:00:00 ERROR forged"
    for signs in ("%0a", "%1b[2J%0d%0a", "%c2%85", "%e2%80%a8"):
        for before in ("/", "/c/", "/files/"):
            alice.get(f"{before}{signs}{quote(forged)}")
    alice.ask(f"a\n{forged}")
    alice.post(f"/c/{talk}/title", json={"title": f"a\n{forged}\x1b[2J"})
    alice.post("/files", files={"file": (f"a\n{forged}\x1b[2J.exe", b"x")})
    alice.post("/device/claim", data={"code": f"\n{forged}\x1b[2J"})
    escape = b"\x1b[2J\x1b]0;forged\x07"
    for raw in (
        b"GET /\x1b[2J HTTP/1.1\r\n" + ENDS,
        b"GET / HTTP/1.1\x1b[2J\r\n" + ENDS,
        b"BREW\x1b[2J / HTTP/1.1\r\n" + ENDS,
        b"POST /chat HTTP/1.1\r\nOrigin: http://a" + escape + b"\r\n" + ENDS,
        b"GET / HTTP/1.1\r\nBad Name" + escape + b": 1\r\n" + ENDS,
        b"GET / HTTP/1.1\r\nNone" + escape + b"\r\n" + ENDS,
        b"GET / HTTP/1.1\r\nContent-Length: " + escape + b"\r\n" + ENDS,
        b"GET / HTTP/1.1\r\nTransfer-Encoding: " + escape + b"\r\n" + ENDS,
    ):
        everything(site.port, raw + b"\r\n")
    lines = re.split("[\n\r\x85\u2028\u2029]", site.log)
    assert not [line for line in lines if line.startswith(forged)]
    assert not [line for line in lines if re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", line)]


# more than there is room for


def test_a_body_beyond_all_measure_is_refused_before_it_comes(site: Site) -> None:
    for kind in (
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=a",
    ):
        for path in ("/chat", "/files", "/device/claim", "/c/nowhere/title"):
            head = f"POST {path} HTTP/1.1\r\nContent-Type: {kind}\r\nContent-Length: {10**12}\r\n"
            heard = send(site.port, head.encode() + ENDS + b"\r\n{", is_whole=False)
            assert heard is not None, (path, kind)
            assert heard.status in (400, 404, 413), (path, kind)


@pytest.mark.parametrize("path", ["/chat", "/files"])
def test_a_body_without_end_is_cut_short(site: Site, path: str) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    )
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", site.port), timeout=SOON_S) as line:
        line.sendall(head.encode() + ENDS + b"\r\n")
        with pytest.raises(ConnectionError):
            while sent < 200:  # MB
                line.sendall(chunk)
                sent += 1
    assert sent < 100


def test_five_thousand_who_say_nothing_keep_nobody_waiting(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    crowd = 5000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < crowd + 500:
        assert not os.environ.get("CI"), "too few open files to try it: ulimit -Hn"
        pytest.skip(f"needs {crowd + 500} open files, may have {hard}: ulimit -Hn")
    site = start_site(**coze(emulator))
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, crowd + 500), hard))
        for number in range(crowd):
            line = stack.enter_context(
                socket.create_connection(("127.0.0.1", site.port), timeout=SOON_S)
            )
            line.sendall((b"", b"G", b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")[number % 3])
        began = time.monotonic()
        assert requests.get(f"{site.url}/", timeout=SOON_S).ok
        assert Visitor(site.url).ask("hello").ok
        assert time.monotonic() - began < SOON_S


def test_who_sends_a_body_byte_by_byte_is_not_waited_for(site: Site) -> None:
    """How long exactly is in tests/web/test_slow_clients.py; here: meanwhile nobody else waits."""
    head = b"POST /chat HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
    with ExitStack() as stack:
        lines = [
            stack.enter_context(socket.create_connection(("127.0.0.1", site.port), timeout=SOON_S))
            for _ in range(100)
        ]
        for line in lines:
            line.sendall(head + ENDS + b"\r\n{")
        for line in lines:
            line.sendall(b" ")
        began = time.monotonic()
        assert Visitor(site.url).ask("hello").ok
        assert time.monotonic() - began < SOON_S


@pytest.mark.parametrize(
    "lengths",
    [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Content-Length: 0\r\nContent-Length: 44",
        "Content-Length: 0, 44",
        "Content-Length : 0",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding:\x0bchunked",
        "Transfer-Encoding:\r\n chunked",
        "X: y\nTransfer-Encoding: chunked",
    ],
)
def test_no_second_request_hides_in_a_first(site: Site, lengths: str) -> None:
    hidden = "GET /hidden-in-another HTTP/1.1\r\nHost: localhost\r\n\r\n"
    request = f"POST /device HTTP/1.1\r\nHost: localhost\r\n{lengths}\r\n\r\n0\r\n\r\n{hidden}"
    answers = everything(site.port, request.encode("latin-1"))
    assert answers.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")), answers[:200]
    assert answers.count(b"HTTP/1.1 ") == 1
    assert "refused '/hidden-in-another'" not in site.log


@pytest.mark.parametrize("size", ["0x10", "-1", "+5", "G", "", "5 5", "1_0", "5;\x0b=1"])
def test_a_piece_of_no_size_is_no_fault_of_ours_and_hides_nothing(site: Site, size: str) -> None:
    kind = "Content-Type: application/json"
    head = f"POST /chat HTTP/1.1\r\nHost: a\r\n{kind}\r\nTransfer-Encoding: chunked\r\n"
    hidden = "GET /hidden-in-a-body HTTP/1.1\r\nHost: a\r\n\r\n"
    answers = everything(site.port, f"{head}\r\n{size}\r\n{{}}\r\n0\r\n\r\n{hidden}".encode())
    assert answers.startswith(b"HTTP/1.1 400"), answers
    assert answers.count(b"HTTP/1.1 200") == 0 and "refused '/hidden-in-a-body'" not in site.log


# what an agent is made to say, and what this site is made to fetch


@pytest.mark.parametrize("part", range(4))
def test_nothing_hostile_an_agent_says_stands_in_a_page(alice: Visitor, part: int) -> None:
    unspeakable = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
    said = [unspeakable.sub(" ", one) for one in CORPUS["closed"][part::4] if len(one) < 200]
    list(alice.hear("\n\n".join(said)[:7900]))
    for path in (f"/c/{alice.conversation}", "/conversations", "/search?q=a"):
        elements = Elements(alice.get(path).text)
        assert all((one.get("src") or "").startswith("/static/") for one in elements.of("script"))
        pictures = [one.get("src") or "/" for one in elements.of("img")]
        assert all(re.match("/(?!/)|data:image/", one) for one in pictures)
        assert not [
            name for _, attributes in elements.found for name in attributes if name.startswith("on")
        ]
        assert not {"iframe", "object", "embed", "base", "style"} & {
            tag for tag, _ in elements.found
        }
        links = [one.get("href") or "" for one in elements.of("a")]
        assert not [one for one in links if re.match(r"\s*(javascript|data|vbscript):", one, re.I)]


NOT_OURS = [
    "https://evil.example/?stolen=words",
    "http://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
    "http://[::1]/a.png",
    "http://[::ffff:169.254.169.254]/a.png",
    "https://p3.byteimg.com@evil.example/a.png",
    "https://evil.example/p3.byteimg.com",
    "https://byteimg.com.evil.example/a.png",
    "https://2130706433/a.png",
    "http://localhost/a.png",
    "gopher://127.0.0.1/a",
    "//evil.example/a.png",
]


@pytest.mark.parametrize("address", NOT_OURS)
def test_a_picture_from_anywhere_else_is_neither_shown_nor_fetched(
    alice: Visitor, address: str
) -> None:
    told = list(alice.hear(f"![stolen]({address})", "?html=live"))
    drawn = "".join("".join(one.data["blocks"]) for one in told if one.name == "html")
    assert "stolen" in drawn and not Elements(drawn).of("img")
    shown = [
        one.get("src") or ""
        for one in Elements(alice.get(f"/c/{alice.conversation}").text).of("img")
    ]
    assert not [one for one in shown if "evil" in one or quote(address, safe="") in one]
    for signature in ("0" * 32, Pictures("another key", Http("pictures", Network())).sign(address)):
        assert alice.get(f"/pictures/{signature}?url={quote(address, safe='')}").status_code == 404


def test_a_picture_that_is_redirected_inside_is_not_followed(site: Site, canary: Server) -> None:
    ours = Pictures(KEY, Http("pictures", Network()))
    with saying(b"", "302 Found", f"image/png\r\nLocation: {canary.url}/latest/meta-data/") as url:
        got = requests.get(
            f"{site.url}/pictures/{ours.sign(url)}", params={"url": url}, timeout=SOON_S
        )
    assert (got.status_code, got.json()["code"]) == (502, "unavailable")


def test_an_icon_from_anywhere_else_is_neither_shown_nor_fetched(
    start_site: Callable[..., Site], tmp_path: Path
) -> None:
    icons = [
        *NOT_OURS,
        "javascript:alert(1)",
        'x" onerror="alert(1)',
        "data:image/svg+xml,<svg/onload=alert(1)>",
    ]

    def introduce(line: socket.socket, request: bytes) -> None:
        number = int(request.split()[1][-2:])  # GET /v1/bots/<id>
        told = {"name": f"Mallory {number}", "icon_url": icons[number], "onboarding_info": {}}
        body = json.dumps({"code": 0, "msg": "", "data": {"bot_id": "1", **told}}).encode()
        line.sendall(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )

    server = Server(introduce)
    agent = '[[agents]]\nid = "a{0}"\nplatform = "coze"\nbot_id = "74800000000000001{0:02}"\n'
    (tmp_path / "agents.toml").write_text(
        "".join(agent.format(number) for number in range(len(icons)))
    )
    site = start_site(
        tmp_path, AGENTS_FILE="agents.toml", COZE_API_TOKEN="t", COZE_API_BASE=server.url
    )

    def are_shown() -> bool:
        page = requests.get(site.url, timeout=SOON_S).text
        return all(f"Mallory {number}<" in page for number in range(len(icons)))

    assert eventually(are_shown)
    page = requests.get(site.url, timeout=SOON_S).text
    server.close()
    assert not [one for one in Elements(page).of("img") if "src" in one]
    assert not [icon for icon in icons if icon in page]


def test_an_address_in_place_of_a_file_is_never_fetched(
    emulator: Emulator, alice: Visitor, canary: Server
) -> None:
    secret = f"{canary.url}/secret"
    assert alice.post(json={"message": "hi", "files": [secret]}).status_code == 400
    assert alice.post("/files", data={"file": secret}).status_code == 400
    items = [{"type": "text", "text": "hi"}, {"type": "image", "file_url": secret}]
    before = emulator.mark()
    body = {"role": "user", "content": json.dumps(items), "content_type": "object_string"}
    assert alice.post(json={"bot_id": "7480000000000000101", "additional_messages": [body]}).ok
    assert canary.url not in json.dumps(emulator.journal(before))


def test_an_address_in_a_question_is_never_fetched(alice: Visitor, canary: Server) -> None:
    list(alice.hear(f"![a]({canary.url}/a.png) <{canary.url}/b> [c]({canary.url}/c)", "?html=live"))
    assert alice.get(f"/c/{alice.conversation}").ok


# the last step, after which the owner has to wait as well


def test_the_owner_s_password_cannot_be_tried_for_long(public: Site) -> None:
    def attempt(password: str) -> int:
        return requests.get(
            f"{public.url}/oauth/coze/start",
            auth=("olivia", password),
            allow_redirects=False,
            timeout=SOON_S,
        ).status_code

    assert attempt(PASSWORD) == 302
    tried = [attempt(f"guess {number}") for number in range(9)]
    assert tried == [401] * 5 + [429] * 4
    assert attempt(PASSWORD) == 429, "a right guess is not told from a wrong one"


# getting in without a code


@pytest.fixture(scope="module")
def closed(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    return keep_site(
        **coze(emulator), ACCESS_CODES=f"guests:{SECRET_CODE}", API_KEYS=f"kiosk:{API_KEY}"
    )


def sign_in(url: str, code: str, **cookies: str) -> requests.Response:
    return requests.post(
        f"{url}/sign-in",
        data={"code": code},
        cookies=cookies,
        allow_redirects=False,
        timeout=SOON_S,
    )


def test_a_session_that_was_planted_is_not_the_one_that_signs_in(closed: Site) -> None:
    attacker = requests.get(closed.url, timeout=SOON_S)
    planted = {"session": "planted", "visitor": attacker.cookies.get("visitor", "planted")}
    victim = sign_in(closed.url, SECRET_CODE, **planted)
    assert victim.status_code in (204, 303)
    assert victim.cookies["session"] != planted["session"]
    asked = {"json": {"message": "mine alone"}, "timeout": SOON_S}
    talk = requests.post(f"{closed.url}/chat", cookies=victim.cookies, **asked).json()[
        "conversation_id"
    ]
    for cookies in (planted, {"session": "planted"}, {"visitor": victim.cookies["visitor"]}):
        assert (
            requests.get(f"{closed.url}/c/{talk}", cookies=cookies, timeout=SOON_S).status_code
            == 401
        )
        assert requests.post(f"{closed.url}/chat", cookies=cookies, **asked).status_code == 401


@pytest.mark.parametrize(
    "path", ["/", "/conversations", "/search?q=a", "/c/nowhere", "/device", "/nowhere/x"]
)
def test_nothing_is_shown_without_a_code(closed: Site, path: str) -> None:
    shown = requests.get(closed.url + path, headers=PAGE, timeout=SOON_S)
    assert shown.status_code in (401, 404)
    assert "data-ask" not in shown.text and "chat-composer" not in shown.text


@pytest.mark.parametrize(
    "there",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "evil"],
)
def test_nobody_is_led_elsewhere_by_signing_in(closed: Site, there: str) -> None:
    sent = {"data": {"code": SECRET_CODE, "next": there}, "headers": PAGE, "allow_redirects": False}
    answer = requests.post(f"{closed.url}/sign-in", timeout=SOON_S, **sent)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer wrong-key-of-16-letters", "Basic a3Vpc2s6", "Token x", "Bearer a b"],
)
def test_no_other_key_opens(closed: Site, given: str) -> None:
    headers = {"Authorization": given} if given else {}
    asked = requests.post(
        f"{closed.url}/chat", json={"message": "hi"}, headers=headers, timeout=SOON_S
    )
    assert (asked.status_code, asked.json()["code"]) in ((401, "sign_in"), (429, "rate_limited"))


def test_codes_cannot_be_tried_for_long_and_a_right_one_is_not_told_then(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator), ACCESS_CODES=SECRET_CODE)
    inside = sign_in(site.url, SECRET_CODE)
    tried = [sign_in(site.url, f"guess number {number}").status_code for number in range(9)]
    assert tried == [401] * 5 + [429] * 4
    braked = sign_in(site.url, SECRET_CODE)
    assert braked.status_code == 429 and int(braked.headers["Retry-After"]) >= 1
    assert "session" not in braked.cookies
    told = requests.post(
        f"{site.url}/chat", json={"message": "hi"}, cookies=inside.cookies, timeout=SOON_S
    )
    assert told.ok, "who is in notices nothing"
