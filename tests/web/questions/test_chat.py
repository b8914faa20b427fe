"""A question and its answer over HTTP: JSON, events, a form, Coze's body."""

import re
import threading
import time

import requests

from tests.kit.emulator import Emulator
from tests.kit.site import Site, Visitor, text

FORM = {"Accept": "text/html"}


def test_a_json_caller_gets_one_answer(alice: Visitor) -> None:
    response = alice.ask("你好")
    assert response.status_code == 200
    body = response.json()
    assert set(body) == {"replies", "conversation_id", "message_id", "suggestions", "usage"}
    assert len(body["replies"]) == 1 and "你好" in body["replies"][0]
    assert body["suggestions"] and body["usage"]["total"] > 0


def test_a_json_caller_is_polled_for_and_not_faster_than_once_a_second(
    start_emulator, start_site
) -> None:
    emulator = start_emulator(coze_work_s=2.2)
    site = start_site(
        COZE_API_TOKEN="pat_demo_only_not_a_secret",
        COZE_BOT_ID="7480000000000000101",
        COZE_API_BASE=emulator.url,
    )
    assert Visitor(site.url).ask("你好").ok
    asked = [
        request
        for request in emulator.journal()["requests"]
        if request["path"].startswith("/v3/chat")
    ]
    paths = [request["path"] for request in asked]
    assert paths[0] == "/v3/chat" and paths[-1] == "/v3/chat/message/list"
    assert paths.count("/v3/chat") == paths.count("/v3/chat/message/list") == 1
    assert paths.count("/v3/chat/retrieve") >= 2
    assert emulator.journal()["violations"] == []


def test_events_come_in_the_order_of_the_contract(alice: Visitor) -> None:
    events = list(alice.hear("你好"))
    assert events[0].name == "turn"
    assert set(events[0].data) == {"conversation_id", "message_id", "agent"}
    assert [event.name for event in events].count("done") == 1 and events[-1].name == "done"
    assert events[-1].data["replies"] == [text(events)]
    assert events[-1].data["finish_reason"] == "stop"
    ids = [event.id for event in events]
    assert ids == sorted(ids)


def test_a_closing_think_tag_alone_makes_a_thought_of_what_was_shown(alice: Visitor) -> None:
    events = list(alice.hear("!think-end !pieces 30 15", "?html=live"))
    names = [event.name for event in events]
    assert names.index("delta") < names.index("replace") < names.index("done")
    (reply,) = events[-1].data["replies"]
    thought = "".join(event.data["text"] for event in events if event.name == "thought")
    assert reply.startswith("You said") and thought and thought not in reply
    again = list(alice.follow())
    assert again[-1].data["replies"] == [reply]
    page = alice.get(f"/c/{alice.conversation}").text
    assert "think&gt;" not in page and thought.split()[0] in page
    # It began with the first words that turned out to be one.
    assert float(re.search(r"(?:Thought for|已思考) ([\d.]+)", page)[1]) >= 0.1
    document = alice.get(f"/c/{alice.conversation}/export.json").json()
    assert document["answers"][0]["replies"] == [reply]
    assert alice.ask("!think-end").json()["replies"][0].startswith("You said")


def test_accept_alone_asks_for_events(alice: Visitor) -> None:
    response = alice.post(json={"message": "hi"}, headers={"Accept": "text/event-stream"})
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.headers["Cache-Control"] == "no-store, no-transform"
    assert "Content-Encoding" not in response.headers
    assert response.text.startswith(": keep-alive")


def test_a_page_is_sent_html_while_the_answer_grows(alice: Visitor) -> None:
    events = list(alice.hear("!markdown", query="?html=live"))
    blocks: list[str] = []
    for event in events:
        if event.name == "html":
            blocks[event.data["from"] :] = event.data["blocks"]
    assert "<table>" in "".join(blocks)
    assert "<script" not in "".join(blocks)


def test_the_third_turn_knows_the_first_two(alice: Visitor, bob: Visitor) -> None:
    for visitor, name in ((alice, "red"), (bob, "blue")):
        visitor.ask(f"first {name}")
    alice.ask("second red")
    bob.ask("second blue")
    remembered = alice.ask("!recall").json()["replies"][0]
    assert "first red" in remembered and "second red" in remembered and "blue" not in remembered


def test_an_answer_is_read_on_from_the_last_event(alice: Visitor) -> None:
    events = list(alice.hear("!pieces 20 1"))
    middle = events[len(events) // 2]
    rest = list(alice.follow(after=middle.id))
    assert rest[0].name == "turn"
    assert [event.id for event in rest[1:]] == [
        event.id for event in events if event.id > middle.id
    ]
    assert rest[-1].data == events[-1].data


def test_an_answer_outlives_its_reader(alice: Visitor) -> None:
    hearing = alice.hear("!pieces 10 100")
    for event in hearing:
        if event.name == "delta":
            break
    hearing.close()
    again = list(alice.follow(after=0))
    assert again[-1].name == "done"
    assert text(again) == again[-1].data["replies"][0]


def test_two_readers_hear_the_same(alice: Visitor) -> None:
    hearing = alice.hear("!pieces 10 50")
    first = [next(hearing)]
    heard: list[object] = []
    second = threading.Thread(target=lambda: heard.extend(alice.follow()))
    second.start()
    first += list(hearing)
    second.join()
    assert [event for event in heard if event.name != "turn"] == [
        event for event in first if event.name != "turn"
    ]


def test_stop_ends_the_answer_here_and_at_the_platform(alice: Visitor, emulator: Emulator) -> None:
    events = []
    for event in alice.hear("!pieces 100 100"):
        events.append(event)
        if event.name == "delta" and len(events) > 4:
            response = alice.stop()
            assert response.status_code == 202
    assert events[-1].name == "done" and events[-1].data["finish_reason"] == "stopped"
    assert events[-1].data["replies"][0] == text(events) != ""
    cancels = [
        event for event in emulator.journal()["requests"] if event["path"] == "/v3/chat/cancel"
    ]
    assert cancels
    assert alice.stop().status_code == 202, "stopping twice is no error"
    assert alice.ask("next").ok, "the conversation goes on"


def test_a_second_question_waits_its_turn(alice: Visitor) -> None:
    hearing = alice.hear("!pieces 20 100")
    next(hearing)
    refused = alice.ask("me too")
    assert refused.status_code == 409 and refused.json()["code"] == "busy"
    assert refused.headers["Retry-After"]
    assert list(hearing)[-1].name == "done"
    assert alice.ask("now?").ok


def test_a_form_is_answered_on_the_page(alice: Visitor) -> None:
    response = alice.post(data={"message": "表单里的问题"}, headers=FORM, allow_redirects=False)
    assert response.status_code == 303
    place, _, exchange = response.headers["Location"].partition("#")
    page = alice.get(place)
    assert page.status_code == 200 and f' id="{exchange}"' in page.text
    assert page.text.count("表单里的问题") >= 2, "the question and its echo"


def test_a_refused_form_keeps_what_was_written(alice: Visitor) -> None:
    response = alice.post(data={"message": "x" * 9000}, headers=FORM)
    assert response.status_code == 413
    assert "x" * 9000 in response.text


def test_coze_s_own_body_is_understood(alice: Visitor) -> None:
    body = {
        "bot_id": "7480000000000000101",
        "user_id": "anyone",
        "stream": False,
        "additional_messages": [
            {"role": "user", "content": "old", "content_type": "text"},
            {"role": "assistant", "content": "older", "content_type": "text"},
            {"role": "user", "content": "来自旧页面", "content_type": "text"},
        ],
    }
    response = alice.post(json=body)
    assert response.ok and "来自旧页面" in response.json()["replies"][0]
    assert alice.post(json={**body, "bot_id": "1"}).status_code == 404
    streamed = alice.post(json={**body, "stream": True})
    assert streamed.headers["Content-Type"].startswith("text/event-stream")


def test_what_is_alice_s_is_not_bob_s(alice: Visitor, bob: Visitor) -> None:
    alice.ask("a secret")
    bob.get("/")
    for response in (
        bob.get(f"/c/{alice.conversation}"),
        bob.get(f"/chat/{alice.message}/events"),
        bob.post(f"/chat/{alice.message}/stop", headers={"Accept": "application/json"}),
        bob.post(json={"message": "hi", "conversation_id": alice.conversation}),
    ):
        assert response.status_code == 404
        assert "a secret" not in response.text
    forged = requests.get(
        f"{bob.url}/c/{alice.conversation}", cookies={"visitor": "forged"}, timeout=10
    )
    assert forged.status_code == 404


def test_visitors_have_their_own_user_id_at_the_platform(
    alice: Visitor, bob: Visitor, emulator: Emulator
) -> None:
    def user_of(visitor: Visitor) -> str:
        visitor.ask("who am I?")
        chats = [event for event in emulator.journal()["requests"] if event["path"] == "/v3/chat"]
        return str(chats[-1]["body"]["user_id"])

    first, second, other = user_of(alice), user_of(alice), user_of(bob)
    assert first == second != other
    assert first not in "".join(str(cookie.value) for cookie in alice.session.cookies)


def test_every_failure_has_its_code(alice: Visitor) -> None:
    for question, status, code in (
        ("!busy", 429, "rate_limited"),
        ("!quota", 429, "quota_exhausted"),
        ("!unpublished", 503, "misconfigured"),
        ("!blocked", 502, "blocked"),
        ("!empty", 502, "empty"),
        ("!requires-action", 502, "needs_action"),
        ("!html 502", 502, "unavailable"),
    ):
        visitor = Visitor(alice.url)
        response = visitor.ask(question)
        assert (response.status_code, response.json()["code"]) == (status, code), question
        events = list(Visitor(alice.url).hear(question))
        assert (events[-1].name, events[-1].data["code"]) == ("error", code), question
        assert events[-1].data["error"] and "Traceback" not in events[-1].data["error"]


def test_an_answer_that_failed_keeps_the_text_it_had(alice: Visitor) -> None:
    events = list(alice.hear("!late-error"))
    assert events[-1].name == "error" and text(events)
    page = alice.get(f"/c/{alice.conversation}")
    assert text(events)[:10] in page.text
    again = list(alice.follow())
    assert again[-1].data["code"] == events[-1].data["code"]


def test_heartbeats_begin_before_the_platform_s_first_byte(site: Site) -> None:
    started = time.monotonic()
    with requests.post(
        f"{site.url}/chat", json={"message": "!slow 4", "stream": True}, stream=True, timeout=30
    ) as response:
        first = response.raw.read(13)
        assert first == b": keep-alive\n"
        assert time.monotonic() - started < 3
