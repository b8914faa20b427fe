"""Live drawings: one for all readers of an answer, and the same in the end as the whole text."""

import threading
import time

from chat.page.drawings import FRAME_S, LiveDrawing, LiveDrawings
from chat.page.rendering import render_blocks
from providers.events import Delta, Rewrite

TEXT = "# 标题\n\n正文，**重点**。\n\n- 一\n- 二\n\n```python\nprint(1)\n```\n"
ENTRIES: list[tuple[int, object]] = [
    (position, Delta(character)) for position, character in enumerate(TEXT, 1)
]


def test_readers_of_an_answer_share_one_drawing() -> None:
    drawings = LiveDrawings()
    first = drawings.of("m", 0, None)
    assert drawings.of("m", 0, None) is first
    assert drawings.of("m", 1_000, None) is not first
    assert drawings.of("n", 0, None) is not first


def test_entries_that_many_readers_bring_are_drawn_once() -> None:
    drawing = LiveDrawing()
    for begin in range(0, len(ENTRIES), 7):
        for _ in range(3):
            drawing.apply(ENTRIES[: begin + 7])
            drawing.draw()
    assert drawing.draw(last=True) == render_blocks([TEXT])


def test_readers_within_a_frame_get_the_same_blocks() -> None:
    drawing = LiveDrawing()
    drawing.apply(ENTRIES[:20])
    blocks = drawing.draw()
    drawing.apply(ENTRIES[:40])
    assert all(drawing.draw() is blocks for _ in range(95))
    assert drawing.position == 20
    time.sleep(FRAME_S)
    assert drawing.draw() is not blocks
    assert drawing.position == 40


def test_a_rewrite_reaches_every_reader() -> None:
    drawing = LiveDrawing()
    drawing.apply([(1, Delta("falsch")), (2, Rewrite("richtig"))])
    assert drawing.draw(last=True) == ["<p>richtig</p>\n"]


def test_readers_in_threads_end_with_the_whole() -> None:
    drawing = LiveDrawing()
    results: list[list[str]] = []

    def read() -> None:
        for end in range(1, len(ENTRIES) + 1):
            drawing.apply(ENTRIES[:end])
            drawing.draw()
        results.append(drawing.draw(last=True))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [render_blocks([TEXT])] * 8
