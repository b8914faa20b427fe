"""A table of answers is read by spreadsheets as it was said, and no cell of it is a formula."""

import csv
import io
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from chat.storage import Answer, Conversation
from chat.web.desk.answer_files import as_csv, as_json
from chat.web.frame import language as languages

app = Flask("files", root_path=str(Path(__file__).resolve().parents[3]))
languages.init_app(app)
# What the database holds of a text: no NUL and no half characters.
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30)
FORMULAS = ("=1", "+1", "-1", "@SUM(A1)", "\t1", "\r1", "\n1", " =1", "＝1", "﹢1")


def answer(question: str = "hi", **columns: Any) -> Answer:
    empty = {"files": [], "replies": ["hello"], "state": "done", "id": "m", "usage": None}
    row = Answer(**{**empty, "question": question, "conversation_id": "c", **columns})
    row.created_at = datetime(2026, 1, 1, 20, 5, tzinfo=UTC)
    row.conversation = Conversation(agent="coze")
    return row


def rows(*answers: Answer, zone: str = "Asia/Shanghai") -> list[dict[str, str]]:
    with app.test_request_context("/?lang=en"):
        text = "".join(as_csv([(answer, "v") for answer in answers], zone))
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


@given(st.one_of(st.sampled_from(FORMULAS), TEXTS), TEXTS)
def test_every_text_comes_back_and_none_begins_a_formula(question: str, reply: str) -> None:
    (row,) = rows(answer(question, replies=[reply], rating_reason=question, trace=reply))
    for cell, text in ((row["Question"], question), (row["Answer"], reply)):
        assert cell in (text, f"'{text}")
    for cell in row.values():
        assert unicodedata.normalize("NFKC", cell.lstrip()[:1]) not in {*"=+-@"}
        assert cell[:1] not in {*"\t\r\n"}


@pytest.mark.parametrize("text", FORMULAS)
def test_what_begins_a_formula_gets_a_sign_before_it(text: str) -> None:
    (row,) = rows(answer(text, files=[{"name": text}]))
    assert row["Question"] == row["Files"] == f"'{text}"


def test_a_table_has_the_time_of_the_site_s_zone_and_numbers_as_numbers() -> None:
    (row,) = rows(answer(first_s=0.5, usage={"total": 12}))
    assert row["Asked at"] == "2026-01-02 04:05:00"
    assert (row["Seconds to the first words"], row["Tokens"]) == ("0.5", "12")


def test_files_are_made_a_piece_at_a_time() -> None:
    def endless() -> Iterator[tuple[Answer, str]]:
        while True:
            yield answer(), "v"

    with app.test_request_context("/?lang=en"):
        for chunks in (as_csv(endless(), "UTC"), as_json(endless())):
            assert len([next(chunks) for _ in range(3)]) == 3
