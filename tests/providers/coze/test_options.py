"""What a Coze agent may be given, and that all of it arrives as the platform wants it."""

import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from providers.coze.provider import Options
from tests.kit.coze_agent import BOT, TOKEN, agent, ask


def options(**given: Any) -> Options:
    return Options(**{"api_token": TOKEN, "bot_id": BOT, **given})


@pytest.mark.parametrize(
    "given",
    [
        BOT,
        int(BOT),
        f"  {BOT}\n",
        f"https://www.coze.cn/space/123/bot/{BOT}",
        f"https://www.coze.cn/space/7310000000000000001/bot/{BOT}?from=home#x",
        f"https://www.coze.com/space/1/bot/{BOT}/publish",
        f"www.coze.cn/space/123/bot/{BOT}/",
    ],
)
def test_a_bot_is_known_by_its_digits_or_the_address_of_its_page(given):
    assert options(bot_id=given).bot_id == BOT


@pytest.mark.parametrize(
    "given",
    ["", "   ", "abc", "https://www.coze.cn/space/123", "74800 0101", True, None, 1.5],
)
def test_what_is_no_bot_is_refused_with_where_to_look(given):
    with pytest.raises(ValidationError, match="digits after /bot/ in the address"):
        options(bot_id=given)


def test_defaults_are_the_issues():
    made = options()
    assert made.api_base == "https://api.coze.cn"
    assert made.poll_interval_s == 1.0
    assert made.custom_variables is made.parameters is made.meta_data is made.extra_params is None
    assert options(api_base="http://127.0.0.1:1/").api_base == "http://127.0.0.1:1"


WRONG = [
    ({"poll_interval_s": 0.99}, "greater than or equal to 1"),
    ({"poll_interval_s": float("nan")}, "greater than or equal|finite"),
    ({"poll_interval_s": float("inf")}, "finite"),
    ({"custom_variables": {"city2": "x"}}, "ASCII letters and underscores"),
    ({"custom_variables": {"城市": "x"}}, "ASCII letters and underscores"),
    ({"custom_variables": {"": "x"}}, "ASCII letters and underscores"),
    ({"custom_variables": {"city": 1}}, "valid string"),
    ({"parameters": {"at": datetime.date(2026, 1, 1)}}, "only what JSON can say"),
    ({"parameters": {"n": float("nan")}}, "only what JSON can say"),
    ({"parameters": [1]}, "valid dictionary"),
    ({"meta_data": {f"k{i}": "v" for i in range(17)}}, "at most 16"),
    ({"meta_data": {"k" * 65: "v"}}, "at most 64"),
    ({"meta_data": {"": "v"}}, "at least 1"),
    ({"meta_data": {"k": ""}}, "at least 1"),
    ({"meta_data": {"k": "v" * 513}}, "at most 512"),
    ({"extra_params": {"altitude": "8848"}}, "latitude.*longitude"),
    ({"extra_params": {"latitude": 39.9}}, "valid string"),
    ({"shortcut_command": {"parameters": {}}}, "command_id"),
    ({"shortcut_command": {"command_id": ""}}, "at least 1"),
    ({"shortcut_command": {"command_id": "1", "parameters": {"a": 1}}}, "valid string"),
    ({"shortcut_command": {"command_id": "1", "colour": "red"}}, "colour"),
    ({"api_base": "ftp://api.coze.cn"}, "begins with https"),
    ({"api_token": "pat demo"}, "copy it again"),
    ({"api_token": ""}, "copy it again"),
    ({"bot": BOT}, "bot"),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_refused_at_once_and_not_repeated(given, message):
    with pytest.raises(ValidationError, match=message) as caught:
        options(**given)
    assert "input_value" not in str(caught.value)


def test_the_limits_themselves_are_allowed():
    pairs = {f"{i:02}" + "k" * 62: "值" * 512 for i in range(16)}
    assert options(meta_data=pairs).meta_data == pairs
    assert options(poll_interval_s=1).poll_interval_s == 1.0


def test_options_are_frozen_and_keep_their_token_to_themselves():
    made = options()
    with pytest.raises(ValidationError):
        made.bot_id = "1"
    assert TOKEN not in repr(made) + str(made.model_dump())


EXTRAS = {
    "custom_variables": {"city": "北京", "user_name": "爱丽丝"},
    "parameters": {"depth": 3, "nested": {"list": [1, None, True, 0.5]}, "名": "值"},
    "meta_data": {"shop": "42"},
    "extra_params": {"latitude": "39.9", "longitude": "116.4"},
    "shortcut_command": {
        "command_id": "7480000000000000999",
        "parameters": {"q": '[{"type":"text","text":"x"}]'},
    },
}


@pytest.mark.parametrize("streaming", [True, False])
def test_everything_is_sent_as_documented(start_emulator, streaming):
    emulator = start_emulator()
    told = ask(agent(emulator.url, **EXTRAS), "你好", user="f" * 32, streaming=streaming)
    assert told.error is None
    sent = emulator.journal()["requests"][0]
    assert (sent["method"], sent["path"], sent["query"]) == ("POST", "/v3/chat", {})
    question = {"role": "user", "type": "question", "content": "你好", "content_type": "text"}
    assert sent["body"] == {
        "bot_id": BOT,
        "user_id": "f" * 32,
        "stream": streaming,
        "auto_save_history": True,
        "additional_messages": [question],
        **EXTRAS,
    }
    assert emulator.journal()["violations"] == []


def test_what_is_not_given_is_not_sent(start_emulator):
    emulator = start_emulator()
    ask(agent(emulator.url), "你好")
    assert set(emulator.journal()["requests"][0]["body"]) == {
        "bot_id",
        "user_id",
        "stream",
        "auto_save_history",
        "additional_messages",
    }


@pytest.mark.parametrize(
    "options", [{"api_token": "eyJ" + "x" * 737}, {"api_base": "https://abc.coze.site"}]
)
def test_what_belongs_to_a_deployment_at_coze_site_is_no_bots(options):
    with pytest.raises(ValidationError, match=r"coze\.site"):
        Options(**{"api_token": "pat_x", "bot_id": "7", **options})
