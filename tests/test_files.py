"""Files with a question: refused before they leave, found by their owner only, handed over when good."""

from collections.abc import Callable

import pytest
import requests

from tests.conftest import Emulator
from tests.site import Site, Visitor

PICTURE = b"\x89PNG\r\n\x1a\n" + b"0" * 64


def send(visitor: Visitor, name: str, data: bytes, agent: str = "coze") -> requests.Response:
    return visitor.post("/files", files={"file": (name, data)}, data={"agent": agent})


@pytest.fixture(scope="module")
def five(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """A site with all five platforms, which anybody may fetch files from."""
    return keep_site(DEMO_URL=emulator.url, UPLOAD_MAX_MB=1, PUBLIC_URL="https://chat.example.com")


@pytest.fixture
def alice(five: Site) -> Visitor:
    return Visitor(five.url)


@pytest.fixture
def bob(five: Site) -> Visitor:
    return Visitor(five.url)


@pytest.mark.parametrize(
    ("name", "data", "status", "code"),
    [
        ("program.exe", b"MZ", 415, "bad_input"),
        ("nameless", b"x", 415, "bad_input"),
        ("empty.png", b"", 400, "bad_input"),
        ("large.png", b"x" * 1_100_000, 413, "too_long"),
        ("../../etc/passwd.png", PICTURE, 400, "bad_input"),
        ("C:\\temp\\a.png", PICTURE, 400, "bad_input"),
        ("x" * 250 + ".png", PICTURE, 400, "bad_input"),
    ],
)
def test_what_is_refused_before_it_leaves(
    alice: Visitor, emulator: Emulator, name: str, data: bytes, status: int, code: str
) -> None:
    before = emulator.mark()
    response = send(alice, name, data)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert emulator.asked(before) == []


def test_no_file_and_two_files_are_refused(alice: Visitor) -> None:
    assert alice.post("/files", data={"agent": "coze"}).status_code == 400
    two = [("file", ("a.png", PICTURE)), ("file", ("b.png", PICTURE))]
    assert alice.post("/files", files=two).status_code == 400
    assert send(alice, "a.png", PICTURE, agent="nobody").status_code == 404


@pytest.mark.parametrize("agent", ["wenxin", "huawei"])
def test_an_agent_that_takes_none_says_so(alice: Visitor, agent: str) -> None:
    assert send(alice, "a.png", PICTURE, agent).status_code == 415


@pytest.mark.parametrize("agent", ["coze", "qingyan", "yuanqi"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_file_reaches_the_agent(alice: Visitor, emulator: Emulator, agent: str, stream: bool) -> None:
    sent = send(alice, "图片.png", PICTURE, agent)
    assert sent.status_code == 201
    assert sent.json()["size"] == len(PICTURE)
    body = {"message": "what is this?", "agent": agent, "files": [sent.json()["id"]], "stream": stream}
    response = alice.post(json=body)
    assert response.ok and "event: error" not in response.text, response.text
    asked = str(emulator.journal()["requests"][-12:])
    assert "file_id" in asked or "https://chat.example.com/files/" in asked


def test_a_form_brings_its_files_along(alice: Visitor) -> None:
    response = alice.post(
        data={"message": "look", "agent": "coze"},
        files=[("files", ("a.png", PICTURE))],
        headers={"Accept": "text/html"},
    )
    assert response.ok and "a.png" in response.text


def test_nobody_else_may_use_a_file(alice: Visitor, bob: Visitor) -> None:
    file_id = send(alice, "a.png", PICTURE).json()["id"]
    for ids, status in (([file_id], 404), (["unknown"], 404), ([1], 400), ("x", 400), ([file_id] * 11, 400)):
        response = bob.post(json={"message": "hi", "agent": "coze", "files": ids})
        assert response.status_code == status, ids
    assert bob.post(json={"message": "hi", "agent": "wenxin", "files": [file_id]}).status_code == 404


def test_the_platform_fetches_by_a_key_that_cannot_be_guessed(alice: Visitor, emulator: Emulator) -> None:
    file_id = send(alice, "a.png", PICTURE, "yuanqi").json()["id"]
    alice.post(json={"message": "hi", "agent": "yuanqi", "files": [file_id]})
    asked = str(emulator.journal()["requests"][-1])
    key = asked.partition("https://chat.example.com/files/")[2].partition("'")[0]
    fetched = requests.get(f"{alice.url}/files/{key}", timeout=10)
    assert fetched.content == PICTURE
    assert fetched.headers["Content-Disposition"] == "attachment"
    for wrong in (file_id, key[:-1], "x"):
        assert requests.get(f"{alice.url}/files/{wrong}", timeout=10).status_code == 404
