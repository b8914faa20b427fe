"""One contract for all platforms: the same questions, by stream and as JSON, end in the same
outcomes.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from emulator import create_emulator
from emulator.serving import serve
from providers import PLATFORMS
from providers.base import Attachment, Turn
from providers.errors import ProviderError
from providers.events import Delta, Done, Suggestion, Usage
from providers.stop import Stop, Stopped
from tests.kit.contract import (
    ANSWERED,
    BROKEN,
    WAYS,
    WITHIN_S,
    Answers,
    TimedAnswer,
    Visitor,
    accepted,
    agent,
    ask_all,
    ask_timed,
    documented_codes,
    platforms_and_ways,
    unfinished,
)
from tests.kit.emulator import NO_DAILY_LIMIT, Emulator, quick
from tests.kit.patience import eventually, soon
from tests.kit.site import Site
from tests.kit.site import Visitor as Person

ALICE, BOB = "a" * 32, "b" * 32

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


@pytest.fixture(scope="module")
def contract() -> Iterator[Emulator]:
    """The platforms under test: all at once, nobody refused for asking often."""
    with serve(create_emulator(quick(**NO_DAILY_LIMIT))) as url:
        yield Emulator(url)


@pytest.fixture(scope="module")
def answers(contract: Emulator) -> Answers:
    """Every question of the contract, asked of every platform in both ways."""
    questions = {
        platform: [*ANSWERED, *BROKEN, *documented_codes(platform)] for platform in PLATFORMS
    }
    return ask_all(contract.url, questions)


# How it ends


@platforms
@pytest.mark.parametrize("words", ANSWERED, ids=lambda words: words or "plain")
def test_an_answer_is_well_formed_and_the_same_in_both_ways(
    answers: Answers, platform: str, words: str
) -> None:
    essences = []
    for way in WAYS:
        answer = answers[platform, way, words]
        assert answer.ended == "done", answer.error
        assert answer.seconds < WITHIN_S
        assert_well_formed(answer, platform)
        essence = answer.essence
        # getAnswer reports no tools.
        if platform == "wenxin":
            essence.pop("tools")
        # Each question names its way; a usage counts its letters.
        essence["replies"] = tuple(reply.replace(way, "") for reply in essence["replies"])
        essence["usage"] = bool(essence["usage"])
        essences.append(essence)
    assert essences[0] == essences[1]
    assert essences[0]["replies"]


@pytest.mark.parametrize(
    ("platform", "words", "reason"),
    [
        pytest.param(platform, words, reason, id=f"{words}-{platform}")
        for platform in PLATFORMS
        for words, reason in documented_codes(platform).items()
    ],
)
def test_each_documented_code_ends_as_its_table_says(
    answers: Answers, platform: str, words: str, reason: str
) -> None:
    for way in WAYS:
        answer = answers[platform, way, words]
        assert answer.ended == reason, (way, answer.error)
        assert answer.seconds < WITHIN_S
        assert_well_formed(answer, platform)


@pairs
def test_a_failure_is_well_formed(answers: Answers, platform: str, way: str) -> None:
    for words in BROKEN:
        answer = answers[platform, way, words]
        assert answer.ended != "done" or words in ("!tool !cut", "!tool !short")
        assert_well_formed(answer, platform)


def assert_well_formed(answer: TimedAnswer, platform: str) -> None:
    ends = [number for number, event in enumerate(answer.events) if isinstance(event, Done)]
    assert ends == ([len(answer.events) - 1] if answer.error is None else []), (
        "Done once, last, or never"
    )
    assert not unfinished(answer.events), "a tool still at work after the end"
    assert all(event.text for event in answer.of(Delta) + answer.of(Suggestion))
    numbers = [event.reply for event in answer.of(Delta)]
    assert all(
        number <= max(numbers[:place], default=-1) + 1 for place, number in enumerate(numbers)
    )
    if isinstance(answer.error, ProviderError):
        assert answer.error.provider == platform
        assert "127.0.0.1" not in str(answer.error) and "secret" not in str(answer.error).lower()


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
    for fault, options in WRONG[platform].items():
        full = {
            name: contract.url + value if value.startswith("/") else value
            for name, value in options.items()
        }
        answer = ask_timed(agent(platform, contract.url, **full), "你好", streaming=WAYS[way])
        assert answer.ended == "misconfigured", (fault, answer.error)
        assert answer.events == []


@pairs
def test_a_platform_that_cannot_be_reached_is_unavailable(platform: str, way: str) -> None:
    answer = ask_timed(agent(platform, "http://127.0.0.1:9"), "你好", streaming=WAYS[way])
    assert answer.ended == "unavailable" and answer.events == []
    assert answer.seconds < 5


def test_no_rule_of_a_platform_was_broken(answers: Answers, contract: Emulator) -> None:
    """Among them: no redirect was followed."""
    assert answers and contract.journal()["violations"] == []


# What it says


@platforms
def test_framing_changes_nothing(answers: Answers, platform: str) -> None:
    for words in (
        "!chop",
        "!burst",
        "!crlf",
        "!space",
        "!comment",
        "!crlf !space !comment",
        "!cr",
        "!heartbeat",
        "!tight",
        "!bom !chop",
        "!heartbeat !tight !crlf !bom",
        "!strange",
    ):
        replies = answers[platform, "stream", words].partial.replies
        assert replies == (f"你说：{words} 今天好 stream\n\n这是第 1 个问题。",)


@pytest.mark.parametrize("way", WAYS)
@platforms
def test_thoughts_in_the_text_are_thoughts(answers: Answers, platform: str, way: str) -> None:
    for words in ("!think-text", "!think-text !pieces 40 1", "!think-end"):
        essence = answers[platform, way, words].essence
        assert essence["thoughts"] and "think>" not in essence["thoughts"]
        assert essence["replies"] == (f"你说：{words} 今天好 {way}\n\n这是第 1 个问题。",)


@platforms
def test_two_megabytes_come_whole(answers: Answers, platform: str) -> None:
    for way in WAYS:
        assert len(answers[platform, way, "!huge 2000000"].text.encode()) == 2_000_000


@pytest.mark.parametrize("kind", ODD_TEXTS)
@platforms
def test_any_text_goes_there_and_back(contract: Emulator, platform: str, kind: str) -> None:
    question = f"!pieces 9 1 {ODD_TEXTS[kind]}"
    for streaming in WAYS.values():
        answer = ask_timed(agent(platform, contract.url), question, streaming=streaming)
        assert answer.error is None
        assert question in "".join(answer.partial.replies)


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


def capable(answers: Answers, platform: str, kind: type) -> list[bool]:
    """Whether plain answers, in either way, hold events of a kind."""
    return [bool(answers[platform, way, ""].of(kind)) for way in WAYS]


@platforms
def test_a_row_tells_whether_there_are_suggestions_and_tokens(
    answers: Answers, platform: str
) -> None:
    row = PLATFORMS[platform]
    assert capable(answers, platform, Suggestion) == [row.suggests] * 2
    assert capable(answers, platform, Usage) == [row.counts] * 2
    for (name, _, _), answer in answers.items():
        if name == platform:
            assert row.suggests or not answer.of(Suggestion)
            assert row.counts or not answer.of(Usage)
            assert all(
                event.total >= max(event.input, event.output) >= 0 for event in answer.of(Usage)
            )


@platforms
def test_a_row_tells_whether_text_comes_in_pieces(contract: Emulator, platform: str) -> None:
    moments: list[float] = []
    turn = Turn("!pieces 8 50 好", ALICE, Stop(), time.monotonic() + WITHIN_S)
    for event in agent(platform, contract.url).stream(turn):
        if isinstance(event, Delta):
            moments.append(time.monotonic())
    assert PLATFORMS[platform].streams == (len(moments) >= 8 and moments[-1] - moments[0] > 0.2)


@platforms
def test_a_platform_that_remembers_names_the_conversation(
    answers: Answers, contract: Emulator, platform: str
) -> None:
    has_named = [
        any(event.conversation for event in accepted(answers[platform, way, ""].events))
        for way in WAYS
    ]
    assert has_named == [PLATFORMS[platform].remembers] * 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "platform", [name for name, row in PLATFORMS.items() if row.files or row.images]
)
def test_files_are_sent_where_a_platform_takes_them(
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
    answer = ask_timed(
        agent(platform, emulator.url), "看看", streaming=WAYS[way], attachments=files
    )
    assert answer.error is None
    journal = emulator.journal()
    uploads = [event for event in journal["requests"] if "upload" in event["path"]]
    assert len(uploads) == (0 if row.fetches else 2)
    assert journal["violations"] == []


@platforms
def test_a_record_can_be_read_again_where_there_is_one(
    answers: Answers, contract: Emulator, platform: str
) -> None:
    plain = answers[platform, "json", ""]
    ids = accepted(plain.events)[-1]
    turn = Turn("", ALICE, Stop(), time.monotonic() + WITHIN_S, conversation=ids.conversation)
    again = TimedAnswer()
    try:
        for event in agent(platform, contract.url).resume(turn, ids.chat or "", ()):
            again.events.append(event)
    except ProviderError as error:
        again.error = error
    assert again.ended == ("done" if PLATFORMS[platform].records else "unavailable")
    assert again.error is not None or again.partial.replies == plain.partial.replies


@platforms
def test_a_conversation_that_was_cleared_goes_on_without_its_past(
    contract: Emulator, platform: str
) -> None:
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
def test_stop_ends_an_answer_here_and_there_at_once(
    start_emulator: Callable[..., Emulator], platform: str, way: str, words: str
) -> None:
    emulator, stop, answer = start_emulator(coze_work_s=60), Stop(), TimedAnswer()
    turn = Turn(f"{words} 好", ALICE, stop, time.monotonic() + WITHIN_S, streaming=WAYS[way])

    def listen() -> None:
        try:
            for event in agent(platform, emulator.url).stream(turn):
                answer.events.append(event)
        except Stopped as error:
            answer.error = error

    listening = threading.Thread(target=listen)
    listening.start()
    assert eventually(lambda: is_at_work(emulator, answer, words, way))
    began = time.monotonic()
    stop.request()
    listening.join(5)
    assert isinstance(answer.error, Stopped)
    assert time.monotonic() - began < soon(0.5)
    assert eventually(lambda: has_ended_there(emulator, platform), 1.0)
    assert_well_formed(answer, platform)
    assert all(not isinstance(event, Done) for event in answer.events)


def is_at_work(emulator: Emulator, answer: TimedAnswer, words: str, way: str) -> bool:
    """Whether the platform has the question, and, where pieces come, some have come."""
    has_it = any(event["ids"] for event in emulator.journal()["requests"])
    return has_it and (bool(answer.text) or words == "!silent" or way == "json")


def has_ended_there(emulator: Emulator, platform: str) -> bool:
    journal = emulator.journal()
    has_cancelled = any(event["path"].endswith("cancel") for event in journal["requests"])
    return has_cancelled if PLATFORMS[platform].cancels else bool(journal["disconnected"])


@pairs
def test_a_question_stopped_beforehand_asks_nothing(
    contract: Emulator, platform: str, way: str
) -> None:
    stop = Stop()
    stop.request()
    answer = ask_timed(agent(platform, contract.url), "!slow 9 好", stop=stop, streaming=WAYS[way])
    assert isinstance(answer.error, Stopped) and answer.events == []
    assert answer.seconds < soon(1)


@pairs
def test_a_deadline_that_has_passed_asks_nothing(
    contract: Emulator, platform: str, way: str
) -> None:
    answer = ask_timed(agent(platform, contract.url), "你好", within=-1, streaming=WAYS[way])
    assert answer.ended == "timeout" and answer.events == []


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
