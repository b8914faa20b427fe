"""Brackets without an end keep nobody waiting, and ordinary formulas are drawn."""

import random

import pytest

from chat.page.formulas import mathml
from chat.page.rendering import render
from tests.kit.effort import effort

PIECES = [
    "(", "[", r"\{", r"\langle", r"\lfloor", r"\lvert", r"\ulcorner", "⟨", "⌈", ")", "]", r"\}",
    "{", "}", "a", "1", "+", r"\frac", r"\frac{1}", "{a}", r"\sqrt", r"\sqrt[", "^", "_", r"\hat",
    r"\alpha", r"\text{)}", r"\left(", r"\right)", r"\begin{matrix}", r"\end{matrix}", "&", r"\\",
    r"\\[", r"\bigl(", r"\big", r"\big)", r"\alpha\big)", r"\mathopen", r"\pmod", r"\pod",
    r"\mathbb", r"\middle)", r"\over", "%", "\n", " ", r"\,", "|", r"\not", r"\sum", r"\substack",
    r"\xrightarrow", r"\color{red}",
]  # fmt: skip
FORMULAS = [
    r"R=\begin{pmatrix}\cos(\theta)&-\sin(\theta)&0\\\sin(\theta)&\cos(\theta)&0\end{pmatrix}" * 4,
    r"f(\theta)=\cos(\theta)\cos(\phi)+[a,b)+(0,\infty)+\left(\frac{1}{2}\right)^{(k)}" * 4,
    r"\frac{(a+b)(c+d)}{(e+f)(g+h)}\binom{n}{k}(1-p)^{(n-k)}" * 8,
    r"\{x\in(0,1)\}(\hat{x})(\sqrt{2})(\sqrt[3]{2})(x^2)(x_{ij})(a_1)" * 6,
    r"\lfloor x\rfloor\lceil y\rceil\lvert z\rvert\bigl(a\bigr)" * 12,
    "((((((x))))))",
    "[0,1)",
]


@pytest.mark.parametrize("piece", PIECES)
def test_pieces_of_formulas_repeated_take_no_time(piece: str) -> None:
    chance = random.Random(piece)
    units = [piece, f"({piece}", *(piece + chance.choice(PIECES) for _ in range(20))]

    def convert() -> None:
        for unit in units:
            for end in ("", ")", "x" * 200):
                mathml(unit * 45 + end, True)

    assert effort(convert) < 1_000


@pytest.mark.parametrize("formula", FORMULAS)
def test_ordinary_formulas_are_drawn(formula: str) -> None:
    assert mathml(formula, True).startswith("<math")


def test_what_would_take_long_is_shown_as_it_was_written() -> None:
    assert render("$$" + "(" * 40 + "$$").count("(") == 40
    assert "<math" not in render("$$" + "(" * 40 + "$$")
    assert "<math" not in render(r"$$\newcommand{\a}{(}" + r"\a" * 40 + "$$")
