"""Only real pictures of the agent's own platform are fetched and passed on."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from urllib.parse import quote

import pytest
import requests

from chat.agents.demo import PICTURE
from chat.agents.offered import Agents, load_agents
from chat.agents.vault import Vault
from chat.file_types import recognize
from chat.files.pictures import KINDS as PICTURES
from chat.files.pictures import MOST_BYTES, Pictures
from chat.refusals import Refusal
from chat.settings.model import Settings
from chat.storage import connect
from tests.kit.asking import saying
from tests.kit.emulator import Emulator, coze
from tests.kit.patience import eventually
from tests.kit.pictures import pictures_of_site
from tests.kit.site import Site, Visitor

KEY = "a key for tests, nothing else"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
KINDS = {
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR": "image/png",
    b"\xff\xd8\xff\xe0\0\x10JFIF": "image/jpeg",
    b"GIF89a\x01\0\x01\0": "image/gif",
    b"RIFF\x24\0\0\0WEBPVP8 ": "image/webp",
    b"RIFF\x24\0\0\0WAVEfmt ": None,
    b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>": None,
    b"<?xml version='1.0'?><svg/>": None,
    b"<!doctype html><script>alert(1)</script>": None,
    b"%PDF-1.7": None,
    b"": None,
}
SHOWN = [
    "https://byteimg.com/a.png",
    "https://p3.byteimg.com/a.png?x=1&y=%2F",
    "HTTPS://P3.ByteImg.com/a.png",
    "https://p3.byteimg.com:443/a.png",
    "https://p9-bot-sign.byteimg.com",
    "http://127.0.0.1:9/files/picture.png",
    "http://127.0.0.1:9/files/%E5%9B%BE/a%20b.png?x=/../api",
    "http://127.0.0.1:9/files",
    "data:image/png;base64,AAAA",
]
LINKED = [
    "https://evilbyteimg.com/a.png",
    "https://byteimg.com.evil.example/a.png",
    "https://evil.example/byteimg.com/a.png",
    "https://evil.example/?byteimg.com",
    "https://evil.example#byteimg.com",
    "https://byteimg.com@evil.example/a.png",
    "https://byteimg.com:x@evil.example/a.png",
    "https://evil.example@byteimg.com/a.png",
    "https://evil.example\\@byteimg.com/a.png",
    "https://byteimg.com\\.evil.example/a.png",
    "https://byteimg.com\t.evil.example/",
    "https://byteimg.com/a b",
    "https://byteimg.com/a\nb",
    "https://byteimg.com:8443/a.png",
    "https://byteimg.com:/a.png",
    "https://byteimg.com./a.png",
    "https://.byteimg.com/a.png",
    "http://p3.byteimg.com/a.png",
    "//p3.byteimg.com/a.png",
    "ftp://p3.byteimg.com/a.png",
    "https:p3.byteimg.com/a.png",
    "https:///p3.byteimg.com/a.png",
    "https://p3。byteimg。com/a.png",
    "http://127.0.0.1:9/picture.png",
    "http://127.0.0.1:9/v3/chat/cancel",
    "http://127.0.0.1:9",
    "http://127.0.0.1:9/?/files/",
    "http://127.0.0.1:9/filesystem/a.png",
    "http://127.0.0.1:9/FILES/a.png",
    "http://127.0.0.1:9//files/a.png",
    "http://127.0.0.1:9/files/../v3/chat",
    "http://127.0.0.1:9/files/./a.png",
    "http://127.0.0.1:9/files/%2e%2E/v3/chat",
    "http://127.0.0.1:9/files/..%2fv3/chat",
    "http://127.0.0.1:9/files/..%5Cv3",
    "http://127.0.0.1:9/files/..;/v3",
    "http://127.0.0.1:9/files/..#/a.png",
    "http://127.0.0.1:9/files/%252e%252e/v3",
    "http://127.0.0.1:10/files/picture.png",
    "http://127.0.0.1/files/picture.png",
    "http://127.0.0.1:9@evil.example/files/a.png",
    "http://0x7f.1:9/files/a.png",
    "https://127.0.0.1:9/files/a.png",
    "http://localhost:9/files/a.png",
    "http://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
    "data:image/svg+xml;base64,AAAA",
    "data:image/png,<svg>",
    "data:text/html;base64,AAAA",
    "javascript:alert(1)",
    "https://p3.byteimg.com/" + "a" * 5000,
    "",
]


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Agents:
    """One agent on Coze, whose address nobody listens at, and one on Yuanqi, which names no
    hosts.
    """
    given = Settings(
        database_url=f"sqlite:///{tmp_path_factory.mktemp('data')}/chat.db",
        coze_api_token="pat_demo_only_not_a_secret",
        coze_bot_id="7480000000000000101",
        coze_api_base="http://127.0.0.1:9/api",
        picture_path="/files",
        yuanqi_api_token="Qk7DemoOnlyNotASecret00000000001",
        yuanqi_assistant_id="EmuAgent0001",
    )
    store = connect(given)
    return load_agents(given, store.days.spend, Vault(store.secrets, KEY))


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return pictures_of_site(KEY)


@pytest.mark.parametrize("url", SHOWN)
def test_the_platform_s_own_pictures_are_shown(
    agents: Agents, pictures: Pictures, url: str
) -> None:
    address = pictures.address(agents.default, url)
    assert address == url or re.fullmatch(
        rf"/pictures/[0-9a-f]{{32}}\?url={re.escape(quote(url, ''))}", address or ""
    )


@pytest.mark.parametrize("url", LINKED, ids=lambda url: url[:40])
def test_any_other_picture_stays_a_link(agents: Agents, pictures: Pictures, url: str) -> None:
    assert pictures.address(agents.default, url) is None


def test_a_platform_s_hosts_are_no_other_platform_s(agents: Agents, pictures: Pictures) -> None:
    yuanqi = agents.named("yuanqi")
    assert pictures.address(yuanqi, SHOWN[1]) is None
    assert pictures.address(yuanqi, SHOWN[5]) is None


@pytest.mark.parametrize(("beginning", "kind"), KINDS.items(), ids=repr)
def test_the_type_is_that_of_the_content(
    pictures: Pictures, beginning: bytes, kind: str | None
) -> None:
    with saying(beginning, kind="text/html") as url:
        if kind is None:
            assert refusal(pictures, url) == "unexpected"
        else:
            picture = pictures.fetch(pictures.sign(url), url)
            assert picture.content_type == kind
            assert b"".join(picture.pieces()) == beginning
    assert recognize(beginning, PICTURES) == kind


def test_a_declared_type_proves_nothing(pictures: Pictures) -> None:
    with saying(b"<script>alert(1)</script>", kind="image/png") as url:
        assert refusal(pictures, url) == "unexpected"


def test_the_largest_picture_passes_and_a_larger_one_does_not(pictures: Pictures) -> None:
    with saying(PNG + b"\0" * (MOST_BYTES - len(PNG))) as url:
        picture = pictures.fetch(pictures.sign(url), url)
        assert picture.size == MOST_BYTES
    with saying(PNG + b"\0" * MOST_BYTES) as url:
        assert refusal(pictures, url) == "unavailable"


def test_what_is_packed_though_nobody_asked_is_refused(pictures: Pictures) -> None:
    with saying(PNG, kind="image/png\r\nContent-Encoding: gzip") as url:
        assert refusal(pictures, url) == "unexpected"


@pytest.mark.parametrize(
    "status", ["302 Found", "403 Forbidden", "404 Not Found", "500 Oops", "206 Partial"]
)
def test_only_a_whole_answer_from_there_counts(pictures: Pictures, status: str) -> None:
    with saying(PNG, status, "image/png\r\nLocation: https://evil.example/") as url:
        assert refusal(pictures, url) == "unavailable"


def test_a_host_that_is_gone(pictures: Pictures) -> None:
    assert refusal(pictures, "http://127.0.0.1:9/") == "unavailable"


def test_a_signature_is_good_for_one_address_and_one_key(pictures: Pictures) -> None:
    other = pictures_of_site(KEY + "!")
    for signature in ("", "0" * 32, "签名", pictures.sign("http://127.0.0.1:9/b"), other.sign(URL)):
        with pytest.raises(Refusal, match="not_found"):
            pictures.fetch(signature, URL)


URL = "http://127.0.0.1:9/a"


def refusal(pictures: Pictures, url: str) -> str:
    with pytest.raises(Refusal) as refused:
        pictures.fetch(pictures.sign(url), url)
    return refused.value.code


def addresses(text: str) -> list[str]:
    return [one.replace("&amp;", "&") for one in re.findall(r'src="(/pictures/[^"]+)"', text)]


def test_a_picture_of_an_answer_is_handed_on_to_anybody_who_has_its_address(
    site: Site, alice: Visitor, bob: Visitor
) -> None:
    told = list(alice.hear("!image", "?html=live"))
    html = "".join("".join(one.data["blocks"]) for one in told if one.name == "html")
    address = addresses(html)[-1]
    assert address in addresses(alice.get(f"/c/{alice.conversation}").text)
    response = bob.get(address)
    assert response.status_code == 200 and recognize(response.content, PICTURES) == "image/png"
    assert {name: response.headers[name] for name in EXPECTED} == EXPECTED
    assert "Set-Cookie" not in response.headers and not bob.session.cookies
    assert int(response.headers["Content-Length"]) == len(response.content)
    assert bob.get(address + "x").status_code == 404
    assert bob.get(address.partition("?")[0]).status_code == 404


def test_an_answer_with_a_picture_is_drawn_once_a_day(site: Site, alice: Visitor) -> None:
    assert alice.ask("!image " + "说说这座桥的来历。" * 100).ok
    path = f"/c/{alice.conversation}"
    shown = addresses(alice.get(path).text)
    with closing(sqlite3.connect(site.folder / "instance" / "chat.db")) as db:
        query = "select version from drawings where answer_id = ?"
        ((version,),) = db.execute(query, [alice.message]).fetchall()
        assert shown and addresses(alice.get(path).text) == shown
        # As the next day, when the stored addresses are about to expire.
        db.execute(
            "update drawings set version = ?, blocks = replace(blocks, '/pictures/', '/old/')"
            " where answer_id = ?",
            [re.sub("-7[0-9]{5}-", "-700000-", version), alice.message],
        )
        db.commit()
        assert addresses(alice.get(path).text) == shown
        assert db.execute(query, [alice.message]).fetchall() == [(version,)]


EXPECTED = {
    "Content-Type": "image/png",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
    "Cache-Control": "private, max-age=86400",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def test_a_picture_beside_the_text_has_an_address_of_ours_for_the_page_only(
    emulator: Emulator, keep_site: Callable[..., Site]
) -> None:
    site = keep_site(
        QINGYAN_API_KEY="0a1b2c3d4e5f6071",
        QINGYAN_API_SECRET="00112233445566778899aabbccddeeff",
        QINGYAN_ASSISTANT_ID="aaaaaaaaaaaaaaaaaaaaaa01",
        QINGYAN_API_BASE=f"{emulator.url}/chatglm/assistant-api/v1",
        PICTURE_PATH=PICTURE,
    )
    alice = Visitor(site.url)
    (plain,) = [one.data for one in alice.hear("!image") if one.name == "media"]
    assert set(plain) == {"kind", "url"}
    (live,) = [one.data for one in alice.hear("!image", "?html=live") if one.name == "media"]
    (later,) = [one.data for one in alice.follow(0, "?html=live") if one.name == "media"]
    assert live == later and alice.get(live["picture"]).status_code == 200
    assert live["picture"] in addresses(alice.get(f"/c/{alice.conversation}").text)


def test_what_cannot_be_shown_is_refused_in_the_one_shape(start_site: Callable[..., Site]) -> None:
    site = start_site(
        SECRET_KEY=KEY, COZE_API_TOKEN="t", COZE_BOT_ID="1", COZE_API_BASE="http://127.0.0.1:9"
    )
    ours = pictures_of_site(KEY)
    with saying(b"<svg/>") as url:
        response = requests.get(
            f"{site.url}/pictures/{ours.sign(url)}", params={"url": url}, timeout=10
        )
    assert (response.status_code, response.json()["code"]) == (502, "unexpected")
    assert response.headers["Cache-Control"] == "no-store" and "Set-Cookie" not in response.headers


def test_the_agent_s_icon_is_an_address_of_ours(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator))
    alice = Visitor(site.url)
    assert eventually(lambda: addresses(alice.get("/").text))
    assert alice.get(addresses(alice.get("/").text)[0]).status_code == 200
