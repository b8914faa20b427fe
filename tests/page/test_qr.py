"""QR codes as SVG: the library's modules one by one, and nothing that a content policy blocks."""

import re

import pytest
import segno

from chat.page.qr import BORDER, code

ADDRESS = "https://chat.example.com/move#ABCD-2345"


def dark(path: str) -> set[tuple[int, int]]:
    """The modules that a path fills."""
    rectangles = re.findall(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z", path)
    assert "".join("M{} {}h{}v1h-{}z".format(*one) for one in rectangles) == path
    return {
        (x, int(y))
        for left, y, width, _ in rectangles
        for x in range(int(left), int(left) + int(width))
    }


def test_a_path_fills_the_dark_modules() -> None:
    drawn = code(ADDRESS)
    matrix = segno.make_qr(ADDRESS, error="m").matrix
    expected = {
        (x + BORDER, y + BORDER)
        for y, row in enumerate(matrix)
        for x, is_dark in enumerate(row)
        if is_dark
    }
    assert dark(drawn.path) == expected and drawn.size == len(matrix) + 2 * BORDER


@pytest.mark.parametrize("text", ["https://a.cn/", "https://例子.中国/移动?x=1&y=<2>", "x" * 1000])
def test_three_corners_are_finders_inside_a_white_border(text: str) -> None:
    drawn = code(text)
    filled, last = dark(drawn.path), drawn.size - BORDER - 7
    for left, top in ((BORDER, BORDER), (last, BORDER), (BORDER, last)):
        ring = {(left + x, top + y) for x in range(7) for y in range(7) if {x, y} & {0, 6}}
        assert ring <= filled
    assert all(BORDER <= at < drawn.size - BORDER for module in filled for at in module)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"."):
        code("x" * 5000)
