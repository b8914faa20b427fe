"""Text of a platform that can be neither stored nor sent is mended before anybody sees it."""

from chat.answers.partial import legible
from providers.events import Delta, Done, ToolStep


def test_halves_of_characters_and_nuls_are_replaced() -> None:
    assert legible(Delta("a\ud83db\x00")) == Delta("a\ufffdb\ufffd")
    step = ToolStep("1", "search", "done", output="\udfff")
    assert legible(step) == ToolStep("1", "search", "done", output="\ufffd")


def test_everything_else_stays_itself() -> None:
    for event in (Delta("😀 字\n"), Done()):
        assert legible(event) is event
