"""The magic words: a word beginning with "!" in a question orders a behaviour of any platform.

A word takes its values from what follows it: `!slow 3`, `!http 502`, `!code 4028`. What is named
here means the same everywhere; a platform may add words of its own, named in the docstring of its
file. Some natural questions order the same: "用表格…" and "in a table" are !table.

    nothing         echoes the question, in some pieces, with its number in the conversation
    !recall         answers with the earlier questions of this conversation, joined by " | "
    !slow N         N seconds pass before the first piece (where it is polled, N seconds of work)
    !pause N        N seconds of silence in the middle of the answer
    !pieces N [MS]  the answer comes in N pieces, MS milliseconds apart (default 20)
    !markdown       headings, a list, a table, code, a formula, a link, hostile HTML
    !table          what a shop asks for: a comparison in a table
    !formula        a discount as a formula
    !poster         a line about the picture that !image brings
    !plan           a short list of steps
    !failure        what becomes of an answer that fails, half of it where !late-error stands too
    !huge [BYTES]   a long answer, default 2,000,000 bytes
    !think          reasoning before the answer
    !tool           a tool step before the answer
    !cite           the answer names its sources
    !image          the answer brings a picture
    !two            two replies (or two segments) in one answer
    !suggest        follow-up questions (where the platform has them they also come without asking)
    !strange        an event, type or field nobody has documented, in the middle
    !empty          finishes properly and says nothing
    !silent         takes the question and never answers
    !endless        never stops talking
    !cut            the connection dies inside an event, in the middle of a character
    !short          the stream just ends, properly closed, before its end marker
    !late-error     some pieces, then the platform's own in-stream failure
    !blocked        refused by moderation
    !blocked-late   moderation after some pieces
    !busy           refused: too many requests
    !quota          refused: the budget is used up
    !expired        the token is refused once, then good
    !unauthorized   the token is always refused
    !unpublished    the agent is not published
    !unknown        there is no such agent
    !code X         refused with the platform's error code X
    !late-code X    the same code after acceptance
    !leaky          refused with HTTP 500 and a text that repeats the caller's credentials
    !http N         status N with the platform's JSON error
    !html N         status N with an HTML page
    !nothing N      status N and an empty body
    !garbage        200 and JSON that breaks off
    !json-error     200 and a JSON error where a stream was asked for
    !redirect       302 to another host
    !mistyped       a proper answer called text/plain
    !chop           every byte in a packet of its own
    !burst          all events in one packet
    !crlf  !cr  !space  !comment   other legal ways to frame the same events
    !heartbeat      an empty `data:` before each event, as some gateways send
    !tight          a single newline between two events
    !bom            a byte order mark before the first event
    !half-emoji     an emoji at the end of the answer, its two halves in two events
    !envelope N     200 and an error in an envelope of another house: 1 code and msg, 2 message and
                    code, 3 errno and msg, 4 error_code and error_msg, 5 a list with an error,
                    6 detail (default 1)
    !think-text     reasoning inside of the text, between <think> and </think>
    !think-end      the same without the opening tag, which models leave to their template
"""

import re
from dataclasses import dataclass

# "wow!great" holds no word, "你好!cut" does; the 3 of "!slow 3rd" is no number.
_WORD = re.compile(
    r"(?<![A-Za-z0-9!])!([a-z][a-z0-9_-]*)((?:\s+-?[0-9]+(?:\.[0-9]+)?(?![\w.]))*)",
    re.IGNORECASE | re.ASCII,
)


# What the demo offers to ask, as people would say it.
_WISHES: tuple[tuple[str, dict[str, tuple[float, ...]]], ...] = (
    (r"用表格|\bin a table\b", {"table": ()}),
    (r"写出公式|\bthe formula\b", {"formula": ()}),
    (r"画一[张幅]|\bdraw a\b", {"poster": (), "image": ()}),
    (r"慢慢想|\btake your time\b", {"plan": (), "think": (), "slow": (3.0,)}),
    (r"平台出错|\bplatform fails\b", {"failure": (), "late-error": ()}),
)


@dataclass(frozen=True)
class MagicWords:
    """The magic words of one question: `words.has("cut")`, `words.number("slow", 1.0)`."""

    numbers: dict[str, tuple[float, ...]]

    def has(self, word: str) -> bool:
        return word in self.numbers

    def number(self, word: str, default: float, position: int = 0) -> float:
        """The number after a word, or `default` when the word or the number is missing."""
        values = self.numbers.get(word, ())
        return values[position] if len(values) > position else default


def read(question: str) -> MagicWords:
    """Finds the magic words of a question, with the numbers that follow each."""
    numbers = {}
    for match in _WORD.finditer(question):
        numbers[match[1].lower()] = tuple(float(value) for value in match[2].split())
    return MagicWords(numbers or _wishes(question))


def _wishes(question: str) -> dict[str, tuple[float, ...]]:
    """The words that a natural question stands for; none for most."""
    for pattern, numbers in _WISHES:
        if re.search(pattern, question, re.IGNORECASE):
            return numbers
    return {}
