"""ACCESS_CODES as people write lists, days and numbers."""

from datetime import date

import pytest
from pydantic_core import PydanticCustomError

from chat.settings.code_lists import parse, secret_parts

TWO = ["brass-lantern-42", "paper-kite-77"]


@pytest.mark.parametrize("separator", [",", "; ", "；", "，", "、", "\n", " ", ";\n"])
def test_codes_are_separated_as_people_separate(separator: str) -> None:
    text = separator.join((f"a:{TWO[0]}", f"b:{TWO[1]}"))
    assert [entry.text for entry in parse(text)] == TWO
    assert secret_parts(text) == TWO


@pytest.mark.parametrize(
    "text",
    [
        '["brass-lantern-42", "paper-kite-77"]',
        '{"a": "brass-lantern-42", "b": "paper-kite-77"}',
        "a: brass-lantern-42\nb: paper-kite-77",
        "a:brass-lantern-42:永久, b:paper-kite-77:forever:20",
    ],
)
def test_a_list_is_read_as_json_and_yaml_write_it(text: str) -> None:
    assert [entry.text for entry in parse(text)] == TWO
    assert set(TWO) <= set(secret_parts(text))


@pytest.mark.parametrize("sign", ["=", "|", "=="])
def test_a_name_before_another_sign_is_no_part_of_the_code(sign: str) -> None:
    with pytest.raises(PydanticCustomError, match="a colon stands between"):
        parse(f"a{sign}{TWO[0]}")
    assert parse("YWJjZGVmZ2hpag==")[0].text.endswith("==")


@pytest.mark.parametrize(
    "day", ["2027-01-01", "2027/01/01", "2027.1.1", "2027年1月1日", "20270101", "２０２７/1/1"]
)
def test_a_day_is_written_in_many_ways(day: str) -> None:
    (entry,) = parse(f"a:{TWO[0]}:{day}")
    assert (entry.until, entry.daily) == (date(2027, 1, 1), 0)


@pytest.mark.parametrize("times", ["200", "200次", "200/天", "200/day"])
def test_the_questions_a_day_may_follow_at_once(times: str) -> None:
    (entry,) = parse(f"a:{TWO[0]}:{times}")
    assert (entry.until, entry.daily) == (None, 200)


@pytest.mark.parametrize("third", ["2027", "31/12/2027", "soon", "2027-13-01"])
def test_what_may_be_a_day_or_a_number_is_refused(third: str) -> None:
    with pytest.raises(PydanticCustomError, match="entry 1"):
        parse(f"a:{TWO[0]}:{third}")


def test_eight_digits_are_a_code_and_no_day() -> None:
    assert parse("12345678")[0].text == "12345678"
