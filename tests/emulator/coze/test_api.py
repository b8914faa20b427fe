"""The emulated Coze is strict: its refusals, in their order and form, and its magic words."""

import json
import time

import pytest
import requests

BOT = "7480000000000000101"
UNPUBLISHED = "7480000000000000102"
GOOD = "pat_demo_only_not_a_secret"


class Api:
    """One caller of one emulator."""

    def __init__(self, url: str, token: str | None = GOOD) -> None:
        self.url, self.session = url, requests.Session()
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def __getattr__(self, method: str):
        return lambda path, **more: self.session.request(
            method, self.url + path, timeout=10, **more
        )

    def chat(
        self, question: str = "你好", conversation: str | None = None, **fields
    ) -> requests.Response:
        where = {"conversation_id": conversation} if conversation else None
        return self.post("/v3/chat", json=body(question, **fields), params=where)

    def stream(self, question: str, **more) -> list[tuple[str, object]]:
        return events(self.chat(question, stream=True, **more).content.decode())

    def ids(self, question: str, **more) -> dict[str, str]:
        chat = self.chat(question, **more).json()["data"]
        return {"conversation_id": chat["conversation_id"], "chat_id": chat["id"]}

    def ended(self, ids: dict[str, str]) -> dict:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            chat = self.get("/v3/chat/retrieve", params=ids).json()["data"]
            if chat["status"] != "in_progress":
                return chat
        raise TimeoutError

    def messages(self, ids: dict[str, str]) -> list[dict]:
        self.ended(ids)
        return self.get("/v3/chat/message/list", params=ids).json()["data"]


@pytest.fixture
def coze(emulator) -> Api:
    api = Api(emulator.url)
    yield api
    api.session.close()


def body(question: str = "你好", **fields) -> dict:
    return {"bot_id": BOT, "user_id": "alice", "additional_messages": [message(question)]} | fields


def message(content: str = "你好", **fields) -> dict:
    return {"role": "user", "type": "question", "content": content, "content_type": "text"} | fields


def objects(*items: dict) -> dict:
    return message(json.dumps(items), content_type="object_string")


def events(text: str) -> list[tuple[str, object]]:
    blocks = [block.split("\n") for block in text.split("\n\n") if block]
    return [
        (name.removeprefix("event:"), json.loads(data.removeprefix("data:")))
        for name, data in blocks
    ]


def names(events: list[tuple[str, object]]) -> list[str]:
    return [name for name, _ in events]


def refusal(response: requests.Response) -> tuple[int, int]:
    return response.status_code, response.json()["code"]


IMAGE = {"type": "image", "file_url": "https://example.com/a.png"}

STEPS = [
    ("1 an array is no request", [], 4000),
    ("1 bot_id is a string", body(bot_id=7480000000000000101), 4000),
    ("1 user_id is a string", body(user_id=17), 4000),
    ("1 stream is a boolean", body(stream="true"), 4000),
    ("1 map values are strings", body(custom_variables={"a": 1}), 4000),
    ("1 types come before the bot", {"bot_id": "1", "stream": 1}, 4000),
    ("3 unknown bot", body(bot_id="1"), 4200),
    ("3 no bot", {}, 4200),
    ("5 unpublished bot", body(bot_id=UNPUBLISHED), 4015),
    ("5 before user_id", body(bot_id=UNPUBLISHED, user_id=""), 4015),
    ("6 no user_id", {"bot_id": BOT}, 4000),
    ("6 empty user_id", body(user_id=""), 4000),
    ("6 a version of a draft", body(bot_version="1", publish_status="unpublished_draft"), 4000),
    ("6 other extra_params", body(extra_params={"altitude": "1"}), 4000),
    ("7 polled but not saved", body(auto_save_history=False), 4007),
    ("8 17 pairs", body(meta_data={str(n): "v" for n in range(17)}), 4003),
    ("8 long key", body(meta_data={"k" * 65: "v"}), 4003),
    ("8 long value", body(meta_data={"k": "v" * 513}), 4003),
    ("8 101 messages", body(additional_messages=[message()] * 101), 4004),
    ("9 system role", body(additional_messages=[message(role="system")]), 4000),
    (
        "9 a question by the assistant",
        body(additional_messages=[message(role="assistant"), message()]),
        4000,
    ),
    (
        "9 a saved function_call",
        body(additional_messages=[message(type="function_call"), message()]),
        4000,
    ),
    ("9 a verbose message", body(additional_messages=[message(type="verbose")]), 4000),
    ("9 no content_type", body(additional_messages=[message(content_type=None)]), 4000),
    ("9 content is a string", body(additional_messages=[message(["你好"])]), 4000),
    (
        "9 content is JSON",
        body(additional_messages=[message("{", content_type="object_string")]),
        4000,
    ),
    (
        "9 two texts",
        body(additional_messages=[objects({"type": "text", "text": "a"}, {"type": "text"})]),
        4000,
    ),
    ("9 text alone", body(additional_messages=[objects({"type": "text", "text": "a"})]), 4000),
    ("9 image alone", body(additional_messages=[objects(IMAGE)]), 4000),
    (
        "9 unknown file",
        body(additional_messages=[message(), objects({"type": "file", "file_id": "1"})]),
        4000,
    ),
    (
        "9 data URI",
        body(additional_messages=[message(), objects({**IMAGE, "file_url": "data:a"})]),
        4000,
    ),
    ("11 nothing is asked", {"bot_id": BOT, "user_id": "alice"}, 4000),
    (
        "11 the last word is the assistant's",
        body(additional_messages=[message(), message(role="assistant", type="answer")]),
        4000,
    ),
]


@pytest.mark.parametrize(
    ("payload", "code"), [pytest.param(payload, code, id=name) for name, payload, code in STEPS]
)
def test_chat_is_validated_step_by_step(coze, payload, code):
    assert refusal(coze.post("/v3/chat", json=payload)) == (200, code)


@pytest.mark.parametrize(
    "payload",
    [
        body(),
        body(additional_messages=[message("words"), objects(IMAGE)]),
        body(additional_messages=[objects({"type": "text", "text": "look"}, IMAGE)]),
        body(additional_messages=[message(role="assistant", type="answer"), message()]),
        body(
            additional_messages=None,
            shortcut_command={"command_id": "1", "parameters": {"a": "[]"}},
        ),
        body(bot_id=UNPUBLISHED, publish_status="unpublished_draft"),
        body(
            parameters={"deep": [1, {"a": None}]}, extra_params={"latitude": "1"}, enable_card=True
        ),
        body(additional_messages=[{**message(), "meta_data": None, "id": None}]),
    ],
)
def test_chat_accepts_what_is_documented(coze, payload):
    assert refusal(coze.post("/v3/chat", json=payload)) == (200, 0)


def test_step_1_needs_json(coze):
    assert refusal(coze.post("/v3/chat", data=b"{")) == (200, 4000)
    assert refusal(coze.post("/v3/chat", data=json.dumps(body()))) == (200, 4000)


def test_step_2_needs_a_token_and_says_so_with_200(emulator):
    response = Api(emulator.url, None).post("/v3/chat", json={})
    assert refusal(response) == (200, 4101)
    assert response.json()["detail"]["logid"] == response.headers["X-Tt-Logid"]


def test_step_3_comes_before_the_token_is_judged(emulator):
    response = Api(emulator.url, "pat_fake").post("/v3/chat", json=body(bot_id="1"))
    assert refusal(response) == (200, 4200)
    assert "bot_id=1 does not exist" in response.json()["msg"]
    assert "bot_id=0" in Api(emulator.url).post("/v3/chat", json={}).json()["msg"]


@pytest.mark.parametrize(
    "token", ["pat_fake", "pat_demo_expired", "pat_demo_no_chat", "pat_demo_other_workspace"]
)
def test_step_4_refuses_other_tokens(emulator, token):
    assert refusal(Api(emulator.url, token).chat()) == (200, 4101)


def test_step_10_wants_a_conversation_of_the_caller(emulator, coze):
    mine = coze.post("/v1/conversation/create").json()["data"]["id"]
    stranger = Api(emulator.url, "pat_demo_other_account")
    assert refusal(stranger.chat(conversation=mine)) == (200, 4002)
    assert refusal(coze.chat(conversation="1")) == (200, 4002)
    assert refusal(coze.chat(conversation=mine)) == (200, 0)


def test_a_conversation_id_in_the_body_is_ignored(emulator, coze):
    mine = coze.post("/v1/conversation/create").json()["data"]["id"]
    chat = coze.chat(conversation_id=mine).json()["data"]
    assert chat["conversation_id"] != mine
    assert emulator.violations("conversation_id_in_body")


def test_files_belong_to_their_account(emulator, coze):
    file_id = coze.post("/v1/files/upload", files={"file": ("a.png", b"x")}).json()["data"]["id"]
    question = {
        "additional_messages": [
            objects({"type": "text", "text": "?"}, {"type": "image", "file_id": file_id})
        ]
    }
    assert refusal(coze.chat(**question)) == (200, 0)
    assert refusal(Api(emulator.url, "pat_demo_other_account").chat(**question)) == (200, 4000)


def test_step_12_comes_before_step_13(start_emulator):
    coze = Api(start_emulator(coze_qps=2).url)
    ids = coze.ids("!slow 5")
    assert refusal(coze.chat(conversation=ids["conversation_id"])) == (200, 4016)
    assert refusal(coze.chat(conversation=ids["conversation_id"])) == (429, 4013)


@pytest.mark.parametrize(
    ("form", "answer"),
    [("429", (429, 4013)), ("4008", (200, 4008)), ("710005002", (200, 710005002))],
)
def test_more_than_the_qps_is_refused_and_recorded(start_emulator, form, answer):
    own = start_emulator(coze_qps=3, coze_rate_limit=form)
    coze = Api(own.url)
    ids = coze.ids("hi")
    for _ in range(2):
        assert refusal(coze.get("/v3/chat/message/list", params=ids))[1] == 0
    response = coze.get("/v3/chat/retrieve", params=ids)
    assert refusal(response) == answer
    assert "Retry-After" not in response.headers
    assert own.violations("over_qps")
    assert refusal(Api(own.url, "pat_demo_other_account").chat()) == (200, 0)


def test_free_calls_run_out(start_emulator):
    coze = Api(start_emulator(coze_free_calls=1).url)
    assert refusal(coze.chat()) == (200, 0)
    assert refusal(coze.chat()) == (200, 4028)
    assert refusal(coze.post("/v1/conversation/create")) == (200, 4028)


def test_step_13_refuses_a_second_chat_in_both_recorded_forms(coze):
    ids = coze.ids("!slow 9")
    response = coze.chat(conversation=ids["conversation_id"])
    assert refusal(response) == (200, 4016)
    streamed = coze.chat(conversation=ids["conversation_id"], stream=True)
    assert streamed.headers["Content-Type"].startswith("text/event-stream")
    ((name, data),) = events(streamed.text)
    assert (name, data["code"]) == ("error", 4016)
    assert data["msg"] == response.json()["msg"]


def test_the_run_goes_on_when_its_reader_leaves(start_emulator):
    own = start_emulator()
    coze = Api(own.url)
    with coze.session.post(
        f"{own.url}/v3/chat", json=body("!slow 1", stream=True), stream=True
    ) as response:
        first = events(next(response.iter_content(None)).decode())[0][1]
    where = first["conversation_id"]
    assert refusal(coze.chat(conversation=where)) == (200, 4016)
    chat = coze.ended({"conversation_id": where, "chat_id": first["id"]})
    assert chat["status"] == "completed"
    assert own.journal()["disconnected"]
    assert refusal(coze.chat("!recall", conversation=where)) == (200, 0)


def test_other_endpoints_answer_a_bad_token_with_401(emulator):
    stranger = Api(emulator.url, "pat_fake")
    assert refusal(stranger.get("/v3/chat/retrieve")) == (401, 700012006)
    assert refusal(stranger.post("/v3/chat/cancel", json={})) == (401, 700012006)
    assert refusal(stranger.post("/v1/conversation/create")) == (401, 700012006)
    assert refusal(Api(emulator.url, None).get(f"/v1/bots/{BOT}")) == (401, 700012006)


def test_a_missing_scope_is_4101(emulator):
    few = Api(emulator.url, "pat_demo_chat_only")
    ids = few.ids("hi")
    assert refusal(few.get("/v3/chat/retrieve", params=ids)) == (403, 4101)
    assert refusal(few.get("/v3/chat/message/list", params=ids)) == (403, 4101)


def test_chats_are_found_only_by_both_their_ids(emulator, coze):
    ids, others = coze.ids("hi"), coze.ids("ho")
    mixed = {**ids, "conversation_id": others["conversation_id"]}
    assert refusal(coze.get("/v3/chat/retrieve", params=mixed)) == (200, 4001)
    assert refusal(coze.get("/v3/chat/retrieve", params={**ids, "chat_id": "1"})) == (200, 4001)
    assert refusal(coze.get("/v3/chat/retrieve", params={"chat_id": ids["chat_id"]})) == (200, 4000)
    assert refusal(
        Api(emulator.url, "pat_demo_other_account").get("/v3/chat/retrieve", params=ids)
    ) == (
        200,
        4001,
    )


def test_what_is_not_saved_cannot_be_retrieved(coze):
    chat = dict(coze.stream("hi", auto_save_history=False))["conversation.chat.created"]
    ids = {"conversation_id": chat["conversation_id"], "chat_id": chat["id"]}
    assert refusal(coze.get("/v3/chat/retrieve", params=ids)) == (200, 4001)
    assert refusal(coze.get("/v3/chat/message/list", params=ids)) == (200, 4001)
    recalled = coze.stream("!recall", conversation=chat["conversation_id"])
    assert "hi" not in json.dumps(recalled)


def test_polling_faster_than_once_a_second_is_recorded_not_refused(emulator, coze):
    ids = coze.ids("hi")
    coze.get("/v3/chat/retrieve", params=ids)
    assert coze.post("/v3/chat/retrieve", params=ids).json()["code"] == 0
    assert any(
        ids["chat_id"] in violation["detail"]
        for violation in emulator.violations("polled_too_fast")
    )


def test_retrieve_has_the_recorded_fields(coze):
    ids = coze.ids("hi", meta_data={"turn": "1"})
    early = coze.get("/v3/chat/retrieve", params=ids).json()["data"]
    assert set(early) == {"bot_id", "conversation_id", "created_at", "id", "section_id", "status"}
    late = coze.ended(ids)
    assert set(late) - set(early) == {"completed_at", "last_error", "meta_data", "usage"}
    assert late["meta_data"] == {"turn": "1"}


def test_the_stream_is_byte_for_byte_the_recorded_framing(coze):
    response = coze.chat("图书馆几点开门？ !cite !think !pieces 3", stream=True)
    text = response.content.decode()
    assert response.headers["X-Tt-Logid"]
    assert text.startswith('event:conversation.chat.created\ndata:{"id":"748')
    assert text.endswith('event:done\ndata:"[DONE]"\n\n')
    assert "\\u" not in text and "\r" not in text and '": "' not in text
    event_names = names(events(text))
    assert event_names[2] == "conversation.message.completed"
    assert event_names[-2:] == ["conversation.chat.completed", "done"]
    assert event_names.count("conversation.message.delta") == 3 + 6


TYPES = {
    "hi": ["verbose", "answer", "follow_up", "follow_up", "follow_up"],
    "hi !order 2": [
        "function_call",
        "tool_response",
        "answer",
        "verbose",
        "follow_up",
        "follow_up",
        "follow_up",
    ],
    "hi !order 3 !no-followup": ["answer", "answer", "verbose"],
    "hi !two !no-followup": ["verbose", "answer", "answer"],
    "hi !empty": ["verbose"],
    "hi !knowledge !no-followup": ["verbose", "knowledge", "answer"],
    "hi !strange !no-followup": ["verbose", "shimmer", "answer"],
}


@pytest.mark.parametrize(("question", "types"), TYPES.items())
def test_orders_of_message_list(coze, question, types):
    assert [message["type"] for message in coze.messages(coze.ids(question))] == types


def test_a_card_comes_whole(coze):
    stream = coze.stream("!card")
    assert "conversation.message.delta" not in names(stream)
    card = next(
        data for _, data in stream if isinstance(data, dict) and data.get("content_type") == "card"
    )
    assert json.loads(card["content"])["response_type"] == "card"


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("!failed", 4028),
        ("!failed 4011", 4011),
        ("!late-error", 5000),
        ("!late-code 4013", 4013),
        ("!blocked-late", 4102),
    ],
)
def test_failures_after_acceptance(coze, word, code):
    ids = coze.ids(word)
    chat = coze.ended(ids)
    assert (chat["status"], chat["last_error"]["code"]) == ("failed", code)
    listed = coze.get("/v3/chat/message/list", params=ids).json()
    assert listed["code"] == 0 and "data" not in listed
    name, data = coze.stream(word)[-1]
    assert (name, data["last_error"]["code"]) == ("conversation.chat.failed", code)
    assert names(coze.stream(f"{word} !done-after-failed"))[-1] == "done"


def test_late_errors_come_after_some_pieces(coze):
    for word in ("!late-error", "!sse-error"):
        event_names = names(coze.stream(word))
        assert "conversation.message.delta" in event_names
        assert event_names[-1] == ("error" if word == "!sse-error" else "conversation.chat.failed")


REFUSALS = {
    "!busy": (429, 4013),
    "!busy 2": (200, 4008),
    "!busy 3": (200, 710005002),
    "!quota": (200, 4028),
    "!unauthorized": (200, 4101),
    "!unpublished": (200, 4015),
    "!unknown": (200, 4200),
    "!blocked": (200, 4102),
    "!code 4020": (200, 4020),
    "!http 502": (502, 5000),
    "!json-error": (200, 4000),
}


@pytest.mark.parametrize(("word", "answer"), REFUSALS.items())
def test_refusals_come_as_json_even_to_a_stream(coze, word, answer):
    for stream in (True, False):
        response = coze.chat(word, stream=stream)
        assert refusal(response) == answer
        assert response.headers["Content-Type"].startswith("application/json")


def test_expired_is_refused_once(coze):
    assert [refusal(coze.chat("!expired, once"))[1] for _ in range(3)] == [4101, 0, 4101]


def test_a_poll_can_be_refused_once(coze):
    ids = coze.ids("!expired-later")
    assert refusal(coze.get("/v3/chat/retrieve", params=ids)) == (401, 700012006)
    assert refusal(coze.get("/v3/chat/retrieve", params=ids)) == (200, 0)
    assert coze.get("/v3/chat/retrieve", params=coze.ids("!retrieve-http 503")).status_code == 503


def test_refusals_below_the_platforms_format(emulator, coze):
    page = coze.chat("!html 503")
    assert (page.status_code, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert coze.chat("!nothing 204").content == b""
    with pytest.raises(ValueError):
        coze.chat("!garbage").json()
    moved = coze.post("/v3/chat", json=body("!redirect"), allow_redirects=False)
    assert moved.status_code == 302
    assert moved.headers["Location"].startswith("http://localhost:")


def test_stuck_chats_never_end_but_can_be_canceled(coze):
    ids = coze.ids("!stuck")
    time.sleep(0.4)
    assert coze.get("/v3/chat/retrieve", params=ids).json()["data"]["status"] == "in_progress"
    assert coze.get("/v3/chat/message/list", params=ids).json()["data"] == []
    assert coze.post("/v3/chat/cancel", json=ids).json()["data"]["status"] == "canceled"
    assert refusal(coze.post("/v3/chat/cancel", params=ids, json={})) == (200, 4000)


def test_cancel_does_not_cut_the_open_stream(start_emulator):
    own = start_emulator(pace_s=0.5)
    coze = Api(own.url)
    with coze.session.post(
        f"{own.url}/v3/chat", json=body("hi", stream=True), stream=True
    ) as response:
        pieces = response.iter_content(None)
        chat = events(next(pieces).decode())[0][1]
        ids = {"conversation_id": chat["conversation_id"], "chat_id": chat["id"]}
        other = Api(own.url)
        assert other.post("/v3/chat/cancel", json=ids).json()["data"]["status"] == "canceled"
        assert b"".join(pieces).endswith(b'data:"[DONE]"\n\n')
    assert coze.get("/v3/chat/retrieve", params=ids).json()["data"]["status"] == "canceled"


def test_a_reply_answers_a_question_node(coze):
    ids = coze.ids("!requires-reply")
    chat = coze.ended(ids)
    call = chat["required_action"]["submit_tool_outputs"]["tool_calls"][0]
    assert (chat["status"], call["type"]) == ("requires_action", "reply_message")
    assert refusal(coze.post("/v3/chat/cancel", json=ids)) == (200, 4104)
    assert refusal(coze.chat("my reply", conversation=ids["conversation_id"])) == (200, 0)


def test_tool_outputs_must_match_the_calls(coze):
    ids = coze.ids("!requires-action")
    chat = coze.ended(ids)
    assert refusal(coze.chat("next", conversation=ids["conversation_id"])) == (200, 4016)
    submit = "/v3/chat/submit_tool_outputs"
    wrong = {"tool_outputs": [{"tool_call_id": "x", "output": "y"}]}
    assert refusal(coze.post(submit, params=ids, json=wrong)) == (200, 4000)
    assert refusal(coze.post(submit, params=ids, json={"tool_outputs": []})) == (200, 4000)
    call = chat["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
    right = {"tool_outputs": [{"tool_call_id": call, "output": "y"}]}
    assert refusal(coze.post(submit, params=ids, json=right)) == (200, 0)
    assert coze.ended(ids)["status"] == "completed"


def test_tool_outputs_need_a_saved_chat(coze):
    chat = dict(coze.stream("!requires-action", auto_save_history=False))[
        "conversation.chat.requires_action"
    ]
    ids = {"conversation_id": chat["conversation_id"], "chat_id": chat["id"]}
    assert refusal(
        coze.post("/v3/chat/submit_tool_outputs", params=ids, json={"tool_outputs": []})
    ) == (
        200,
        5000,
    )


def test_done_in_its_variants(coze):
    assert coze.chat("!done-bare", stream=True).text.endswith("event:done\ndata:[DONE]\n\n")
    assert names(coze.stream("!no-done"))[-1] == "conversation.chat.completed"
    assert names(coze.stream("!requires-action"))[-2:] == [
        "conversation.chat.requires_action",
        "done",
    ]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"file": ("a.png", b"")}, 4300),
        ({"data": ("a.png", b"x")}, 4300),
        ([("file", ("a.png", b"x")), ("file", ("b.png", b"x"))], 4301),
        ({"file": ("a.png", b"x" * 11)}, 4302),
        ({"file": ("a.exe", b"x")}, 4303),
        ({"file": ("a.txt", b"x")}, 4303),
    ],
)
def test_uploads_are_checked(start_emulator, files, code):
    coze = Api(start_emulator(coze_upload_limit=10).url)
    assert refusal(coze.post("/v1/files/upload", files=files)) == (200, code)
    assert refusal(coze.post("/v1/files/upload", json={"file": "x"})) == (200, 4300)


def test_conversations_are_checked(coze):
    create = "/v1/conversation/create"
    assert refusal(coze.post(create, json={"bot_id": "1"})) == (200, 5000)
    assert refusal(coze.post(create, json={"name": "x" * 101})) == (200, 4000)
    assert refusal(coze.post(create, data=b"")) == (200, 0)
    assert refusal(coze.get("/v1/conversations")) == (200, 4000)
    assert refusal(coze.get("/v1/conversations", params={"bot_id": BOT, "page_size": 51})) == (
        200,
        4000,
    )
    conversation = coze.post(create).json()["data"]["id"]
    deleted = coze.delete(f"/v1/conversations/{conversation}").json()
    assert deleted["code"] == 0 and "data" not in deleted


def test_agents_in_both_spellings(start_emulator):
    coze = Api(start_emulator(coze_pascal_onboarding=True).url)
    info = coze.get(f"/v1/bots/{BOT}").json()["data"]["onboarding_info"]
    assert "{{user_name}}" in info["Prologue"] and info["SuggestedQuestions"]
    bare = coze.get("/v1/bot/get_online_info", params={"bot_id": "7480000000000000103"}).json()[
        "data"
    ]
    assert "SuggestedQuestions" not in bare["onboarding_info"]
    assert refusal(coze.get("/v1/bots/1")) == (200, 4200)


def test_unknown_endpoints(coze):
    response = coze.post("/v2/xyz")
    assert refusal(response) == (404, 4000)
    assert "POST /v2/xyz does not exist" in response.json()["msg"]
    assert response.headers["X-Tt-Logid"]
    assert refusal(coze.get("/v3/chat")) == (404, 4000)
