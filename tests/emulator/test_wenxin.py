"""The emulated Wenxin is strict: its refusals, in their order and form, and its magic words."""

import json
import time

import pytest
import requests

from emulator.accounts import DEMO

APP, SECRET = DEMO["WENXIN_APP_ID"], DEMO["WENXIN_SECRET_KEY"]
KEYS = {"appId": APP, "secretKey": SECRET}
OFFLINE = {
    "appId": "EmuAgentAAAAAAAAAAAAAAAAAAAAAA02",
    "secretKey": "EmuSecretBBBBBBBBBBBBBBBBBBBBB02",
}


class Api:
    """One caller of one emulator."""

    def __init__(self, emulator) -> None:
        self.emulator = emulator

    def token(self, method: str = "GET", **query: str) -> requests.Response:
        params = {
            "grant_type": "client_credentials",
            "client_id": APP,
            "client_secret": SECRET,
        } | query
        return requests.request(
            method, f"{self.emulator.url}/oauth/2.0/token", params=params, timeout=5
        )

    def post(self, path: str, body: object, keys: dict | None = KEYS, **more) -> requests.Response:
        url = f"{self.emulator.url}/assistant/{path}"
        return requests.post(url, json=body, params=keys, timeout=10, **more)

    def ask(self, text: str = "你好", path: str = "getAnswer", **fields) -> requests.Response:
        return self.post(path, question(text) | fields)

    def answer(self, text: str = "你好", **fields) -> dict:
        return self.ask(text, **fields).json()["data"]

    def stream(self, text: str = "你好", **fields) -> list[dict]:
        """The messages of the packets; a ping is None."""
        body = self.ask(text, "conversation", **fields).content.decode()
        return [packet["data"]["message"] for packet in packets(body) if packet]

    def status(self, *args, **more) -> int:
        response = self.post(*args, **more)
        assert response.status_code == 200 and response.json()["data"] is None
        return response.json()["status"]


@pytest.fixture
def api(start_emulator) -> Api:
    return Api(start_emulator())


def question(text: str = "你好") -> dict:
    content = {"type": "text", "value": {"showText": text}}
    return {"message": {"content": content}, "source": APP, "from": "openapi", "openId": "u_alice"}


def packets(body: str) -> list[dict | None]:
    packets = []
    for block in filter(None, body.split("\n\n")):
        name, _, data = block.partition("\n")
        assert name in ("event:message", "event:ping")
        packets.append(json.loads(data.removeprefix("data:")) if data else None)
    return packets


def items(messages: list[dict]) -> list[dict]:
    return [item for message in messages for item in message["content"] or []]


# The token nobody needs


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_of_thirty_days(api, method):
    payload = api.token(method).json()
    assert payload["access_token"].startswith("24.") and payload["expires_in"] == 2_592_000


@pytest.mark.parametrize(
    ("query", "description"),
    [
        ({"client_id": "nobody"}, "unknown client id"),
        ({"client_secret": "wrong"}, "Client authentication failed"),
    ],
)
def test_clients_that_are_refused(api, query, description):
    response = api.token(**query)
    assert (response.status_code, response.json()["error_description"]) == (401, description)
    api.emulator.change(wenxin_token_status=200)
    assert api.token(**query).json()["error"] == "invalid_client"
    assert api.token(grant_type="password").json()["error"] == "unsupported_grant_type"


# Who may ask, in which order


def test_only_the_keys_in_the_query_count(api):
    path, body = "getAnswer", question()
    assert api.status(path, body, keys=None) == 1116
    assert api.status(path, body | KEYS, keys=None) == 1116
    assert api.status(path, body, keys=None, headers={"Authorization": "Bearer x"}) == 1116
    assert api.status(path, body, keys=KEYS | {"secretKey": "wrong"}) == 1116
    assert api.post(path, body, keys=KEYS | {"access_token": "x"}).json()["status"] == 0


def test_the_order_of_the_checks(api):
    assert api.status("getAnswer", {}, keys=OFFLINE) == 1006
    assert api.status("getAnswer", question("!blocked") | {"from": "web"}) == 1000
    api.emulator.change(wenxin_rate=1.0)
    assert api.status("getAnswer", question("!blocked")) == 1113
    api.ask()
    assert api.status("getAnswer", question()) == 1002
    api.emulator.change(wenxin_rate=0.0, wenxin_daily=1)
    assert api.status("getAnswer", question()) == 1115
    assert len(api.emulator.violations("rate")) == len(api.emulator.violations("quota")) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"from": "web"},
        {"source": "web"},
        {"openId": "user-1"},
        {"openId": ""},
        {"openId": "x" * 101},
        {"threadId": 7},
        {"threadId": "invented"},
        {"stream": True},
        {"message": {}},
        {"message": None},
        {"message": {"content": {"type": "text", "value": {"showText": ""}}}},
        {"message": {"content": {"type": "audio", "value": {"showText": "x"}}}},
    ],
)
def test_a_body_the_document_does_not_know_is_refused(api, change):
    assert api.status("conversation", question() | change) == 1000


def test_a_body_must_be_json(api):
    url = f"{api.emulator.url}/assistant/getAnswer"
    response = requests.post(url, params=KEYS, data=json.dumps(question()), timeout=5)
    assert response.json()["status"] == 1000


def test_soft_mode_begins_unknown_threads_and_answers_other_sources_with_nothing(api):
    api.emulator.change(wenxin_soft=True)
    assert api.answer(threadId="invented")["threadId"].startswith("emu-thread")
    assert api.answer(source="web")["content"] == []


def test_unknown_paths_and_methods(api):
    assert requests.get(f"{api.emulator.url}/assistant/getAnswer", timeout=5).status_code == 405
    assert api.post("upload", {}).status_code == 404


def test_refusals_may_come_as_an_event(api):
    api.emulator.change(wenxin_errors_as_events=True)
    (packet,) = packets(api.ask("!busy", "conversation").content.decode())
    assert packet["status"] == 1002
    assert api.ask("!busy").json()["status"] == 1002


# Threads


def test_a_thread_goes_on_for_the_same_user_only(api):
    thread = api.answer("一", threadId="")["threadId"]
    assert api.answer("二", threadId=thread)["threadId"] == thread
    assert api.answer("!recall", threadId=thread)["content"][0]["data"] == "一 | 二"
    assert api.status("getAnswer", question() | {"threadId": thread, "openId": "u_bob"}) == 1000


# The answers


def test_packets_in_their_order(api):
    body = api.ask("你好 !pieces 3", "conversation").content.decode()
    assert packets(body)[0] is None
    messages = [packet["data"]["message"] for packet in packets(body) if packet]
    assert messages[0]["content"] is None
    assert items(messages)[0]["data"] is None
    texts = [item["data"]["text"] for item in items(messages) if item["data"]]
    assert len(texts) == 3 and "".join(texts) == "你说：你好 !pieces 3\n\n这是第 1 个问题。"
    assert [message["endTurn"] for message in messages[-3:]] == [True, False, False]
    assert messages[-1]["content"] is None


def test_two_sections_have_two_ends(api):
    sections = items(api.stream("!two !pieces 2"))
    assert [item["sectionId"] for item in sections if item["isFinished"]] == ["s1", "s2"]
    assert len(api.answer("!two")["content"]) == 2


def test_progress_pictures_sources_and_corrections(api):
    progress = [
        item["progress"]["toolsStatus"][0]["status"] for item in items(api.stream("!tool"))[:2]
    ]
    assert progress == ["ing", "finish"]
    cards = [
        item["data"] for item in items(api.stream("!image")) if item.get("dataType") == "uiData"
    ]
    assert ["image_url" in card for card in cards] == [True, False, True]
    assert any("referenceList" in message for message in api.stream("!cite"))
    assert [item["data"]["showType"] for item in items(api.stream("!replace")) if item["data"]] == [
        "append",
        "replace",
    ]
    assert not any(message["endTurn"] for message in api.stream("!no-end"))


def test_failures_in_the_middle(api):
    for words, status in (
        ("!late-error", 1003),
        ("!late-code 1005", 1005),
        ("!blocked-late", 1113),
    ):
        last = packets(api.ask(words, "conversation").content.decode())[-1]
        assert (last["status"], last["data"]) == (status, None)
        assert api.ask(words).json()["status"] == status


def test_get_answer_tells_data_as_a_text_or_an_object(api):
    assert api.answer()["content"][0]["dataType"] == "txt"
    api.emulator.change(wenxin_object_content=True)
    assert api.answer("!fence")["content"][0]["data"]["text"].startswith("```json")
    assert api.answer("!empty")["content"] == []


def test_a_slow_answer_and_one_of_pings(api):
    began = time.monotonic()
    api.ask("!slow 0.3")
    assert time.monotonic() - began > 0.3
    assert packets(api.ask("!pings 1", "conversation").content.decode()).count(None) >= 3


@pytest.mark.parametrize("status", [499, 500])
def test_a_status_and_nothing_else(api, status):
    response = api.ask(f"!nothing {status}")
    assert (response.status_code, response.content) == (status, b"")


def test_spelling(api):
    plain = api.ask("你好", "conversation").content
    api.emulator.change(wenxin_data_space=True, wenxin_escaped_json=True)
    changed = api.ask("你好", "conversation").content
    assert b"data:{" in plain and b"data: {" in changed and b"\\u4f60" in changed


def test_the_day_counts_both_ways_to_ask_and_who_leaves(api):
    api.emulator.change(wenxin_daily=2)
    with pytest.raises(requests.RequestException):
        requests.post(
            f"{api.emulator.url}/assistant/conversation",
            params=KEYS,
            json=question("!slow 9"),
            timeout=0.2,
        )
    assert api.ask().json()["status"] == 0
    assert api.ask().json()["status"] == 1115


def test_the_journal_knows_the_ids_and_not_the_keys(api):
    api.ask()
    journal = api.emulator.journal()
    assert set(journal["requests"][-1]["ids"]) == {"thread_id", "msg_id", "open_id"}
    assert SECRET not in json.dumps(journal)
