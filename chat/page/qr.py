"""A QR code as one path of SVG, which a page with a strict content policy may show."""

from dataclasses import dataclass
from itertools import groupby

# Modules of white around it, as the standard demands.
BORDER = 4


@dataclass(frozen=True)
class Code:
    """Draw `path` in black on white in a viewBox of "0 0 size size".

    The element needs shape-rendering="crispEdges".
    """

    size: int
    path: str


def code(text: str) -> Code:
    """The QR code of an address: any 15 % of it may be unreadable.

    Raises ValueError when it is too long.
    """
    import segno

    matrix = segno.make_qr(text, error="m").matrix
    path = "".join(_row(row, y) for y, row in enumerate(matrix, BORDER))
    return Code(len(matrix) + 2 * BORDER, path)


def _row(row: bytearray, y: int) -> str:
    """The dark modules of a row, those side by side as one rectangle."""
    rectangles, x = "", BORDER
    for is_dark, group in groupby(row):
        width = len(list(group))
        if is_dark:
            rectangles += f"M{x} {y}h{width}v1h-{width}z"
        x += width
    return rectangles
