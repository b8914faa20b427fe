"""Every fault of every platform, in every way to ask: the right code, in time, and what came is
kept.
"""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask_babel import Babel, force_locale

from chat.web import errors
from emulator import words
from providers import PLATFORMS
from tests.faults.harvest import LATE_S, PATIENCE_S, Harvest, Outcome
from tests.faults.report import write
from tests.faults.table import CELLS, DONE, FAULTS, Cell

# Behaviours of an emulator that are no fault; all its other words are in the table.
NO_FAULTS = set(
    "recall pieces markdown huge think tool cite image two suggest strange "
    "chop burst crlf cr space comment heartbeat tight bom think-text think-end half-emoji "
    # Faults by their numbers: tests/providers/test_contract.py asks every documented code.
    "code late-code table formula poster plan failure".split()
)
# What came of these is the beginning of an echo of the question, or all of it.
BROKEN_OFF = {"!cut", "!cut !chop", "!short"}
# These begin as an echo of the question.
HALF_AN_ECHO = {"!late-error", "!blocked-late", "!pause 20", "!endless"}


@pytest.fixture(scope="module")
def english() -> Iterator[dict[str, str]]:
    """The sentence of every code, as an English page shows it."""
    app = Flask(__name__)
    Babel(app)
    with app.test_request_context(), force_locale("en"):
        yield {code: errors.sentence(code) for code in errors.STATUS}


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_fault_ends_in_its_code_in_time_and_keeps_what_came(
    harvest: Harvest, english: dict[str, str], cell: Cell
) -> None:
    outcome = harvest.outcomes[cell]
    assert outcome.name == cell.code
    assert outcome.sentence == english.get(cell.code, "")
    assert outcome.seconds < PATIENCE_S[cell.fault.at] + LATE_S
    assert_one_end(outcome, cell)
    assert_stored_once(outcome, cell)
    assert_text_is_kept(outcome, cell)
    if cell.way != "form":
        assert_retry_after(outcome, cell)


def assert_one_end(outcome: Outcome, cell: Cell) -> None:
    """One beginning and one end, as each way shows them."""
    if cell.way == "json":
        assert outcome.status == (200 if cell.code == DONE else errors.STATUS[cell.code])
    elif cell.way == "stream":
        assert outcome.ends == ["turn", "done" if cell.code == DONE else "error"]
        assert "running" not in outcome.tools
    else:
        assert outcome.status == 303
        assert outcome.ends == ["done" if cell.code == DONE else "failed"]


def assert_stored_once(outcome: Outcome, cell: Cell) -> None:
    (row,) = outcome.rows
    assert row["state"] == ("done" if cell.code == DONE else "failed")
    assert row["code"] == (None if cell.code == DONE else cell.code)
    assert row["ended_at"]


def assert_text_is_kept(outcome: Outcome, cell: Cell) -> None:
    """What the visitor had in front of them is what is stored."""
    text = "".join(outcome.rows[0]["replies"])
    if cell.way == "stream":
        assert text == outcome.text
        if cell.fault.word in BROKEN_OFF:
            assert f"你说：{outcome.question}\n\n这是第 1 个问题。".startswith(text)
    elif cell.way == "form":
        # A page's paragraphs against the Markdown they came from.
        assert "".join(text.split()) == "".join(outcome.text.split())
    elif cell.code == DONE:
        assert text == outcome.text
    if cell.way != "json":
        assert bool(text) == (cell.platform in cell.fault.keeps or cell.code == DONE)
    if cell.platform in cell.fault.keeps and cell.fault.word in HALF_AN_ECHO:
        assert text.startswith("你说：") or cell.way == "json"


def assert_retry_after(outcome: Outcome, cell: Cell) -> None:
    assert (outcome.retry_after is not None) == (cell.platform in cell.fault.waits)
    assert outcome.retry_after is None or 1 <= outcome.retry_after <= 60


def test_no_redirect_was_followed(harvest: Harvest) -> None:
    kinds = {violation["kind"] for violation in harvest.violations}
    assert "redirect_followed" not in kinds


def test_the_documents_show_these_outcomes(harvest: Harvest) -> None:
    written = write(harvest.outcomes)
    assert not written, f"{written} showed something else and were written anew: look at the diff"


def test_every_word_of_the_emulator_is_in_the_table() -> None:
    documented = set(re.findall(r"!([a-z-]+)", words.__doc__ or "")) - {"cut", "great"}
    asked = {name for fault in FAULTS for name in re.findall(r"!([a-z-]+)", fault.word)}
    assert documented - NO_FAULTS <= asked
    assert set(PLATFORMS) == {platform for fault in FAULTS for platform in fault.on}
