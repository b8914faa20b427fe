"""Plots as bars: where each stands in a drawing, for templates/desk/plots.html."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

# A drawing is so high, and a day so wide, of which the bar leaves some free.
HEIGHT = 100.0
STEP = 10.0
GAP = 2.0


@dataclass(frozen=True)
class Bar:
    """A rectangle, from its upper left corner. `kind` says what it counts."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Column:
    """The bars of a day, the lowest first."""

    day: date
    values: dict[str, int]
    bars: list[Bar]


@dataclass(frozen=True)
class Plot:
    """One number by days; what it consists of stands one above the other."""

    columns: list[Column]

    @property
    def width(self) -> float:
        return STEP * len(self.columns)

    @property
    def height(self) -> float:
        return HEIGHT

    @property
    def first(self) -> date:
        return self.columns[0].day

    @property
    def last(self) -> date:
        return self.columns[-1].day

    @property
    def kinds(self) -> list[str]:
        """What there are bars of."""
        return list(dict.fromkeys(bar.kind for column in self.columns for bar in column.bars))

    @property
    def total(self) -> int:
        return sum(sum(column.values.values()) for column in self.columns)

    @property
    def top(self) -> Column:
        """The day with most, the latest of several."""
        return max(reversed(self.columns), key=lambda column: sum(column.values.values()))

    @property
    def most(self) -> int:
        return sum(self.top.values.values())


def plot(days: Mapping[date, Mapping[str, int]]) -> Plot:
    """A plot of the days' numbers by what they consist of, the lowest bar first.

    The highest day is as high as the drawing. Nothing is drawn of what is not above zero.
    """
    most = max((sum(_drawn(values)) for values in days.values()), default=0)
    columns = [
        Column(day, dict(values), _bars(values, number, most))
        for number, (day, values) in enumerate(days.items())
    ]
    return Plot(columns)


def _bars(values: Mapping[str, int], number: int, most: int) -> list[Bar]:
    bars: list[Bar] = []
    y = HEIGHT
    for kind, value in values.items():
        if value > 0:
            height = round(HEIGHT * value / most, 3)
            y = round(y - height, 3)
            bars.append(Bar(kind, STEP * number + GAP / 2, max(0.0, y), STEP - GAP, height))
    return bars


def _drawn(values: Mapping[str, int]) -> Sequence[int]:
    return [value for value in values.values() if value > 0]
