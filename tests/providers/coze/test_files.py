"""Files that come with a question, a conversation that is forgotten, and an account that shares
its calls.
"""

import json
import time

import pytest

from providers.base import Attachment
from providers.errors import BadQuestion, QuotaExhausted, TimedOut
from providers.stop import Stop
from tests.kit.coze_agent import agent, ask, requests_of
from tests.kit.patience import soon

PICTURE = Attachment("猫.png", "image/png", b"\x89PNG....")
PAPER = Attachment('a "b".pdf', "application/pdf", b"%PDF-1.7")
SONG = Attachment("s.mp3", "audio/mpeg", b"ID3")


def test_files_are_uploaded_and_named_in_the_question(start_emulator):
    emulator = start_emulator()
    told = ask(agent(emulator.url), "这是什么？", attachments=(PICTURE, PAPER, SONG))
    assert told.error is None
    assert "猫.png" in told.text
    *uploads, chat = emulator.journal()["requests"]
    assert [one["path"] for one in uploads] == ["/v1/files/upload"] * 3
    [message] = chat["body"]["additional_messages"]
    assert message["content_type"] == "object_string"
    text, *files = json.loads(message["content"])
    assert text == {"type": "text", "text": "这是什么？"}
    assert [one["type"] for one in files] == ["image", "file", "audio"]
    assert all(one["file_id"].isdigit() for one in files)


def test_files_without_a_word_are_asked_by_their_names(emulator):
    told = ask(agent(emulator.url), "  ", attachments=(PICTURE,))
    assert told.error is None


def test_files_are_uploaded_once_although_the_question_is_asked_twice(start_emulator):
    emulator = start_emulator()
    told = ask(
        agent(emulator.url), "看", attachments=(PICTURE,), conversation="7480000000000099999"
    )
    assert told.error is None
    paths = [one["path"] for one in emulator.journal()["requests"]]
    assert paths == ["/v1/files/upload", "/v3/chat", "/v1/conversation/create", "/v3/chat"]


def test_a_file_the_platform_refuses_is_the_questions_fault(start_emulator):
    emulator = start_emulator(coze_upload_limit=4)
    told = ask(agent(emulator.url), "看", attachments=(PICTURE,))
    assert (type(told.error), told.error.code) == (BadQuestion, 4302)
    told = ask(
        agent(emulator.url), "看", attachments=(Attachment("a.exe", "application/x", b"MZ"),)
    )
    assert (type(told.error), told.error.code) == (BadQuestion, 4303)
    assert [one["path"] for one in emulator.journal()["requests"]] == ["/v1/files/upload"] * 2


def test_a_cleared_conversation_goes_on_and_remembers_nothing(emulator):
    coze = agent(emulator.url)
    thread = ask(coze, "我叫爱丽丝").accepted.conversation
    coze.clear(thread)
    told = ask(coze, "!recall", conversation=thread)
    assert told.accepted.conversation == thread
    assert "爱丽丝" not in told.text


def test_clearing_what_is_gone_is_no_error(emulator):
    agent(emulator.url).clear("7480000000000099999")


class Counting:
    """A Pace that counts, and may run dry."""

    def __init__(self, calls: int = 100) -> None:
        self.calls = calls
        self.waited = 0
        self.refusals: list[float | None] = []

    def wait(self, stop: Stop, deadline: float) -> None:
        self.waited += 1
        if self.waited > self.calls:
            raise TimedOut("no call was free", provider="coze")

    def spend(self) -> None:
        raise QuotaExhausted("one question is one question", provider="coze")

    def hold_back(self, retry_after: float | None = None) -> None:
        self.refusals.append(retry_after)


def test_every_call_after_the_first_asks_the_account(start_emulator):
    emulator = start_emulator()
    coze = agent(emulator.url)
    for streaming, calls in ((True, 0), (False, 2)):
        pace = Counting()
        assert ask(coze, "你好", streaming=streaming, pace=pace).error is None
        assert pace.waited == calls
    pace = Counting()
    ask(coze, "!cut 你好", attachments=(PICTURE,), conversation="7480000000000099999", pace=pace)
    assert pace.waited == 4  # the question, the question again, retrieve, list


def test_an_account_without_a_free_call_ends_the_turn_and_the_chat(start_emulator):
    emulator = start_emulator()
    told = ask(agent(emulator.url), "你好", streaming=False, pace=Counting(0))
    assert isinstance(told.error, TimedOut)
    assert len(requests_of(emulator.journal(), told.accepted.chat, "cancel")) == 1


@pytest.mark.parametrize("status", [429])
def test_a_refused_poll_holds_the_whole_account_back(start_emulator, status):
    emulator = start_emulator()
    pace = Counting()
    began = time.monotonic()
    ask(
        agent(emulator.url),
        f"!retrieve-http {status} 你好",
        streaming=False,
        seconds=2.2,
        pace=pace,
    )
    assert pace.refusals[:1] == [None]
    assert time.monotonic() - began < soon(3.5)
