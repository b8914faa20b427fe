"""The emulated Yuanqi refuses what Yuanqi refuses, and answers in its shapes (platforms/yuanqi.md
§9).
"""

import json
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
import requests

from tests.kit.emulator import Emulator
from tests.kit.patience import eventually

PATH = "/openapi/v1/agent/chat/completions"
TOKEN = "Qk7DemoOnlyNotASecret00000000001"
HEADERS = {"Authorization": f"Bearer {TOKEN}", "X-Source": "openapi"}


def message(role: str, text: str = "你好") -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def body(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    all_messages = list(messages) or [message("user")]
    return {"assistant_id": "EmuAgent0001", "user_id": "u-17", "messages": all_messages, **more}


def post(emulator: Emulator, payload: Any, **options: Any) -> requests.Response:
    return requests.post(
        emulator.url + PATH, json=payload, **{"headers": HEADERS, "timeout": 10, **options}
    )


def frames(response: requests.Response) -> list[Any]:
    parts = response.content.decode().split("\n\n")
    assert parts.pop() == ""
    payloads = [part.removeprefix("data: ") for part in parts]
    return [payload if payload == "[DONE]" else json.loads(payload) for payload in payloads]


def with_content(content: Any) -> dict[str, Any]:
    return body({"role": "user", "content": content})


REFUSALS = {
    "no object": ["a list"],
    "no assistant": body(assistant_id=""),
    "assistant as a number": body(assistant_id=12),
    "no user": body(user_id=None),
    "stream as a word": body(stream="yes"),
    "no messages": {**body(), "messages": []},
    "41 messages": {
        **body(),
        "messages": [message("user"), message("assistant")] * 20 + [message("user")],
    },
    "a system message": body(message("system"), message("user")),
    "the assistant first": body(message("assistant"), message("user")),
    "the assistant last": body(message("user"), message("assistant")),
    "two questions in a row": body(message("user"), message("user")),
    "a string as content": with_content("你好"),
    "empty content": with_content([]),
    "empty text": with_content([{"type": "text", "text": ""}]),
    "an unknown part": with_content([{"type": "video", "video": "x"}]),
    "a part of a strange type": with_content([{"type": ["text"], "text": "x"}]),
    "a file without a type": with_content(
        [{"type": "file_url", "file_url": {"url": "http://a/b"}}]
    ),
    "an image without an address": with_content([{"type": "image_url", "image_url": {}}]),
    "variables that are no strings": body(custom_variables={"a": 1}),
    "the draft": body(chat_type="preview"),
    "an unpublished assistant": body(assistant_id="EmuAgent0002"),
}


@pytest.mark.parametrize("payload", REFUSALS.values(), ids=REFUSALS.keys())
@pytest.mark.parametrize("stream", [False, True])
def test_it_refuses_with_400(emulator: Emulator, payload: Any, stream: bool) -> None:
    if isinstance(payload, dict) and stream:
        payload = {"stream": True, **payload}
    response = post(emulator, payload)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert response.json()["error"]["code"] == "400"


@pytest.mark.parametrize("header", [None, "", TOKEN, "Bearer wrong", f"Basic {TOKEN}"])
def test_it_refuses_a_wrong_token_before_anything_else(
    emulator: Emulator, header: str | None
) -> None:
    response = post(
        emulator, "nonsense", headers={"Authorization": header} if header is not None else {}
    )
    assert (response.status_code, response.json()["error"]["type"]) == (401, "authentication_error")


@pytest.mark.parametrize("assistant", ["EmuAgent0003", "nobody"])
def test_it_refuses_an_agent_of_others(emulator: Emulator, assistant: str) -> None:
    assert post(emulator, body(assistant_id=assistant)).status_code == 403


def test_it_knows_one_path_and_one_method(emulator: Emulator) -> None:
    assert requests.get(emulator.url + PATH, timeout=5).status_code == 405
    other = requests.post(f"{emulator.url}/openapi/v1/chat/completions", json={}, timeout=5)
    assert (other.status_code, "error" in other.json()) == (404, True)


def test_the_older_host_demands_its_header(start_emulator: Callable[..., Emulator]) -> None:
    emulator = start_emulator(yuanqi_x_source=True)
    bare = {"Authorization": f"Bearer {TOKEN}"}
    assert post(emulator, body(), headers=bare).status_code == 400
    assert post(emulator, body()).status_code == 200


def test_a_whole_answer_has_the_recorded_shape(emulator: Emulator) -> None:
    answer = post(emulator, body(message("user", "!tool"))).json()
    assert list(answer) == ["id", "created", "choices", "assistant_id", "usage"]
    (choice,) = answer["choices"]
    assert list(choice) == ["finish_reason", "message"]
    assert [step["role"] for step in choice["message"]["steps"]] == [
        "assistant",
        "tool",
        "assistant",
    ]
    assert choice["message"]["steps"][-1]["content"] == choice["message"]["content"]
    assert answer["usage"]["total_tokens"] == sum(list(answer["usage"].values())[:2])


def test_a_stream_has_the_recorded_shape(emulator: Emulator) -> None:
    response = post(emulator, body(message("user", "!tool"), stream=True))
    assert response.headers["Content-Type"].startswith("text/event-stream")
    *deltas, end = frames(response)
    assert end == "[DONE]"
    assert len({(frame["id"], frame["created"]) for frame in deltas}) == 1
    assert all("index" not in frame["choices"][0] for frame in deltas)
    assert ["finish_reason" in frame["choices"][0] for frame in deltas] == [False] * (
        len(deltas) - 1
    ) + [True]
    assert [frame["usage"]["total_tokens"] > 0 for frame in deltas].index(True) == len(deltas) - 1
    assert deltas[0]["choices"][0]["delta"]["tool_calls"][0]["function"]["name"] == "timetable"
    assert deltas[1]["choices"][0]["delta"]["role"] == "tool"


def test_it_remembers_only_what_a_question_brings(emulator: Emulator) -> None:
    alone = post(emulator, body(message("user", "第二个 !recall"))).json()
    answer = post(
        emulator, body(message("user", "第一个"), message("assistant"), message("user", "!recall"))
    ).json()
    assert "第一个" not in alone["choices"][0]["message"]["content"]
    assert answer["choices"][0]["message"]["content"] == "第一个"


def test_files_and_parts_without_a_type_are_taken(emulator: Emulator) -> None:
    parts = [
        {"text": "看"},
        {"type": "file_url", "file_url": {"type": "pdf", "url": "http://a/b.pdf"}},
        {"type": "image_url", "image_url": {"url": "http://a/c.png"}},
    ]
    answer = post(emulator, with_content(parts)).json()["choices"][0]["message"]["content"]
    assert answer.endswith("收到附件：pdf http://a/b.pdf、image http://a/c.png")


def test_ten_at_once_and_no_more(start_emulator: Callable[..., Emulator]) -> None:
    emulator = start_emulator()
    running = [
        post(emulator, body(message("user", "!pause 30"), stream=True), stream=True)
        for _ in range(10)
    ]
    refusal = post(emulator, body())
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (429, "concurrency")
    assert len(emulator.violations("concurrency")) == 1
    running.pop().close()
    assert eventually(lambda: post(emulator, body()).status_code != 429), (
        "a caller who has left still counts"
    )
    for response in running:
        response.close()


def test_calls_without_a_stream_count_while_they_last(
    start_emulator: Callable[..., Emulator],
) -> None:
    emulator = start_emulator()
    threads = [
        Thread(target=post, args=(emulator, body(message("user", "!slow 1")))) for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    assert post(emulator, body()).status_code == 429
    for thread in threads:
        thread.join()
    assert post(emulator, body()).status_code == 200


def test_the_account_runs_dry(start_emulator: Callable[..., Emulator]) -> None:
    emulator = start_emulator(yuanqi_tokens=50)
    assert post(emulator, body()).status_code == 200
    refusal = post(emulator, body(stream=True))
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (429, "quota")


def test_codes_come_as_words_and_as_numbers(emulator: Emulator) -> None:
    assert post(emulator, body(message("user", "!code 1001"))).json()["error"]["code"] == "1001"
    assert (
        post(emulator, body(message("user", "!code 1001 !numeric"))).json()["error"]["code"] == 1001
    )


def test_the_last_frame_may_carry_text(emulator: Emulator) -> None:
    *_, last, _ = frames(post(emulator, body(message("user", "!tail"), stream=True)))
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["choices"][0]["delta"]["content"]


def test_variables_and_ids_are_in_the_journal(start_emulator: Callable[..., Emulator]) -> None:
    emulator = start_emulator()
    post(emulator, body(custom_variables={"campus": "east"}, unheard_of=1))
    (entry,) = emulator.journal()["requests"]
    assert entry["platform"] == "yuanqi"
    assert entry["body"]["custom_variables"] == {"campus": "east"}
    assert len(entry["ids"]["chat_id"]) == 32
