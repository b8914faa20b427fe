"""What an emulated agent says to a question, and in which pieces."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from emulator import samples
from emulator.settings import EmulatorSettings
from emulator.words import MagicWords

_CHINESE = re.compile(r"[\u3400-\u9fff]")
_HUGE_PIECE = 2_000
EMOJI = "😀"
# How half a character is encoded: as JSON escapes it.
HALVES = "backslashreplace"


@dataclass(frozen=True)
class Speech:
    """An answer before a platform puts it into its own format: none for !empty, two for !two."""

    replies: tuple[str, ...]
    thought: str
    suggestions: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(self.replies)


def compose(
    question: str, words: MagicWords, earlier: Sequence[str] = (), picture: str = ""
) -> Speech:
    """The answer to a question, given the earlier ones of the conversation that the agent can
    see.
    """
    chinese = bool(_CHINESE.search(question))
    text = _compose_text(question, words, earlier, chinese)
    if words.has("image"):
        text += f"\n\n![图片]({picture})"
    if words.has("half-emoji"):
        text += EMOJI
    if words.has("think-text") or words.has("think-end"):
        thought = samples.THOUGHT_ZH if chinese else samples.THOUGHT_EN
        opening = "<think>" if words.has("think-text") else ""
        text = f"{opening}{thought}</think>\n\n{text}"
    replies: tuple[str, ...] = (text, "第二条回复。") if words.has("two") else (text,)
    return Speech(
        () if words.has("empty") else replies,
        (samples.THOUGHT_ZH if chinese else samples.THOUGHT_EN) if words.has("think") else "",
        samples.SUGGESTIONS_ZH if chinese else samples.SUGGESTIONS_EN,
    )


def _compose_text(question: str, words: MagicWords, earlier: Sequence[str], chinese: bool) -> str:
    if words.has("recall"):
        return " | ".join(earlier) or "还没有更早的问题。"
    if words.has("markdown"):
        return samples.MARKDOWN
    if words.has("huge"):
        return _fill(int(words.number("huge", 2_000_000)))
    for word, sample in samples.FOR_A_SHOP.items():
        if words.has(word):
            return sample[0] if chinese else sample[1]
    number = len(earlier) + 1
    if words.numbers:
        return (samples.PLAIN_ZH if chinese else samples.PLAIN_EN).format(
            question=question, number=number
        )
    quoted = "\n".join(f"> {line}" for line in question.splitlines() or [""])
    return (samples.FRIENDLY_ZH if chinese else samples.FRIENDLY_EN).format(
        quoted=quoted, number=number
    )


def _fill(size: int) -> str:
    """Exactly so many bytes of text, in whole characters."""
    filling = samples.FILLING.encode()
    cut = (filling * (size // len(filling) + 1))[:size]
    whole = cut.decode(errors="ignore")
    return whole + "." * (size - len(whole.encode()))


def pieces(text: str, words: MagicWords, settings: EmulatorSettings) -> list[str]:
    """The text in nearly equal parts, as many as !pieces says or the settings do."""
    default = max(settings.pieces, len(text) // _HUGE_PIECE)
    count = max(1, min(int(words.number("pieces", default)), len(text)))
    size, rest = divmod(len(text), count)
    starts = [index * size + min(index, rest) for index in range(count + 1)]
    parts = [text[a:b] for a, b in pairwise(starts) if a < b]
    return _with_cut_emoji(parts) if words.has("half-emoji") else parts


def _with_cut_emoji(parts: list[str]) -> list[str]:
    """The parts, with one more where an emoji is cut: each half in a part of its own."""
    *others, last = parts
    return [*others, last.removesuffix(EMOJI) + "\ud83d", "\ude00"]


def gap_s(count: int, words: MagicWords, settings: EmulatorSettings) -> float:
    """The seconds between two of so many pieces."""
    if words.has("pieces"):
        return words.number("pieces", 20.0, 1) / 1000
    return settings.pace_s / max(count, 1)
