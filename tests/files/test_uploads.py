"""Files of questions are checked, private to their visitor, and handed to the platform."""

from collections.abc import Callable

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from chat.file_types import KINDS, OFFICE, content_type
from providers import PLATFORMS
from tests.kit.emulator import Emulator
from tests.kit.site import Site, Visitor

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
def test_a_file_reaches_the_agent(
    alice: Visitor, emulator: Emulator, agent: str, stream: bool
) -> None:
    sent = send(alice, "图片.png", PICTURE, agent)
    assert sent.status_code == 201
    assert sent.json()["size"] == len(PICTURE)
    body = {
        "message": "what is this?",
        "agent": agent,
        "files": [sent.json()["id"]],
        "stream": stream,
    }
    response = alice.post(json=body)
    assert response.ok and "event: error" not in response.text, response.text
    asked = str(emulator.journal()["requests"][-12:])
    assert "file_id" in asked or "https://chat.example.com/files/" in asked


BOX = b"\0\0\0\x18ftyp"
ZIP = b"PK\x03\x04" + b"\0" * 26
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 64
GOOD = [
    ("a.png", PICTURE, "image/png"),
    ("a.JPG", b"\xff\xd8\xff\xe0" + b"0" * 20, "image/jpeg"),
    ("a.jpeg", b"\xff\xd8\xff\xe1", "image/jpeg"),
    ("a.gif", b"GIF89a" + b"0" * 20, "image/gif"),
    ("a.webp", b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
    ("a.bmp", b"BM" + b"0" * 20, "image/bmp"),
    ("a.tiff", b"II*\0" + b"0" * 20, "image/tiff"),
    ("a.heic", BOX + b"heic", "image/heic"),
    ("a.pdf", b"%PDF-1.7\n", "application/pdf"),
    ("a.doc", OLE, "application/msword"),
    ("a.doc", b"{\\rtf1 hello}", "application/msword"),
    ("a.xls", OLE, "application/vnd.ms-excel"),
    (
        "a.docx",
        ZIP + b"word/document.xml",
        f"{OFFICE}wordprocessingml.document",
    ),
    ("a.xlsx", ZIP + b"xl/workbook.xml", f"{OFFICE}spreadsheetml.sheet"),
    (
        "a.pptx",
        ZIP + b"ppt/slides/",
        f"{OFFICE}presentationml.presentation",
    ),
    ("a.zip", ZIP, "application/zip"),
    ("a.rar", b"Rar!\x1a\x07\x01\0", "application/vnd.rar"),
    ("a.7z", b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    ("a.gz", b"\x1f\x8b\x08", "application/gzip"),
    ("a.bz2", b"BZh9", "application/x-bzip2"),
    ("a.wav", b"RIFF\x10\0\0\0WAVEfmt ", "audio/wav"),
    ("a.mp3", b"ID3\x04", "audio/mpeg"),
    ("a.mp3", b"\xff\xfb\x90\x44", "audio/mpeg"),
    ("a.aac", b"\xff\xf1\x50\x80", "audio/aac"),
    ("a.flac", b"fLaC\0", "audio/flac"),
    ("a.m4a", BOX + b"M4A ", "audio/mp4"),
    ("a.ogg", b"OggS\0", "audio/ogg"),
    ("a.mp4", BOX + b"isom", "video/mp4"),
    ("a.mov", b"\0\0\0\x08wide", "video/quicktime"),
    ("a.avi", b"RIFF\x10\0\0\0AVI LIST", "video/x-msvideo"),
    ("a.mkv", b"\x1a\x45\xdf\xa3", "video/x-matroska"),
    ("a.csv", "城市,人口\n上海,2487\n".encode(), "text/csv"),
    ("a.csv", "城市,人口\n上海,2487\n".encode("gbk"), "text/csv"),
    ("a.py", b"print('hi')\n", "text/plain"),
]
CONTRADICTIONS = [
    ("page.png", b"<html><script>alert(1)</script></html>"),
    ("page.csv", b"a,b\0c"),
    ("text.py", PICTURE),
    ("text.csv", b"\xff\xfe\x81"),
    ("picture.jpg", b"%PDF-1.7"),
    ("letter.pdf", PICTURE),
    ("picture.jpg", b"RIFF\x10\0\0\0AVI LIST"),
    ("table.xlsx", ZIP + b"word/document.xml"),
    ("letter.docx", OLE),
    ("letter.docx", ZIP),
    ("letter.pdf", b"MZ\x90\0"),
    ("song.mp3", b"RIFF\x10\0\0\0WAVEfmt "),
    ("picture.webp", b"RIFF\x10\0\0\0WAVEfmt "),
    ("film.mp4", b"\x1a\x45\xdf\xa3"),
    ("archive.zip", b"Rar!\x1a\x07\x01\0"),
]


@pytest.mark.parametrize(("name", "data", "kind"), GOOD)
def test_a_file_is_typed_by_its_bytes(alice: Visitor, name: str, data: bytes, kind: str) -> None:
    sent = send(alice, name, data)
    assert sent.status_code == 201, sent.text
    assert sent.json()["content_type"] == kind


@pytest.mark.parametrize(("name", "data"), CONTRADICTIONS)
def test_a_file_that_is_not_what_its_name_says_is_refused(
    alice: Visitor, name: str, data: bytes
) -> None:
    refused = send(alice, name, data)
    assert (refused.status_code, refused.json()["code"]) == (415, "bad_input")
    assert refused.json()["error"]


@pytest.mark.parametrize(
    ("name", "data", "true_name", "content_type"),
    [
        ("mmexport17.jpg", b"RIFF\x10\0\0\0WEBPVP8 ", "mmexport17.webp", "image/webp"),
        ("picture.v2.WEBP", PICTURE, "picture.v2.png", "image/png"),
        ("photo.png", b"\xff\xd8\xff\xe0", "photo.jpg", "image/jpeg"),
        ("sticker.jpeg", b"GIF89a", "sticker.gif", "image/gif"),
    ],
)
def test_of_a_picture_the_bytes_are_believed(
    alice: Visitor, emulator: Emulator, name: str, data: bytes, true_name: str, content_type: str
) -> None:
    sent = send(alice, name, data, "yuanqi")
    assert sent.status_code == 201, sent.text
    assert (sent.json()["name"], sent.json()["content_type"]) == (true_name, content_type)
    assert alice.post(json={"message": "看", "agent": "yuanqi", "files": [sent.json()["id"]]}).ok
    asked = str(emulator.journal()["requests"][-1])
    assert "image_url" in asked
    key = asked.partition("https://chat.example.com/files/")[2].partition("'")[0]
    fetched = requests.get(f"{alice.url}/files/{key}", timeout=10)
    assert fetched.headers["Content-Disposition"] == f"attachment; filename={true_name}"
    assert fetched.headers["Content-Type"] == content_type


def test_a_picture_of_a_kind_that_the_agent_does_not_take_is_refused(alice: Visitor) -> None:
    heic = BOX + b"heic"
    assert send(alice, "photo.jpg", heic, "coze").json()["content_type"] == "image/heic"
    assert send(alice, "photo.jpg", heic, "qingyan").status_code == 415
    assert send(alice, "photo.heic", b"\xff\xd8\xff\xe0", "qingyan").json()["name"] == "photo.jpg"


def test_what_a_browser_calls_a_file_counts_for_nothing(alice: Visitor) -> None:
    sent = alice.post(
        "/files", files={"file": ("a.png", PICTURE, "text/html")}, data={"agent": "coze"}
    )
    assert sent.json()["content_type"] == "image/png"


def test_every_ending_that_an_agent_takes_has_its_kind() -> None:
    endings = {ending for row in PLATFORMS.values() for ending in (*row.files, *row.images)}
    assert endings == set(KINDS), "a kind is missing, or nobody takes it"


@given(st.binary(max_size=64), st.sampled_from(sorted(KINDS)))
def test_any_bytes_have_a_kind_or_none(data: bytes, ending: str) -> None:
    kind = content_type(ending, data)
    assert kind is None or "html" not in kind


def test_a_form_brings_its_files_along(alice: Visitor) -> None:
    response = alice.post(
        data={"message": "look", "agent": "coze"},
        files=[("files", ("a.png", PICTURE))],
        headers={"Accept": "text/html"},
    )
    assert response.ok and "a.png" in response.text


def test_nobody_else_may_use_a_file(alice: Visitor, bob: Visitor) -> None:
    file_id = send(alice, "a.png", PICTURE).json()["id"]
    for ids, status in (
        ([file_id], 404),
        (["unknown"], 404),
        ([1], 400),
        ("x", 400),
        ([file_id] * 11, 400),
    ):
        response = bob.post(json={"message": "hi", "agent": "coze", "files": ids})
        assert response.status_code == status, ids
    assert (
        bob.post(json={"message": "hi", "agent": "wenxin", "files": [file_id]}).status_code == 404
    )


def test_the_platform_fetches_by_a_key_that_cannot_be_guessed(
    alice: Visitor, emulator: Emulator
) -> None:
    file_id = send(alice, "a.png", PICTURE, "yuanqi").json()["id"]
    alice.post(json={"message": "hi", "agent": "yuanqi", "files": [file_id]})
    asked = str(emulator.journal()["requests"][-1])
    key = asked.partition("https://chat.example.com/files/")[2].partition("'")[0]
    fetched = requests.get(f"{alice.url}/files/{key}", timeout=10)
    assert fetched.content == PICTURE
    assert fetched.headers["Content-Disposition"] == "attachment; filename=a.png"
    assert fetched.headers["Content-Type"] == "image/png"
    assert fetched.headers["X-Content-Type-Options"] == "nosniff"
    assert fetched.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    for wrong in (file_id, key[:-1], "x"):
        assert requests.get(f"{alice.url}/files/{wrong}", timeout=10).status_code == 404
