"""Bad questions of every kind get the contract's answer, and no platform hears of them.

Every route's failures, and their languages, are in test_error_shape.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from emulator.accounts import DEMO
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, Visitor

JSON = {"Content-Type": "application/json"}

REFUSED: list[tuple[str, Any, int, str]] = [
    ("no message", {}, 400, "bad_input"),
    ("a blank message", {"message": " \n\t　"}, 400, "bad_input"),
    ("a number", {"message": 5}, 400, "bad_input"),
    ("a list", {"message": ["hi"]}, 400, "bad_input"),
    ("null", {"message": None}, 400, "bad_input"),
    ("an escape character", {"message": "a\x1b[31mb"}, 400, "bad_input"),
    ("a lone surrogate", {"message": "a\ud800b"}, 400, "bad_input"),
    ("a megabyte", {"message": "x" * 1_000_000}, 413, "too_long"),
    ("an agent of a wrong type", {"message": "hi", "agent": 1}, 400, "bad_input"),
    ("a conversation of a wrong type", {"message": "hi", "conversation_id": {}}, 400, "bad_input"),
    ("a stream of a wrong type", {"message": "hi", "stream": "yes"}, 400, "bad_input"),
    (
        "an answer to follow, of no conversation",
        {"message": "hi", "after": "0" * 29},
        400,
        "bad_input",
    ),
    (
        "an answer to replace, of no conversation",
        {"message": "hi", "instead": "0" * 29},
        400,
        "bad_input",
    ),
    ("a list for a body", ["hi"], 400, "bad_input"),
    ("a word for a body", "hi", 400, "bad_input"),
    ("Coze's body with a number", {"bot_id": 1, "additional_messages": []}, 400, "bad_input"),
]


@pytest.mark.parametrize(
    ("what", "body", "status", "code"), REFUSED, ids=[case[0] for case in REFUSED]
)
def test_a_bad_question_is_refused_and_reaches_no_platform(
    alice: Visitor, emulator: Emulator, what: str, body: Any, status: int, code: str
) -> None:
    before = emulator.mark()
    response = alice.post(data=json.dumps(body).encode(), headers=JSON)
    assert_problem(response, status, code)
    assert emulator.asked(before) == [], "nothing reached the platform"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"message": NaN', b"[" * 50_000])
def test_a_body_that_is_no_json_is_refused(alice: Visitor, body: bytes) -> None:
    for path in ("/chat", "/c/nowhere/title"):
        assert_problem(alice.post(path, data=body, headers=JSON), 400, "bad_input")


def test_deeply_nested_coze_items_are_refused(alice: Visitor, emulator: Emulator) -> None:
    nest = {"role": "user", "content_type": "object_string", "content": "[" * 100_000}
    body = {"bot_id": DEMO["COZE_BOT_ID"], "user_id": "x", "additional_messages": [nest]}
    assert_problem(alice.post(json=body), 400, "bad_input")


@pytest.mark.parametrize("path", ["/chat", "/c/nowhere/title"])
@pytest.mark.parametrize("has_length", [True, False])
def test_an_oversized_body_is_refused(alice: Visitor, path: str, has_length: bool) -> None:
    """A megabyte and a half of brackets: read whole, it would hold up everybody else."""
    body = b"[" + b"[]," * 500_000 + b"[]]"
    response = alice.post(path, data=body if has_length else iter([body]), headers=JSON)
    assert_problem(response, 413, "too_long")


def test_the_longest_question_is_taken_in_escaped_emoji(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator), MAX_MESSAGE_CHARS=100_000)
    body = json.dumps({"message": "😀" * 99_000 + "!pieces 1"}).encode()
    assert len(body) > 1024 * 1024 and Visitor(site.url).post(data=body, headers=JSON).ok


def test_tabs_line_breaks_and_emoji_are_no_control_characters(alice: Visitor) -> None:
    response = alice.ask("a\tb\r\nc 👩‍👩‍👧")
    assert response.ok and "👩‍👩‍👧" in response.json()["replies"][0]


def test_the_longest_question_is_taken(alice: Visitor) -> None:
    assert alice.ask("字" * 8000).ok


def test_a_refused_question_loses_nothing(alice: Visitor) -> None:
    alice.ask("the first")
    alice.ask("\x00")
    alice.ask("x" * 9000)
    assert "the first" in alice.ask("!recall").json()["replies"][0]


def assert_problem(response: requests.Response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    body = response.json()
    assert body["code"] == code
    assert len(body["error"]) > 5
    assert set(body) <= {"error", "code", "retry_after", "id"}
