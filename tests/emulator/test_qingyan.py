"""The emulated Qingyan is strict: its refusals, in their order and form, and its magic words."""

import json
import threading
import time
from itertools import pairwise

import pytest
import requests

from emulator.accounts import DEMO
from tests.kit.patience import ALLOWANCE

ROOT = "/chatglm/assistant-api/v1"
AGENT = DEMO["QINGYAN_ASSISTANT_ID"]
KEYS = {"api_key": DEMO["QINGYAN_API_KEY"], "api_secret": DEMO["QINGYAN_API_SECRET"]}
OTHER_KEYS = {"api_key": "0a1b2c3d4e5f6072", "api_secret": "00112233445566778899aabbccddee02"}


class Api:
    """One developer who calls one emulator."""

    def __init__(self, emulator, keys: dict = KEYS) -> None:
        self.emulator, self.url = emulator, emulator.url + ROOT
        self.token = self.post("get_token", keys, token=None).json()["result"]["access_token"]

    def post(
        self, path: str, body: object = None, token: str | None = "own", **more
    ) -> requests.Response:
        bearer = self.token if token == "own" else token
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return requests.post(f"{self.url}/{path}", json=body, headers=headers, timeout=10, **more)

    def ask(self, prompt: str = "你好", path: str = "stream_sync", **fields) -> requests.Response:
        return self.post(path, {"assistant_id": AGENT, "prompt": prompt} | fields)

    def stream(self, prompt: str = "你好", **fields) -> list[dict]:
        return events(self.ask(prompt, "stream", **fields).content.decode())

    def upload(
        self, name: str = "x.pdf", field: str = "file", data: bytes = b"x"
    ) -> requests.Response:
        return self.post("file_upload", files={field: (name, data)})


@pytest.fixture
def api(emulator) -> Api:
    return Api(emulator)


def events(body: str) -> list[dict]:
    blocks = [block.split("\n", 1) for block in body.replace("\r", "").split("\n\n") if block]
    assert all(name.replace(" ", "") == "event:message" for name, _ in blocks)
    return [json.loads(data.removeprefix("data:")) for _, data in blocks]


def refusal(response: requests.Response) -> tuple[int, int]:
    return response.status_code, response.json()["status"]


def texts(frames: list[dict]) -> list[str]:
    contents = [frame["message"].get("content", {}) for frame in frames]
    return [content["text"] for content in contents if content.get("type") == "text"]


# get_token


def test_a_token_is_a_grant_of_ten_days_with_its_end(emulator):
    payload = requests.post(f"{emulator.url}{ROOT}/get_token", json=KEYS, timeout=5).json()
    assert (payload["status"], payload["message"]) == (0, "success")
    assert payload["result"]["expires_in"] == 864_000
    assert abs(payload["result"]["token_expires"] - time.time() - 864_000) < 5
    assert payload["result"]["access_token"].startswith("eyJ")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, (401, 1002)),
        ({"api_key": 1, "api_secret": 2}, (401, 1002)),
        (KEYS | {"api_secret": "wrong"}, (401, 1002)),
        (
            {"api_key": "0a1b2c3d4e5f6073", "api_secret": "00112233445566778899aabbccddee03"},
            (403, 1001),
        ),
        (
            {"api_key": "0a1b2c3d4e5f6074", "api_secret": "00112233445566778899aabbccddee04"},
            (401, 1002),
        ),
    ],
)
def test_keys_that_are_no_good(api, keys, expected):
    assert refusal(api.post("get_token", keys, token=None)) == expected


# Who may call, in which order


@pytest.mark.parametrize("path", ["stream", "stream_sync", "suggest/prompts", "file_upload"])
@pytest.mark.parametrize("token", [None, "forged"])
def test_no_call_without_a_good_token(start_emulator, path, token):
    emulator = start_emulator()
    api = Api(emulator)
    assert refusal(api.post(path, {}, token=token)) == (401, 401)
    emulator.change(qingyan_token_refusal="10018")
    assert refusal(api.post(path, {}, token=token)) == (403, 10018)


def test_a_token_ends(start_emulator):
    api = Api(start_emulator(qingyan_token_life_s=1))
    assert api.ask().status_code == 200
    time.sleep(1.05)
    assert refusal(api.ask()) == (401, 401)


def test_the_order_of_the_checks(start_emulator):
    emulator = start_emulator(qingyan_daily=1)
    api = Api(emulator)
    lost = [{"file_id": "gone"}]
    emulator.change(qingyan_key_state="disabled")
    assert refusal(api.ask(assistant_id="nobody")) == (403, 10004)
    emulator.change(qingyan_key_state="deleted")
    assert refusal(api.ask(assistant_id="nobody")) == (400, 10003)
    emulator.change(qingyan_key_state="active")
    assert refusal(api.ask(assistant_id="aaaaaaaaaaaaaaaaaaaaaa03", file_list=lost)) == (403, 10010)
    assert refusal(api.ask(assistant_id="aaaaaaaaaaaaaaaaaaaaaa02", file_list=lost)) == (403, 10018)
    assert refusal(api.ask(assistant_id="nobody", file_list=lost)) == (403, 10018)
    assert api.ask().status_code == 200
    assert refusal(api.ask(file_list=lost)) == (400, 10005)
    emulator.change(qingyan_concurrency=1)
    assert refusal(api.ask()) == (403, 10008)
    assert len(emulator.violations("quota")) == 1


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"assistant_id": AGENT},
        {"assistant_id": AGENT, "prompt": ""},
        {"assistant_id": AGENT, "prompt": "x", "messages": []},
        {"assistant_id": AGENT, "prompt": "x", "file_list": ["id"]},
        {"assistant_id": AGENT, "prompt": "x", "file_list": [{"id": "x"}]},
    ],
)
def test_a_body_the_document_does_not_know_is_refused(start_emulator, body):
    emulator = start_emulator()
    assert refusal(Api(emulator).post("stream", body)) == (400, 1)
    assert len(emulator.violations("bad_request")) == 1


def test_unknown_paths_and_methods(api):
    assert api.post("history").status_code == 404
    assert requests.get(f"{api.url}/stream", timeout=5).status_code == 405


def test_conversations_are_their_owners(emulator, api):
    conversation = api.ask().json()["result"]["conversation_id"]
    other = Api(emulator, OTHER_KEYS)
    theirs = {"assistant_id": "aaaaaaaaaaaaaaaaaaaaaa02", "conversation_id": conversation}
    assert refusal(other.ask(**theirs)) == (401, 12002)
    assert refusal(other.post("suggest/prompts", {"conversation_id": conversation})) == (401, 12002)
    assert refusal(api.ask(conversation_id="f" * 24)) == (400, 12001)
    assert refusal(api.post("suggest/prompts", {})) == (400, 12001)


# The answers


def test_each_event_repeats_its_message_and_the_last_one_all_of_it(api):
    frames = api.stream("你好 !pieces 3")
    assert frames[0]["status"] == "init" and frames[0]["message"] == {}
    replies = texts(frames)
    assert all(later.startswith(earlier) for earlier, later in pairwise(replies))
    assert replies[-1] == replies[-2] == "你说：你好 !pieces 3\n\n这是第 1 个问题。"
    assert frames[-1]["status"] == frames[-1]["message"]["status"] == "finish"
    assert len({(frame["conversation_id"], frame["history_id"]) for frame in frames}) == 1


def test_text_starts_again_after_a_tool(api):
    kinds = [frame["message"]["content"]["type"] for frame in api.stream("!two !pieces 1")[1:]]
    assert kinds == ["text", "text", "tool_calls", "browser_result", "text", "text"]


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        ("!tool", {"tool_calls", "browser_result", "text"}),
        ("!cite", {"tool_calls", "browser_result", "quote_result", "text"}),
        ("!python", {"code", "execution_output", "text"}),
        ("!failing", {"tool_calls", "system_error", "text"}),
        ("!rag", {"rag_slices", "text"}),
        ("!plugin", {"tool_calls", "function_result", "text"}),
        ("!image", {"tool_calls", "image", "text"}),
        ("!think", {"think", "text"}),
    ],
)
def test_every_type_of_content_both_ways(api, words, kinds):
    assert {frame["message"]["content"]["type"] for frame in api.stream(words)[1:]} == kinds
    output = api.ask(words).json()["result"]["output"]
    assert {part["content"][0]["type"] for part in output} == kinds


def test_stream_sync_tells_content_as_a_list_or_an_object(start_emulator):
    emulator = start_emulator()
    api = Api(emulator)
    part = api.ask().json()["result"]["output"][0]
    assert (
        part["content"][0]["type"] == "text" and part["meta_data"]["usage"]["prompt_tokens"] == 200
    )
    emulator.change(qingyan_array_content=False)
    assert api.ask().json()["result"]["output"][0]["content"]["type"] == "text"


@pytest.mark.parametrize(
    ("words", "code"),
    [("!late-error", "10024"), ("!late-code 10027", "10027"), ("!blocked-late", "10031")],
)
def test_failures_in_the_middle(api, words, code):
    frames = api.stream(f"你好 {words}")
    assert texts(frames) and frames[-1]["status"] == "error"
    assert frames[-1]["last_error"]["error_code"] == code
    result = api.ask(words).json()["result"]
    assert (result["status"], result["output"], result["last_error"]["error_code"]) == (
        "error",
        [],
        code,
    )


def test_moderation_at_once_in_both_forms(api):
    assert [frame["status"] for frame in api.stream("!blocked")] == ["init", "error"]
    frames = api.stream("!intervene")
    assert [frame["status"] for frame in frames] == ["init", "intervene"]
    assert frames[-1]["last_error"]["intervene_text"]


@pytest.mark.parametrize("switch", ["qingyan_data_space", "qingyan_escaped_json"])
def test_spelling(start_emulator, switch):
    emulator = start_emulator(qingyan_data_space=False, qingyan_escaped_json=False)
    api = Api(emulator)
    plain = api.ask("你好", "stream").content
    emulator.change(**{switch: True})
    changed = api.ask("你好", "stream").content
    spelling = b"data: {" if switch == "qingyan_data_space" else b"\\u4f60"
    assert spelling in changed and spelling not in plain


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (10003, 400),
        (10005, 400),
        (10007, 403),
        (10018, 403),
        (11003, 500),
        (12001, 400),
        (12002, 401),
    ],
)
def test_a_code_comes_with_its_status(api, code, status):
    assert refusal(api.ask(f"!code {code}")) == (status, code)


# Files, follow-up questions, how many at once


def test_a_file_is_for_its_owner_only(emulator, api):
    file_id = api.upload().json()["result"]["file_id"]
    assert api.ask(file_list=[{"file_id": file_id, "extra": 1}]).status_code == 200
    other = Api(emulator, OTHER_KEYS)
    theirs = {"assistant_id": "aaaaaaaaaaaaaaaaaaaaaa02", "file_list": [{"file_id": file_id}]}
    assert refusal(other.ask(**theirs)) == (400, 10005)


def test_an_upload_that_is_wrong(start_emulator):
    api = Api(start_emulator(qingyan_upload_limit=10))
    assert refusal(api.upload(field="document")) == (400, 1)
    assert refusal(api.upload(data=b"x" * 11)) == (400, 11006)
    assert refusal(api.upload("!busy x.pdf")) == (403, 10006)


def test_follow_up_questions_are_of_the_last_finished_turn(start_emulator):
    emulator = start_emulator()
    api = Api(emulator)
    first = api.ask("你好").json()["result"]
    ids = {"conversation_id": first["conversation_id"]}
    by_log = ids | {"log_id": first["history_id"]}

    def prompts(body: dict) -> list[str]:
        return api.post("suggest/prompts", body).json()["result"]["list"]

    assert prompts(by_log) == []
    assert len(prompts(ids)) == 3
    assert prompts(by_log) == prompts(ids)
    with requests.post(
        f"{api.url}/stream",
        json={"assistant_id": AGENT, "prompt": "hello !pause 5", **ids},
        headers={"Authorization": f"Bearer {api.token}"},
        stream=True,
        timeout=5,
    ) as response:
        next(response.iter_content(10))
        assert prompts(ids) == prompts(by_log)
    assert emulator.violations("early_suggest")


@pytest.mark.parametrize("path", ["stream", "stream_sync"])
def test_a_call_counts_until_its_stream_is_closed_also_by_the_reader(start_emulator, path):
    emulator = start_emulator(qingyan_concurrency=1)
    api = Api(emulator)
    started = threading.Event()

    def leave_early() -> None:
        with pytest.raises(requests.RequestException):
            requests.post(
                f"{api.url}/{path}",
                json={"assistant_id": AGENT, "prompt": "!slow 20"},
                headers={"Authorization": f"Bearer {api.token}"},
                timeout=ALLOWANCE,
            )
        started.set()

    thread = threading.Thread(target=leave_early)
    thread.start()
    time.sleep(0.3)
    assert refusal(api.ask()) == (403, 10007)
    assert refusal(api.upload()) == (403, 10006)
    assert len(emulator.violations("concurrency")) == 2
    thread.join()
    until = time.monotonic() + 5
    while (answered := api.ask().status_code) != 200 and time.monotonic() < until:
        time.sleep(0.1)
    assert answered == 200
    assert emulator.journal()["disconnected"]


def test_the_journal_knows_the_ids_and_not_the_keys(start_emulator):
    emulator = start_emulator()
    Api(emulator).ask()
    journal = emulator.journal()
    assert set(journal["requests"][-1]["ids"]) == {"conversation_id", "history_id"}
    assert journal["requests"][-1]["platform"] == "qingyan"
    assert DEMO["QINGYAN_API_SECRET"] not in json.dumps(journal)
