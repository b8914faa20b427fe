"""One contract for all platforms: the same questions, by stream and as JSON, end in the same outcomes."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from emulator import create_emulator
from emulator.serving import serve
from providers import PLATFORMS
from providers.base import Attachment, Turn
from providers.errors import ProviderError
from providers.events import Delta, Done, Suggestion, Usage
from providers.stop import Stop, Stopped
from tests.conftest import Emulator, quick
from tests.kit.company import eventually, soon
from tests.kit.contract import (
    ANSWERED,
    SCENARIOS,
    TOKENS,
    WAYS,
    WITHIN_S,
    Asked,
    Scenario,
    Told,
    Visitor,
    accepted,
    agent,
    ask_all,
    codes,
    platforms_and_ways,
    told,
    unfinished,
)
from tests.kit.site import Site
from tests.kit.site import Visitor as Person

ALICE, BOB = "a" * 32, "b" * 32
LATE_S = 2.5  # what a busy machine may add to a deadline
ODD_TEXTS = {
    "emoji": "😀 👨‍👩‍👧‍👦 🇨🇳 好",
    "combining": "e\u0301 n\u0303 \u1e69 \u0e01\u0e33",
    "right to left": "مرحبا שלום \u202eabc\u202c",
    "line separators": "a\u2028b\u2029c\u0085d\u000be",
    "invisible": "\ufeffa\u200bb\u00a0c\u3000d",
    "rare": "𠮷野家 \U0010fffd",
    "signs of the stream": 'a\n\ndata: [DONE]\n\nevent: done\r\ndata: {"code": 4000}\n\nb',
    "markup": "<script>\\\"'`${x}{{y}}%s%00</script>",
    "long": "字" * 7900,
}

pairs = pytest.mark.parametrize(("platform", "way"), platforms_and_ways())
platforms = pytest.mark.parametrize("platform", PLATFORMS)


def of_all(scenarios: list[Scenario]) -> Any:
    cases = [(platform, way, one) for one in scenarios for platform, way in platforms_and_ways()]
    names = [f"{one.words or 'plain'}-{platform}-{way}" for platform, way, one in cases]
    return pytest.mark.parametrize(("platform", "way", "scenario"), cases, ids=names)


@pytest.fixture(scope="module")
def contract() -> Iterator[Emulator]:
    """The platforms under test: all at once, nobody refused for asking often."""
    with serve(create_emulator(quick(qingyan_daily=0, wenxin_daily=0))) as url:
        yield Emulator(url)


@pytest.fixture(scope="module")
def asked(contract: Emulator) -> Asked:
    """Every question of the contract, asked of every platform in both ways."""
    return ask_all(
        contract.url, {platform: [*SCENARIOS, *codes(platform)] for platform in PLATFORMS}
    )


# How it ends


@of_all(SCENARIOS)
def test_each_question_ends_in_time_in_one_right_outcome(
    asked: Asked, platform: str, way: str, scenario: Scenario
) -> None:
    heard = asked[platform, way, scenario.words]
    assert heard.ended == scenario.outcome(platform), heard.error
    assert heard.seconds < scenario.within + LATE_S
    assert_well_formed(heard, platform)


@pytest.mark.parametrize(
    ("platform", "way", "scenario"),
    [(platform, way, one) for platform, way in platforms_and_ways() for one in codes(platform)],
    ids=[
        f"{one.words}-{platform}-{way}"
        for platform, way in platforms_and_ways()
        for one in codes(platform)
    ],
)
def test_each_documented_code_ends_as_its_table_says(
    asked: Asked, platform: str, way: str, scenario: Scenario
) -> None:
    heard = asked[platform, way, scenario.words]
    assert heard.ended == scenario.ends, heard.error
    assert heard.seconds < scenario.within + LATE_S
    assert_well_formed(heard, platform)


def assert_well_formed(heard: Told, platform: str) -> None:
    ends = [number for number, event in enumerate(heard.events) if isinstance(event, Done)]
    assert ends == ([len(heard.events) - 1] if heard.error is None else []), (
        "Done once, last, or never"
    )
    assert not unfinished(heard.events), "a tool still at work after the end"
    assert all(one.text for one in heard.of(Delta) + heard.of(Suggestion))
    numbers = [one.reply for one in heard.of(Delta)]
    assert all(
        number <= max(numbers[:place], default=-1) + 1 for place, number in enumerate(numbers)
    )
    if isinstance(heard.error, ProviderError):
        assert heard.error.provider == platform
        assert "127.0.0.1" not in str(heard.error) and "secret" not in str(heard.error).lower()


@pairs
def test_a_token_that_is_refused(
    start_emulator: Callable[..., Emulator], platform: str, way: str
) -> None:
    emulator = start_emulator()
    for scenario in TOKENS:
        heard = told(agent(platform, emulator.url), f"{scenario.words} 好", streaming=WAYS[way])
        assert heard.ended == scenario.outcome(platform), (scenario.words, heard.error)
        assert_well_formed(heard, platform)


WRONG: dict[str, dict[str, dict[str, str]]] = {
    "coze": {
        "key": {"api_token": "pat_nobody"},
        "expired key": {"api_token": "pat_demo_expired"},
        "unknown agent": {"bot_id": "7480000000000000999"},
        "unpublished agent": {"bot_id": "7480000000000000102"},
        "somebody else's agent": {"api_token": "pat_demo_other_workspace"},
    },
    "qingyan": {
        "key": {"api_key": "nobody"},
        "secret": {"api_secret": "wrong"},
        "disabled key": {
            "api_key": "0a1b2c3d4e5f6073",
            "api_secret": "00112233445566778899aabbccddee03",
        },
        "unknown agent": {"assistant_id": "aaaaaaaaaaaaaaaaaaaaaa99"},
        "unpublished agent": {"assistant_id": "aaaaaaaaaaaaaaaaaaaaaa03"},
        "somebody else's agent": {"assistant_id": "aaaaaaaaaaaaaaaaaaaaaa02"},
    },
    "wenxin": {
        "key": {"secret_key": "wrong"},
        "unknown agent": {"app_id": "EmuAgentAAAAAAAAAAAAAAAAAAAAAA99"},
        "unpublished agent": {
            "app_id": "EmuAgentAAAAAAAAAAAAAAAAAAAAAA02",
            "secret_key": "EmuSecretBBBBBBBBBBBBBBBBBBBBB02",
        },
    },
    "yuanqi": {
        "key": {"api_token": "nobody"},
        "unknown agent": {"assistant_id": "EmuAgent9999"},
        "unpublished agent": {"assistant_id": "EmuAgent0002"},
        "somebody else's agent": {"assistant_id": "EmuAgent0003"},
    },
    "huawei": {
        "key": {"api_key": "sk-nobody"},
        "unknown agent": {
            "agent_url": "/v1/routes/open/7c0e1d52-0000-4a00-9000-00000000a999/execute"
        },
        "unpublished agent": {
            "agent_url": "/v1/routes/open/7c0e1d52-0000-4a00-9000-00000000a002/execute"
        },
        "somebody else's agent": {
            "agent_url": "/v1/routes/open/7c0e1d52-0000-4a00-9000-00000000a003/execute"
        },
        "no agent's address": {"agent_url": "/nowhere"},
    },
}


@pairs
def test_a_wrong_set_up_is_for_the_owner_to_mend(
    contract: Emulator, platform: str, way: str
) -> None:
    assert {"key", "unknown agent", "unpublished agent"} <= set(WRONG[platform])
    for what, options in WRONG[platform].items():
        given = {
            name: contract.url + one if one.startswith("/") else one
            for name, one in options.items()
        }
        heard = told(agent(platform, contract.url, **given), "你好", streaming=WAYS[way])
        assert heard.ended == "misconfigured", (what, heard.error)
        assert heard.events == []


@pairs
def test_nobody_there(platform: str, way: str) -> None:
    heard = told(agent(platform, "http://127.0.0.1:9"), "你好", streaming=WAYS[way])
    assert heard.ended == "unavailable" and heard.events == []
    assert heard.seconds < 5


def test_no_redirect_was_followed(asked: Asked, contract: Emulator) -> None:
    assert asked["coze", "json", "!redirect"].ended == "unexpected"
    assert contract.violations("redirect_followed") == []


def test_no_rule_of_a_platform_was_broken(asked: Asked, contract: Emulator) -> None:
    assert asked and contract.journal()["violations"] == []


# What it says


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("scenario", ANSWERED, ids=lambda one: one.words or "plain")
def test_json_and_stream_callers_get_the_same_answer(
    asked: Asked, platform: str, scenario: Scenario
) -> None:
    streamed, whole = (asked[platform, way, scenario.words].essence for way in WAYS)
    if platform == "wenxin":  # getAnswer tells of no tools
        streamed.pop("tools"), whole.pop("tools")
    for essence in (streamed, whole):  # each question names its way; a usage counts its letters
        essence["replies"] = tuple(
            one.replace("stream", "").replace("json", "") for one in essence["replies"]
        )
        essence["usage"] = bool(essence["usage"])
    assert streamed == whole
    assert streamed["replies"]


@platforms
def test_framing_changes_nothing(asked: Asked, platform: str) -> None:
    for words in (
        "!chop",
        "!burst",
        "!crlf",
        "!space",
        "!comment",
        "!crlf !space !comment",
        "!strange",
    ):
        replies = asked[platform, "stream", words].partial.replies
        assert replies == (f"你说：{words} 今天好 stream\n\n这是第 1 个问题。",)


@platforms
def test_an_answer_that_ended_early_keeps_what_it_had(asked: Asked, platform: str) -> None:
    for words in ("!late-error", "!blocked-late", "!pause 20", "!endless"):
        assert asked[platform, "stream", words].text.startswith("你说：")
    for words in ("!cut", "!short"):
        heard = asked[platform, "stream", words]
        whole = f"你说：{words} 今天好 stream\n\n这是第 1 个问题。"
        assert whole.startswith(heard.text) and heard.text
        assert heard.error is not None or heard.text == whole or platform == "huawei"


@platforms
def test_two_megabytes_come_whole(asked: Asked, platform: str) -> None:
    for way in WAYS:
        assert len(asked[platform, way, "!huge 2000000"].text.encode()) == 2_000_000


@pytest.mark.parametrize("what", ODD_TEXTS)
@pairs
def test_any_text_goes_there_and_back(
    contract: Emulator, platform: str, way: str, what: str
) -> None:
    question = f"!pieces 9 1 {ODD_TEXTS[what]}"
    heard = told(agent(platform, contract.url), question, streaming=WAYS[way])
    assert heard.error is None
    assert question in "".join(heard.partial.replies)


@pairs
def test_three_questions_are_remembered_and_two_visitors_are_not_mixed(
    contract: Emulator, platform: str, way: str
) -> None:
    shared = agent(platform, contract.url)

    def talk(user: str, name: str) -> str:
        visitor = Visitor(shared, WAYS[way], user)
        for number in ("一", "二", "三"):
            assert name + number in visitor.ask(f"{name}{number}").text
        return visitor.ask("!recall").text

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(talk, (ALICE, BOB), ("甲", "乙")))
    assert answers == ["甲一 | 甲二 | 甲三", "乙一 | 乙二 | 乙三"]


# What it can do


def capable(asked: Asked, platform: str, kind: type) -> list[bool]:
    """Whether plain answers, in either way, hold events of a kind."""
    return [bool(asked[platform, way, ""].of(kind)) for way in WAYS]


@platforms
def test_what_a_row_says_of_suggestions_and_tokens_is_true(asked: Asked, platform: str) -> None:
    row = PLATFORMS[platform]
    assert capable(asked, platform, Suggestion) == [row.suggests] * 2
    assert capable(asked, platform, Usage) == [row.counts] * 2
    for (name, _, _), heard in asked.items():
        if name == platform:
            assert row.suggests or not heard.of(Suggestion)
            assert row.counts or not heard.of(Usage)
            assert all(one.total >= max(one.input, one.output) >= 0 for one in heard.of(Usage))


@platforms
def test_what_streams_comes_in_pieces_while_it_is_made(contract: Emulator, platform: str) -> None:
    moments: list[float] = []
    turn = Turn("!pieces 8 50 好", ALICE, Stop(), time.monotonic() + WITHIN_S)
    for event in agent(platform, contract.url).stream(turn):
        if isinstance(event, Delta):
            moments.append(time.monotonic())
    assert PLATFORMS[platform].streams == (len(moments) >= 8 and moments[-1] - moments[0] > 0.2)


@platforms
def test_who_remembers_names_the_thread_and_who_does_not_is_told_the_history(
    asked: Asked, contract: Emulator, platform: str
) -> None:
    has_named = [
        any(one.conversation for one in accepted(asked[platform, way, ""].events)) for way in WAYS
    ]
    assert has_named == [PLATFORMS[platform].remembers] * 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "platform", [name for name, row in PLATFORMS.items() if row.files or row.images]
)
def test_what_takes_files_takes_them(
    start_emulator: Callable[..., Emulator], platform: str, way: str
) -> None:
    row = PLATFORMS[platform]
    emulator = start_emulator()
    url = "https://files.example/a.pdf" if row.fetches else None
    assert "pdf" in row.files and "png" in row.images
    files = (
        Attachment("a.pdf", "application/pdf", b"%PDF-1.4 x", url),
        Attachment("b.png", "image/png", b"\x89PNG\r\n\x1a\nx", url),
    )
    heard = told(agent(platform, emulator.url), "看看", streaming=WAYS[way], attachments=files)
    assert heard.error is None
    journal = emulator.journal()
    uploads = [one for one in journal["requests"] if "upload" in one["path"]]
    assert len(uploads) == (0 if row.fetches else 2)
    assert journal["violations"] == []


@platforms
def test_what_keeps_a_record_can_be_read_again(
    asked: Asked, contract: Emulator, platform: str
) -> None:
    plain = asked[platform, "json", ""]
    ids = accepted(plain.events)[-1]
    turn = Turn("", ALICE, Stop(), time.monotonic() + WITHIN_S, conversation=ids.conversation)
    again = Told()
    try:
        for event in agent(platform, contract.url).resume(turn, ids.chat or "", ()):
            again.events.append(event)
    except ProviderError as error:
        again.error = error
    assert again.ended == ("done" if PLATFORMS[platform].records else "unavailable")
    assert again.error is not None or again.partial.replies == plain.partial.replies


@platforms
def test_what_clears_forgets_and_goes_on(contract: Emulator, platform: str) -> None:
    shared = agent(platform, contract.url)
    assert hasattr(shared, "clear") == PLATFORMS[platform].clears
    if not hasattr(shared, "clear"):
        return
    visitor = Visitor(shared, True, ALICE)
    visitor.ask("甲")
    shared.clear(visitor.conversation)
    assert "甲" not in visitor.ask("!recall").text


# Stop


@pytest.mark.parametrize(
    "words", ["!silent", "!pieces 400 20"], ids=["before a byte", "in the middle"]
)
@pairs
def test_stop_ends_it_here_and_there_at_once(
    start_emulator: Callable[..., Emulator], platform: str, way: str, words: str
) -> None:
    emulator, stop, heard = start_emulator(coze_work_s=60), Stop(), Told()
    turn = Turn(f"{words} 好", ALICE, stop, time.monotonic() + WITHIN_S, streaming=WAYS[way])

    def listen() -> None:
        try:
            for event in agent(platform, emulator.url).stream(turn):
                heard.events.append(event)
        except Stopped as error:
            heard.error = error

    listening = threading.Thread(target=listen)
    listening.start()
    assert eventually(lambda: is_at_work(emulator, heard, words, way))
    began = time.monotonic()
    stop.request()
    listening.join(5)
    assert isinstance(heard.error, Stopped)
    assert time.monotonic() - began < soon(0.5)
    assert eventually(lambda: has_ended_there(emulator, platform), 1.0)
    assert_well_formed(heard, platform)
    assert all(not isinstance(one, Done) for one in heard.events)


def is_at_work(emulator: Emulator, heard: Told, words: str, way: str) -> bool:
    """Whether the platform has the question, and, where pieces come, some have come."""
    has_it = any(one["ids"] for one in emulator.journal()["requests"])
    return has_it and (bool(heard.text) or words == "!silent" or way == "json")


def has_ended_there(emulator: Emulator, platform: str) -> bool:
    journal = emulator.journal()
    has_cancelled = any(one["path"].endswith("cancel") for one in journal["requests"])
    return has_cancelled if PLATFORMS[platform].cancels else bool(journal["disconnected"])


@pairs
def test_a_stop_from_before_asks_nothing(contract: Emulator, platform: str, way: str) -> None:
    stop = Stop()
    stop.request()
    heard = told(agent(platform, contract.url), "!slow 9 好", stop=stop, streaming=WAYS[way])
    assert isinstance(heard.error, Stopped) and heard.events == []
    assert heard.seconds < soon(1)


@pairs
def test_a_deadline_that_has_passed_asks_nothing(
    contract: Emulator, platform: str, way: str
) -> None:
    heard = told(agent(platform, contract.url), "你好", within=-1, streaming=WAYS[way])
    assert heard.ended == "timeout" and heard.events == []


# Through the whole site


@pytest.fixture(scope="module")
def whole_site(contract: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The demo, every platform of which is the contract's."""
    site = Site(tmp_path_factory.mktemp("site"), {"DEMO_URL": contract.url})
    try:
        yield site.start()
    finally:
        site.end()


@platforms
@pytest.mark.parametrize("words", ["", "!two !strange"])
def test_the_site_gives_json_and_stream_callers_the_same(
    whole_site: Site, platform: str, words: str
) -> None:
    """How each way ends when something breaks: tests/faults/."""
    question = f"{words} 今天好 {platform}".strip()
    whole = Person(whole_site.url).ask(question, agent=platform).json()["replies"]
    *_, last = Person(whole_site.url).hear(question, agent=platform)
    assert whole and last.data["replies"] == whole
