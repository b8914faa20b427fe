"""An answer has bounds, whatever a platform sends; so has the history that goes to one."""

import time
import tracemalloc
from collections.abc import Callable, Iterable
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import expect

from chat import storage as storages
from chat.answers.bounds import ADDRESS_CHARS, NUMBER, REPLIES, REWRITES, Bounds
from chat.answers.partial import PartialAnswer
from chat.settings.model import Settings
from chat.storage import NewQuestion, Storage
from chat.storage.answers import HISTORY_CHARS
from providers import PLATFORMS
from providers.events import (
    Citation,
    Delta,
    Done,
    Event,
    Media,
    Rewrite,
    Status,
    Suggestion,
    Thought,
    ToolStep,
)
from providers.texts import tidy
from tests.answers.test_partial import EVENTS
from tests.kit.browsing import Person, ask, has_ended, prose
from tests.kit.emulator import Emulator
from tests.kit.site import Site, Visitor, text

MOST = 1000
LONG = "!huge 50000 !pause 3"


def filled(events: Iterable[Event], most: int = MOST) -> tuple[PartialAnswer, Bounds, list[Event]]:
    """The partial answer up to where it was ended, and the events that readers got."""
    partial = PartialAnswer()
    bounds, bounded_events = Bounds(partial, most), []
    for event in events:
        for bounded in bounds.cut_to_bounds(event):
            partial.apply(bounded)
            bounded_events.append(bounded)
        if bounds.are_reached:
            break
    return partial, bounds, bounded_events


# what has room


def test_the_text_that_fits_is_kept_to_the_last_character() -> None:
    partial, bounds, _ = filled([Delta("x" * 600), Delta("y" * 600)])
    assert partial.replies == ("x" * 600 + "y" * 400,)
    assert bounds.are_reached


def test_an_answer_of_just_that_length_is_whole() -> None:
    partial, bounds, _ = filled([Thought("t" * 400), Delta("x" * 600)])
    assert partial.size == MOST and not bounds.are_reached


@pytest.mark.parametrize("size", [MOST // 2 + 1, MOST - 10])
def test_leaked_thinking_of_any_length_that_fits_is_not_cut(size: int) -> None:
    """It is words until its closing tag comes, and then the same is a thought."""
    leak = [Delta("t" * (size // 10)) for _ in range(10)]
    partial, bounds, _ = filled(tidy(iter([*leak, Delta("</think>"), Delta("yes"), Done()])))
    assert not bounds.are_reached and partial.replies == ("yes",)
    assert partial.content.thoughts == "t" * (size // 10 * 10)


@pytest.mark.parametrize(
    "endless",
    [
        (Delta("word ") for _ in count()),
        (Delta("", 0) for _ in count()),
        (Delta("", reply) for reply in count()),
        (Thought("hm ") for _ in count()),
        (Rewrite("x" * 900) for _ in count()),
        (Rewrite("", reply) for reply in count()),
        (Status("queued", position) for position in count()),
        (ToolStep("one", "search", "running", str(number)) for number in count()),
        (
            ToolStep(str(number), "search", "running", "i" * 100_000, "o" * 100_000)
            for number in count()
        ),
        (Media("image", f"https://a/{number}") for number in count()),
        (Citation("title" * 9999, f"https://a/{number}", "text" * 9999) for number in count()),
        (Suggestion(f"{number} why? " + "and why? " * 9999) for number in count()),
    ],
    ids=[
        "words",
        "empty words",
        "replies",
        "thoughts",
        "rewrites",
        "rewritten replies",
        "states",
        "a step's states",
        "steps",
        "media",
        "sources",
        "suggestions",
    ],
)
def test_whatever_never_ends_is_ended(endless: Iterable[Event]) -> None:
    tracemalloc.start()
    partial, bounds, bounded_events = filled(endless)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert bounds.are_reached
    assert partial.size <= MOST and len(partial.replies) <= REPLIES
    assert (
        len(partial.content.tools) <= NUMBER[ToolStep]
        and len(partial.content.media) <= NUMBER[Media]
    )
    assert (
        len(partial.content.citations) <= NUMBER[Citation]
        and len(partial.content.suggestions) <= NUMBER[Suggestion]
    )
    assert (
        sum(len(event.text) for event in bounded_events if isinstance(event, Rewrite))
        <= REWRITES * MOST
    )
    assert peak < 40_000_000, f"{peak} bytes"


def test_what_stands_beside_an_answer_does_not_end_it() -> None:
    many = [Media("image", f"https://a/{number}") for number in range(1000)]
    partial, bounds, _ = filled([*many, Delta("the answer")])
    assert len(partial.content.media) == NUMBER[Media] and partial.replies == ("the answer",)
    assert not bounds.are_reached


def test_a_step_that_is_known_may_still_say_how_it_went() -> None:
    steps = [ToolStep(str(number), "search", "running") for number in range(300)]
    partial, _, _ = filled(
        [*steps, ToolStep("7", "search", "done"), ToolStep("299", "search", "done")]
    )
    assert partial.content.tools[7]["state"] == "done" and not partial.has_step("299")


def test_an_address_that_leads_nowhere_is_left_out() -> None:
    long = "https://a/" + "x" * ADDRESS_CHARS
    partial, _, _ = filled(
        [Media("image", long), Citation("a page", long), Media("image", "https://a")]
    )
    assert [medium["url"] for medium in partial.content.media] == [
        "https://a"
    ] and not partial.content.citations


@given(st.lists(EVENTS, max_size=30))
def test_an_ordinary_answer_is_left_as_it_is(events: list[Event]) -> None:
    partial, plain = filled(events)[0], PartialAnswer()
    for event in events:
        plain.apply(event)
    assert partial.columns() == plain.columns() and partial.size == plain.size


@given(st.lists(EVENTS, max_size=60), st.integers(0, 60))
def test_no_answer_is_longer_and_its_size_is_what_it_holds(events: list[Event], most: int) -> None:
    partial, _, _ = filled(events, most)
    assert partial.size == sum(map(len, partial.replies)) + len(partial.content.thoughts) <= most


# on the site


@pytest.fixture(scope="module")
def short(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """All platforms; an answer has 300 characters."""
    return keep_site(DEMO_URL=emulator.url, MAX_ANSWER_CHARS=300)


@pytest.mark.parametrize("agent", PLATFORMS)
def test_a_long_answer_is_cut_and_kept(short: Site, agent: str) -> None:
    alice = Visitor(short.url)
    events = list(alice.hear(LONG, agent=agent))
    assert events[-1].name == "done" and events[-1].data["finish_reason"] == "length"
    assert 250 < len(text(events)) <= 300
    assert "".join(events[-1].data["replies"]) == text(events)
    again = list(alice.follow())
    assert again[-1].data == events[-1].data
    assert alice.ask("hi", agent=agent).status_code == 200, "the conversation goes on"


@pytest.mark.parametrize("agent", PLATFORMS)
def test_a_program_gets_what_there_is(short: Site, agent: str) -> None:
    response = Visitor(short.url).ask("!huge 5000", agent=agent)
    assert response.status_code == 200, response.text
    assert 100 < sum(map(len, response.json()["replies"])) <= 300


def test_the_platform_is_told_to_stop(short: Site, emulator: Emulator) -> None:
    before = emulator.mark()
    list(Visitor(short.url).hear(LONG, agent="coze"))
    assert any("/v3/chat/cancel" in path for path in emulator.asked(before))


@pytest.mark.browser
def test_the_page_says_where_it_was_cut(short: Site, person: Callable[..., Person]) -> None:
    page = person(short).open()
    exchange = ask(page, LONG)
    has_ended(exchange)
    notice = "The answer was cut here: it is longer than this site shows."
    expect(exchange.get_by_text(notice)).to_be_visible()
    expect(prose(exchange)).not_to_be_empty()
    page.reload()
    exchange = page.locator("#transcript > .exchange").last
    expect(exchange.get_by_text(notice)).to_be_visible()
    expect(prose(exchange)).not_to_be_empty()
    whole = ask(page, "hi")
    has_ended(whole)
    expect(whole.get_by_text(notice)).to_be_hidden()


def test_an_export_says_so_too(short: Site) -> None:
    alice = Visitor(short.url)
    list(alice.hear(LONG, agent="coze"))
    exported = alice.get(
        f"/c/{alice.conversation}/export.md", headers={"Accept-Language": "en"}
    ).text
    assert "*The answer was cut here" in exported


# history


@pytest.fixture
def store(tmp_path: object) -> Iterable[Storage]:
    store = storages.connect(Settings(database_url=f"sqlite:///{tmp_path}/chat.db"))
    yield store
    store.close()


def talked(store: Storage, *sizes: int) -> tuple[tuple[str, str], ...]:
    """What goes along with a question after exchanges of these sizes."""
    conversation = None
    for number, size in enumerate([*sizes, 0]):
        stored = store.answers.store_question(
            NewQuestion("alice", "coze", f"q{number}", "w1", conversation_id=conversation)
        )
        conversation = stored.conversation_id
        store.answers.end(stored.answer_id, "done", {"replies": ["x" * size]})
        # Questions of the same millisecond have no order.
        time.sleep(0.002)
    return stored.earlier


def test_history_is_bounded_in_characters(store: Storage) -> None:
    earlier = talked(store, 1000, 30_000, 20_000, 5000)
    assert [question for question, _ in earlier] == ["q0", "q1", "q2", "q3"]
    earlier = talked(store, 1000, 30_000, 30_000, 5000)
    assert [question for question, _ in earlier] == ["q2", "q3"], "the newest, whole, oldest first"
    assert sum(len(question) + len(answer) for question, answer in earlier) <= HISTORY_CHARS


def test_an_exchange_that_is_too_long_is_left_out_whole(store: Storage) -> None:
    assert talked(store, 10, HISTORY_CHARS + 1) == ()
    assert len(talked(store, 10, HISTORY_CHARS - 2)) == 1, "q1 has two characters of its own"


def test_a_short_conversation_goes_along_whole(store: Storage) -> None:
    assert [question for question, _ in talked(store, 10, 10, 10)] == ["q0", "q1", "q2"]
