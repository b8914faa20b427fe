"""Hostile paths, headers, hosts and framing of requests have no effect."""

import re
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests

from chat.page import qr
from tests.kit.attacks import CODE, ENDS, PAGE, PASSWORD, PUBLIC, Elements
from tests.kit.site import Site, Visitor
from tests.kit.sockets import SOON_S, everything, send


@pytest.mark.parametrize(
    "before", ["/static/any/", "/files/", "/pictures/", "/c/", "/s/", "/chat/", "/"]
)
def test_no_path_leaves_the_static_folder(site: Site, before: str) -> None:
    ways = (
        "../../app.py ..%2f..%2fapp.py %2e%2e/%2e%2e/app.py ..%252f..%252fapp.py "
        "..\\..\\app.py ..%5c..%5capp.py ....//....//app.py "
        "/etc/passwd //etc/passwd %2fetc%2fpasswd app.py%00.css "
        "css/page.css%00 css/../../app.py %c0%ae%c0%ae/app.py ..;/app.py "
        "instance/chat.db .env ~root"
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
    quoted = quote(evil)
    for path in (
        f"/?lang=en{quoted}",
        f"/?lang={quoted}&lang=en",
        f"/c/{quoted}",
        f"/search?q={quoted}",
    ):
        answers.append(alice.get(path, headers=PAGE))
    for path in (f"/c/{talk}/delete?agent={quoted}", f"/chat/{quoted}/stop", f"/c/{quoted}/clear"):
        answers.append(alice.post(path, headers=PAGE, allow_redirects=False))
    answers.append(alice.post("/files", files={"file": (f"a{evil}.pdf", b"%PDF-1.7")}))
    answers.append(
        alice.get("/healthz", headers={"Last-Event-ID": quoted, "Accept-Language": quoted})
    )
    for answer in answers:
        assert "X-Evil" not in answer.headers and answer.status_code < 500
        assert "X-Evil" not in answer.headers.get("Set-Cookie", "")


@pytest.mark.parametrize(
    "way", ["//evil.example", "https://evil.example", "/\\evil.example", "%2f%2fevil.example"]
)
def test_every_redirect_stays_on_this_site(site: Site, alice: Visitor, talk: str, way: str) -> None:
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


def test_a_forged_host_poisons_no_link(public: Site) -> None:
    alice = Visitor(public.url)
    list(alice.hear("hello"))  # its agent has no token yet: the conversation is there all the same
    evil = claiming(alice, "evil.example")
    for path in (f"/c/{alice.conversation}/share", "/device"):
        refused = requests.post(f"{public.url}{path}", headers=evil, timeout=SOON_S)
        assert refused.status_code == 400 and "evil.example" not in refused.text
    alice.post(f"/c/{alice.conversation}/share")
    response = alice.get(f"/c/{alice.conversation}").text
    assert f'value="{PUBLIC}/s/' in response, "nor does the address it was asked at"
    device = alice.post("/device").text
    code = re.search(CODE, device)
    assert code and qr.code(f"{PUBLIC}/device?code={code[0]}").path in device


def test_a_forged_host_poisons_no_authorisation(public: Site) -> None:
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
def test_an_invalid_host_writes_nothing_into_a_page(alice: Visitor, talk: str, host: str) -> None:
    alice.post(f"/c/{talk}/share")
    response = requests.get(f"{alice.url}/c/{talk}", headers=claiming(alice, host), timeout=SOON_S)
    assert response.status_code in (200, 400)
    assert "<script>alert" not in response.text


def test_no_input_writes_forged_lines_into_the_log(site: Site, alice: Visitor, talk: str) -> None:
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
def test_ambiguous_framing_smuggles_no_second_request(site: Site, lengths: str) -> None:
    hidden = "GET /hidden-in-another HTTP/1.1\r\nHost: localhost\r\n\r\n"
    request = f"POST /device HTTP/1.1\r\nHost: localhost\r\n{lengths}\r\n\r\n0\r\n\r\n{hidden}"
    answers = everything(site.port, request.encode("latin-1"))
    assert answers.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")), answers[:200]
    assert answers.count(b"HTTP/1.1 ") == 1
    assert "refused '/hidden-in-another'" not in site.log


@pytest.mark.parametrize("size", ["0x10", "-1", "+5", "G", "", "5 5", "1_0", "5;\x0b=1"])
def test_a_chunk_without_a_size_is_refused(site: Site, size: str) -> None:
    kind = "Content-Type: application/json"
    head = f"POST /chat HTTP/1.1\r\nHost: a\r\n{kind}\r\nTransfer-Encoding: chunked\r\n"
    hidden = "GET /hidden-in-a-body HTTP/1.1\r\nHost: a\r\n\r\n"
    answers = everything(site.port, f"{head}\r\n{size}\r\n{{}}\r\n0\r\n\r\n{hidden}".encode())
    assert answers.startswith(b"HTTP/1.1 400"), answers
    assert answers.count(b"HTTP/1.1 200") == 0 and "refused '/hidden-in-a-body'" not in site.log
