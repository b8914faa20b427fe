"""The list of words that may be neither asked nor answered, as the owner writes it."""

import re
from typing import Annotated

from pydantic import AfterValidator

from chat.folding import fold, kind_of
from providers.options import bilingual_error

MOST_WORDS = 5000
LONGEST_WORD = 60
# A space is within a phrase, except between two Chinese words.
_BETWEEN = r"[\n\r,，;；、]+|(?<=[\u4e00-\u9fff])[ \u3000]+(?=[\u4e00-\u9fff])"


def words(text: str | None) -> list[str]:
    """The words of a list, one a line or between commas."""
    parts = (part.strip() for part in re.split(_BETWEEN, text or ""))
    return list(dict.fromkeys(filter(None, parts)))


def _check(text: str) -> str:
    listed = words(text)
    if not listed or len(listed) > MOST_WORDS:
        raise bilingual_error(
            f"填 1 到 {MOST_WORDS} 个词，每行一个或用逗号分隔",
            f"it takes 1 to {MOST_WORDS} words, one a line or between commas",
        )
    for word in listed:
        _check_word(word)
    return "\n".join(listed)


def _check_word(word: str) -> None:
    if len(word) > LONGEST_WORD:
        raise bilingual_error(
            f"“{word[:10]}…”超过 {LONGEST_WORD} 个字",
            f"“{word[:10]}…” has more than {LONGEST_WORD} characters",
        )
    letters = fold(word)
    # What is left of "C++" would mask every c.
    if not letters or (len(letters) == 1 and kind_of(letters)):
        raise bilingual_error(
            f"“{word}”太短：去掉符号后至少要有一个汉字，或两个字母、数字",
            f"“{word}” is too short: without signs it needs two letters or digits, or one Chinese "
            "character",
        )


WordList = Annotated[str, AfterValidator(_check)]
