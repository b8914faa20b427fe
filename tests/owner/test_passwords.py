"""Which passwords are refused, and why; good ones of any script are taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.owner.passwords import weakness


@pytest.mark.parametrize(
    "password, reason",
    [
        ("short", "short"),
        ("a" * 201, "long"),
        ("aaaaaaaaaaaa", "repeats"),
        ("abcabcabcabc", "repeats"),
        ("qwedsaqwedsa", "repeats"),
        ("password1234", "common"),
        ("Admin@2026!!", "common"),
        ("123456789012", "common"),
        ("qwertyuiop12", "common"),
        ("zhiye888888!", "common"),
        ("woaini5201314", "common"),
        ("１２３４５６７８９０１２", "common"),
        ("iloveyou2024", "common"),
    ],
)
def test_what_is_tried_first_is_refused(password: str, reason: str) -> None:
    assert weakness(password, password) == reason


@pytest.mark.parametrize(
    "password",
    [
        "brass lantern over the quay",
        "正确的马电池订书钉与一盏灯",
        "kX9#vR2$mQ7!",
        "гроза над старым мостом",
        "correct horse battery",
    ],
)
def test_good_ones_are_taken(password: str) -> None:
    assert weakness(password, password) is None


def test_a_slip_of_the_finger_is_noticed() -> None:
    assert weakness("brass lantern over the quay", "brass lantern over the quai") == "unequal"


@given(st.text(max_size=400))
def test_any_text_has_an_answer(password: str) -> None:
    assert weakness(password, password) in (None, "short", "long", "repeats", "common")
