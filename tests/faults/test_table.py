"""Whatever breaks on a platform: the right words, in time; the question and its text are kept."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask_babel import Babel, force_locale

from chat.web import errors
from emulator import words
from providers import PLATFORMS
from tests.faults.asking import LATE_S, PATIENCE_S, WAYS, Key, Seen, look_at_all
from tests.faults.report import write
from tests.faults.table import DONE, FAULTS, Fault

CELLS = [
    pytest.param(fault, platform, way, id=f"{fault.word.strip()}-{platform}-{way}")
    for fault in FAULTS
    for platform in fault.on
    for way in WAYS
]
cells = pytest.mark.parametrize(("fault", "platform", "way"), CELLS)
# Behaviours of an emulator that are no fault; all its other words are in the table.
NO_FAULTS = set(
    "recall pieces markdown huge think tool cite image two suggest strange chop burst crlf space comment "
    # Faults by their numbers: tests/providers/test_contract.py has every code.
    "code late-code".split()
)


@pytest.fixture(scope="module")
def seen() -> dict[Key, Seen]:
    return look_at_all()


@pytest.fixture(scope="module")
def english() -> Iterator[dict[str, str]]:
    """The sentence of every code, as an English page says it."""
    app = Flask(__name__)
    Babel(app)
    with app.test_request_context(), force_locale("en"):
        yield {code: errors.sentence(code) for code in errors.STATUS}


@cells
def test_it_ends_in_its_code(
    seen: dict[Key, Seen], english: dict[str, str], fault: Fault, platform: str, way: str
) -> None:
    got, code = seen[fault.word, platform, way], fault.expected(platform, way)
    assert got.ended == code
    assert code is not None
    if way == "json":
        assert got.status == (200 if code == DONE else errors.STATUS[code])
    elif way == "stream":
        assert got.ends == ["turn", "done" if code == DONE else "error"], "one beginning, one end"
    else:
        assert got.status == 303
        assert got.ends == ["done" if code == DONE else "failed"], (
            "the page shows one question, and its end"
        )
    assert got.sentence == ("" if code == DONE else english[code])


@cells
def test_the_question_is_kept_once_with_an_end(
    seen: dict[Key, Seen], fault: Fault, platform: str, way: str
) -> None:
    code = fault.expected(platform, way)
    (stored,) = seen[fault.word, platform, way].stored
    assert stored["state"] == ("done" if code == DONE else "failed")
    assert stored["code"] == (None if code == DONE else code)
    assert stored["ended_at"]


@cells
def test_the_text_that_had_come_is_kept(
    seen: dict[Key, Seen], fault: Fault, platform: str, way: str
) -> None:
    got = seen[fault.word, platform, way]
    (stored,) = got.stored
    kept = "".join(stored["replies"])
    if way == "stream":
        assert kept == got.said, "what was heard is what is stored"
    if way == "form":
        assert _letters(kept) == _letters(got.said), "what is stored is what the page shows"
    if way == "json" and fault.expected(platform, way) == DONE:
        assert kept == got.said
    if way != "json":
        has_some = platform in fault.keeps or fault.expected(platform, way) == DONE
        assert bool(kept) == has_some


def _letters(text: str) -> str:
    """A page's paragraphs against the Markdown they came from."""
    return "".join(text.split())


@cells
def test_who_may_ask_again_later_is_told_when(
    seen: dict[Key, Seen], fault: Fault, platform: str, way: str
) -> None:
    got = seen[fault.word, platform, way]
    if way != "form":
        assert (got.waits is not None) == (platform in fault.waits)
        assert got.waits is None or 1 <= got.waits <= 60


@cells
def test_it_ends_in_time(seen: dict[Key, Seen], fault: Fault, platform: str, way: str) -> None:
    assert seen[fault.word, platform, way].seconds < PATIENCE_S[fault.at] + LATE_S


def test_the_documents_say_what_was_seen(seen: dict[Key, Seen]) -> None:
    written = write(seen)
    assert not written, (
        f"{written} said something else; they have been written anew: look at the difference"
    )


def test_every_word_of_the_emulator_is_in_the_table() -> None:
    known = set(re.findall(r"!([a-z-]+)", words.__doc__ or "")) - {"cut", "great"}
    asked = {name for fault in FAULTS for name in re.findall(r"!([a-z-]+)", fault.word)}
    assert known - NO_FAULTS <= asked
    assert set(PLATFORMS) == {platform for fault in FAULTS for platform in fault.on}
