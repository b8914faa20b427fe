"""What no log may hold: secrets of this site, in any spelling, and whatever looks like one."""

import base64
import html
import json
import re
import threading
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qs, quote, quote_plus, unquote, urlsplit

BLANK = "***"
# A shorter one would be blanked out inside of ordinary words, and by those gaps it could be read.
SHORTEST = 6
# Tokens that were granted: an older one has long expired.
LEARNED = 200
# So many characters of Base64 are no chance.
_CORE = 8
_WORTH_A_LINE = 16

_NAMED = (
    "(?:token|secret|(?:api|app|secret)_?key|password|passwd|code_verifier|assertion|signature)"
)
_VALUE = r"""(?:b?\\?"[^"]*"|b?'[^']*'|[^\s"'&,;<>(){}\[\]]+)"""
# Each keeps its group, and blanks out the rest.
SHAPES = re.compile(
    "|".join(
        (
            r"""(cookie(?:b?["']\s*[:=,]|\s*[:=]))[^\r\n]+""",
            r"""(authorization(?:b?["']\s*[:=,]|\s*[:=])\s*)(?:b?["'][^"'\r\n]*["']|(?:[a-z]+\s+)?[^\s"',;]+)""",
            r"""(\bx-[a-z-]{0,30}(?:key|token)\s*:\s*)\S+""",
            r"""(\bbearer\s+)[\w.~+/=-]{6,}""",
            rf"""({_NAMED}(?:\\?["']\s*[:=]\s*|\s?=\s?))(?!\*){_VALUE}""",
            r"""([?&](?:code|state)=)[^&\s"'#]+""",
            r"""(/(?:s|files|pictures)/)[\w-]{16,}""",
            r"""(\bvisitor=)[^\s"';&]+""",
            r"""-----BEGIN [A-Z ]*PRIVATE KEY-----"""
            r"""(?:(?!-----END)[\s\S])*(?:-----END [A-Z ]*-----)?""",
            r"""\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+""",
            r"""\b(?:pat|sat|cz[sur])_[\w-]{12,}|\bsk-[\w-]{12,}""",
        )
    ),
    re.IGNORECASE,
)
# Without any of these there is no shape: most lines are done with after a microsecond.
HINTS = (
    "cookie",
    "authorization",
    "bearer",
    "token",
    "secret",
    "key",
    "password",
    "passwd",
    "verifier",
    "assertion",
    "signature",
    "code=",
    "state=",
    "/s/",
    "/files/",
    "/pictures/",
    "visitor=",
    "eyj",
    "pat_",
    "sat_",
    "czs_",
    "czu_",
    "czr_",
    "sk-",
)


class Redaction:
    """Blanks out secrets in texts, those of the start and those that come later.

    Good for all threads.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._fixed: frozenset[str] = frozenset()
        self._learned: dict[str, frozenset[str]] = {}
        self._secrets: tuple[str, ...] = ()
        self.know(secrets)

    def know(self, secrets: Iterable[str]) -> None:
        """More secrets that are never forgotten."""
        with self._lock:
            self._fixed = self._fixed.union(*map(spellings, secrets))
            self._sort()

    def learn(self, secret: str) -> None:
        """A token that was granted a moment ago."""
        with self._lock:
            if secret in self._learned:
                return
            self._learned[secret] = frozenset(spellings(secret))
            if len(self._learned) > LEARNED:
                del self._learned[next(iter(self._learned))]
            self._sort()

    def blank(self, text: str) -> str:
        """The text with *** for each secret, and for what looks like one."""
        # What is known goes first: a shape may end in the middle of a secret that holds a comma.
        text = self.blank_known(text)
        lower = text.lower()
        return SHAPES.sub(_blank_secret, text) if any(hint in lower for hint in HINTS) else text

    def blank_known(self, text: str) -> str:
        """The text with *** for each secret that is known: JSON stays JSON."""
        # One by one: a regular expression of hundreds takes ten times as long, and a tenth of a
        # second to compile for each new token.
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, BLANK)
        return text

    def _sort(self) -> None:
        """Longest first: one secret may be the beginning of another."""
        every = self._fixed.union(*self._learned.values())
        self._secrets = tuple(sorted(every, key=len, reverse=True))


def spellings(secret: str) -> Iterator[str]:
    """A secret as it stands in texts: plain, in an address, in JSON, in Python, in HTML, within
    Base64.
    """
    if len(secret) < SHORTEST:
        return
    lines = [
        line for line in secret.splitlines() if len(line) >= _WORTH_A_LINE and "-----" not in line
    ]
    for plain in {secret, *(lines if "\n" in secret else ())}:
        encodings = {quote(plain, safe=""), quote(plain), quote_plus(plain)}
        yield plain
        yield from encodings
        yield from (re.sub("%..", lambda match: match[0].lower(), text) for text in encodings)
        yield json.dumps(plain)[1:-1]
        yield json.dumps(plain, ensure_ascii=False)[1:-1]
        yield repr(plain)[1:-1]
        yield repr(plain.encode())[2:-1]
        yield html.escape(plain)
        yield from _within_base64(plain.encode())


def passwords(address: str) -> list[str]:
    """The password in an address (redis://:password@host), as it is written there and as it is
    meant.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return []
    in_query = parse_qs(parts.query).get("password", []) if "://" in address else []
    passwords = [password for password in (parts.password, *in_query) if password]
    return [spelling for password in passwords for spelling in (password, unquote(password))]


def _within_base64(secret: bytes) -> Iterator[str]:
    """What is the same in the Base64 of every text that holds the secret: three ways, by where it
    begins.
    """
    for before in range(3):
        size = before + len(secret)
        coded = base64.b64encode(bytes(before) + secret)[
            -(-before * 8 // 6) : size * 8 // 6
        ].decode()
        if len(coded) >= _CORE:
            yield coded
            yield coded.translate({ord("+"): "-", ord("/"): "_"})


def _blank_secret(match: re.Match[str]) -> str:
    """What is before the secret stays: each shape has its group for that, or none."""
    return (match[match.lastindex] if match.lastindex else "") + BLANK
