"""Hostile texts and addresses of an agent reach no page and no other server."""

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from tests.kit.asking import saying
from tests.kit.attacks import (
    CORPUS,
    KEY,
    Elements,
)
from tests.kit.emulator import Emulator
from tests.kit.patience import eventually
from tests.kit.pictures import pictures_of_site
from tests.kit.raw import Server
from tests.kit.site import Site, Visitor
from tests.kit.sockets import SOON_S


@pytest.mark.parametrize("part", range(4))
def test_hostile_text_of_an_agent_is_not_in_a_page(alice: Visitor, part: int) -> None:
    unspeakable = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
    texts = [unspeakable.sub(" ", one) for one in CORPUS["closed"][part::4] if len(one) < 200]
    list(alice.hear("\n\n".join(texts)[:7900]))
    for path in (f"/c/{alice.conversation}", "/conversations", "/search?q=a"):
        elements = Elements(alice.get(path).text)
        assert all((one.get("src") or "").startswith("/static/") for one in elements.of("script"))
        pictures = [one.get("src") or "/" for one in elements.of("img")]
        assert all(re.match("/(?!/)|data:image/", one) for one in pictures)
        assert not [
            name
            for _, attributes in elements.elements
            for name in attributes
            if name.startswith("on")
        ]
        assert not {"iframe", "object", "embed", "base", "style"} & {
            tag for tag, _ in elements.elements
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
def test_a_picture_from_another_host_is_neither_shown_nor_fetched(
    alice: Visitor, address: str
) -> None:
    events = list(alice.hear(f"![stolen]({address})", "?html=live"))
    drawn = "".join("".join(one.data["blocks"]) for one in events if one.name == "html")
    assert "stolen" in drawn and not Elements(drawn).of("img")
    addresses = [
        one.get("src") or ""
        for one in Elements(alice.get(f"/c/{alice.conversation}").text).of("img")
    ]
    assert not [one for one in addresses if "evil" in one or quote(address, safe="") in one]
    for signature in ("0" * 32, pictures_of_site("another key").sign(address)):
        assert alice.get(f"/pictures/{signature}?url={quote(address, safe='')}").status_code == 404


def test_a_redirect_of_a_picture_is_not_followed(site: Site, canary: Server) -> None:
    with saying(b"", "302 Found", f"image/png\r\nLocation: {canary.url}/latest/meta-data/") as url:
        address = f"{site.url}/pictures/{pictures_of_site(KEY).sign(url)}"
        got = requests.get(address, params={"url": url}, timeout=SOON_S)
    assert (got.status_code, got.json()["code"]) == (502, "unavailable")


def test_an_icon_from_another_host_is_neither_shown_nor_fetched(
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
        introduction = {
            "name": f"Mallory {number}",
            "icon_url": icons[number],
            "onboarding_info": {},
        }
        body = json.dumps({"code": 0, "msg": "", "data": {"bot_id": "1", **introduction}}).encode()
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
