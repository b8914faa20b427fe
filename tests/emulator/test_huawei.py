"""The emulated engine refuses what Huawei's refuses, and answers in its shapes
(platforms/huawei.md §9).
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.kit.emulator import Emulator

PREFIX = "/v1/routes/open/7c0e1d52-0000-4a00-9000-00000000a"
KEY = "sk-demo-only-not-a-secret"
HEADERS = {"Authorization": f"Bearer {KEY}"}


def post(emulator: Emulator, payload: Any, agent: str = "001", **options: Any) -> requests.Response:
    url = f"{emulator.url}{PREFIX}{agent}/execute"
    return requests.post(url, json=payload, **{"headers": HEADERS, "timeout": 10, **options})


def objects(response: requests.Response) -> list[Any]:
    lines = [line for line in response.content.decode().splitlines() if line]
    return [json.loads(line.removeprefix("data:")) for line in lines if line != "data: [DONE]"]


def text(response: requests.Response) -> str:
    return "".join(piece["data"].get("content", "") for piece in objects(response))


REFUSALS = {
    "no object": (["a list"], 400, "AIAE.31001701"),
    "no query": ({"memory": []}, 400, "AIAE.31001701"),
    "an empty query": ({"query": ""}, 400, "AIAE.31001701"),
    "a memory that is no list": ({"query": "x", "memory": {}}, 200, "AIAE.22001004"),
    "a system entry": (
        {"query": "x", "memory": [{"role": "system", "content": "y"}]},
        200,
        "AIAE.22001004",
    ),
    "an empty entry": (
        {"query": "x", "memory": [{"role": "user", "content": ""}]},
        200,
        "AIAE.22001004",
    ),
    "a user as a number": ({"query": "x", "user_id": 1}, 200, "AIAE.22001004"),
    "a conversation as a number": ({"query": "x", "conversation_id": 1}, 200, "AIAE.22001004"),
    "unknown variables": ({"query": "x", "variables": {"others": {}}}, 200, "AIAE.22001004"),
    "variables as a list": (
        {"query": "x", "variables": {"common_variables": []}},
        200,
        "AIAE.22001004",
    ),
    "a sensitive word": ({"query": "说说模拟敏感词"}, 400, "AIAE.31001601"),
}


@pytest.mark.parametrize(("payload", "status", "code"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_it_refuses(emulator: Emulator, payload: Any, status: int, code: str) -> None:
    response = post(emulator, payload)
    assert (response.status_code, response.json()["error_code"]) == (status, code)
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("agent", "code"),
    [("002", "AIAE.22001001"), ("003", "AIAE.22001008"), ("999", "AIAE.22001001")],
)
def test_which_agents_it_refuses(emulator: Emulator, agent: str, code: str) -> None:
    response = post(emulator, {}, agent)
    assert (response.status_code, response.json()["error_code"]) == (200, code)


@pytest.mark.parametrize("header", [None, KEY, "Bearer sk-wrong", "Bearer wrong", f"Basic {KEY}"])
def test_who_it_refuses(start_emulator: Callable[..., Emulator], header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    at_gateway = post(start_emulator(), {}, headers=headers)
    assert (at_gateway.status_code, at_gateway.json()["error_code"]) == (401, "APIGW.0303")
    in_app = post(start_emulator(huawei_auth="app"), {}, headers=headers)
    assert (in_app.status_code, in_app.json()["error_code"]) == (200, "AIAE.22001003")


def test_unknown_paths_are_the_gateways(emulator: Emulator) -> None:
    url = f"{emulator.url}{PREFIX}001"
    for answer in (
        requests.get(f"{url}/execute", timeout=5),
        requests.post(f"{url}/run", timeout=5),
    ):
        assert (answer.status_code, answer.json()["error_code"]) == (404, "APIGW.0101")
        assert answer.json()["request_id"]


def test_sensitive_variables_go_with_every_call(emulator: Emulator) -> None:
    assert post(emulator, {"query": "x"}, "004").json()["error_code"] == "AIAE.22001004"
    variables = {"common_variables": {}, "sensitive_variables": {"student_pass": "1234"}}
    assert "你" in text(post(emulator, {"query": "你好", "variables": variables}, "004"))


def test_both_ids_together_make_a_conversation(emulator: Emulator) -> None:
    ids = {"user_id": "u-1", "conversation_id": "c-both"}
    assert "第 1 个" in text(post(emulator, {"query": "一"} | ids))
    assert text(post(emulator, {"query": "!recall"} | ids)) == "一"
    for alone in ({"user_id": "u-1"}, {"conversation_id": "c-both"}, ids | {"user_id": "u-2"}):
        assert "一" not in text(post(emulator, {"query": "!recall"} | alone)).replace("第一", "")


def test_memory_wins_and_leaves_no_trace(start_emulator: Callable[..., Emulator]) -> None:
    emulator = start_emulator()
    ids = {"user_id": "u-1", "conversation_id": "c-1"}
    post(emulator, {"query": "旧的"} | ids)
    memory = [{"role": "user", "content": "给的"}, {"role": "assistant", "content": "好"}]
    assert text(post(emulator, {"query": "!recall", "memory": memory} | ids)) == "给的"
    assert len(emulator.violations("both_contexts")) == 1
    assert text(post(emulator, {"query": "!recall"} | ids)) == "旧的"
    assert text(post(emulator, {"query": "!recall", "memory": []} | ids)) == "旧的 | !recall"
    emulator.change(huawei_empty_memory_counts=True)
    assert "旧的" not in text(post(emulator, {"query": "!recall", "memory": []} | ids))


def test_it_remembers_a_few_rounds_that_ended_well(start_emulator: Callable[..., Emulator]) -> None:
    emulator = start_emulator(huawei_rounds=2)
    ids = {"user_id": "u-1", "conversation_id": "c-1"}
    for query in ("一", "二", "三", "!late-error", "四"):
        post(emulator, {"query": query} | ids)
    assert text(post(emulator, {"query": "!recall"} | ids)) == "三 | 四"
    gone = requests.delete(
        f"{emulator.url}{PREFIX}001/memory?type=conversation", headers=HEADERS, timeout=5
    )
    assert gone.json() == {"data": {"result": True}}
    assert "四" not in text(post(emulator, {"query": "!recall"} | ids))


@pytest.mark.parametrize(
    ("framing", "start", "kind"),
    [
        ("sse_nospace", b"data:{", "text/event-stream"),
        ("sse_space", b"data: {", "text/event-stream"),
        ("sse_done", b"data: {", "text/event-stream"),
        ("ndjson", b"{", "application/x-ndjson"),
    ],
)
def test_framings(
    start_emulator: Callable[..., Emulator], framing: str, start: bytes, kind: str
) -> None:
    response = post(start_emulator(huawei_framing=framing), {"query": "你好 !pieces 2"})
    lines = [line for line in response.content.split(b"\n") if line]
    assert response.headers["Content-Type"].startswith(kind)
    assert all(line.startswith(start) for line in lines[:2])
    assert lines[2:] == ([b"data: [DONE]"] if framing == "sse_done" else [])


def test_the_shape_of_objects(start_emulator: Callable[..., Emulator]) -> None:
    emulator = start_emulator(huawei_types="A B C x y z")
    ids = {
        "query": "!tool !workflow !knowledge !pieces 1",
        "user_id": "u",
        "conversation_id": "c",
    }
    pieces = objects(post(emulator, ids))
    assert [piece["type"] for piece in pieces] == ["A", "B", "A", "B", "A", "B", "C"]
    assert [piece["data"]["type"] for piece in pieces if piece["type"] == "A"] == ["x", "y", "z"]
    assert {(piece["user_id"], piece["conversation_id"]) for piece in pieces} == {("u", "c")}
    assert len({piece["request_id"] for piece in pieces}) == 1
    assert pieces[1]["data"]["status"] == "success"


@pytest.mark.parametrize(("empty", "left"), [("empty", {"url": {}, "raw": {}}), ("missing", {})])
def test_what_has_no_value(start_emulator: Callable[..., Emulator], empty: str, left: Any) -> None:
    (piece,) = objects(post(start_emulator(huawei_empty=empty), {"query": "x !pieces 1"}))
    assert {
        key: value for key, value in piece["data"].items() if key not in ("id", "content")
    } == left


def test_ids_that_the_caller_left_out(start_emulator: Callable[..., Emulator]) -> None:
    blank = objects(post(start_emulator(), {"query": "x"}))
    assert {piece["conversation_id"] for piece in blank} == {""}
    generated = objects(post(start_emulator(huawei_ids="generated"), {"query": "x"}))
    assert len(next(iter({piece["conversation_id"] for piece in generated}))) == 32


def test_ordered_failures(emulator: Emulator) -> None:
    for word, status, code in [
        ("!http 500", 500, "AIAE.22009001"),
        ("!http 408", 408, "AIAE.31001003"),
        ("!http 504", 504, "APIGW.0201"),
        ("!code 22001007", 200, "AIAE.22001007"),
        ("!apigw 201 413", 413, "APIGW.0201"),
        ("!busy", 429, "APIGW.0308"),
    ]:
        response = post(emulator, {"query": word})
        assert (response.status_code, response.json()["error_code"]) == (status, code), word
    assert post(emulator, {"query": "!html 504"}).headers["Content-Type"].startswith("text/html")
    assert post(emulator, {"query": "!empty"}).content == b""
