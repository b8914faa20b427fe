"""The rules of the house that a machine can hold us to: `make check` runs them all."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tools import compiled, house, languages, layers, packages, prose
from tools.source import ROOT

CHECKS: tuple[Callable[[Path], Iterator[str]], ...] = (
    layers.check,
    house.check,
    prose.check,
    languages.check,
    packages.check,
    compiled.check,
)


def main() -> None:
    complaints = [complaint for check in CHECKS for complaint in check(ROOT)]
    for complaint in complaints:
        print(complaint)
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
