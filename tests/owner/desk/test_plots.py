"""Bars stay in their drawing and have the height of their numbers."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from chat.owner.desk.plots import plot

DAY = date(2026, 3, 1)
NUMBERS = st.lists(
    st.fixed_dictionaries({"answers": st.integers(-3, 10**12), "failed": st.integers(0, 500)}),
    min_size=1,
    max_size=30,
)


def by_day(numbers: list[dict[str, int]]) -> dict[date, dict[str, int]]:
    return {DAY + timedelta(days=number): values for number, values in enumerate(numbers)}


@settings(max_examples=30)
@given(NUMBERS)
def test_every_bar_is_within_the_drawing_and_none_has_less_than_no_height(
    numbers: list[dict[str, int]],
) -> None:
    drawn = plot(by_day(numbers))
    for column in drawn.columns:
        for bar in column.bars:
            assert bar.x >= 0 and bar.x + bar.width <= drawn.width
            assert bar.y >= 0 and bar.height >= 0 and bar.y + bar.height <= drawn.height + 0.01


@settings(max_examples=30)
@given(NUMBERS)
def test_the_bars_of_a_day_stand_one_above_the_other(numbers: list[dict[str, int]]) -> None:
    for column in plot(by_day(numbers)).columns:
        floor = 100.0
        for bar in column.bars:
            assert abs(bar.y + bar.height - floor) < 0.01
            floor = bar.y


def test_the_highest_day_fills_the_drawing_and_half_of_it_half() -> None:
    drawn = plot(by_day([{"answers": 6, "failed": 2}, {"answers": 4, "failed": 0}]))
    heights = [[bar.height for bar in column.bars] for column in drawn.columns]
    assert heights == [[75.0, 25.0], [50.0]]


def test_of_days_with_as_much_the_latest_is_named() -> None:
    drawn = plot(by_day([{"answers": 4}, {"answers": 4}, {"answers": 1}]))
    assert (drawn.top.day, drawn.most, drawn.total) == (DAY + timedelta(days=1), 4, 9)


def test_days_without_a_number_have_no_bar() -> None:
    drawn = plot(by_day([{"answers": 0}, {"answers": 0}]))
    assert not any(column.bars for column in drawn.columns) and drawn.kinds == []
