"""What an owner pastes to connect an agent: which platform it is, and which options are in it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import parse_qsl, urlsplit

from providers import PLATFORMS, options, signs

# In characters. A whole .env or curl has a few thousand.
LONGEST = 64 * 1024
# Of each kind of finding; in more there is no one agent.
MOST = 400
LONGEST_ADDRESS = 2000

# What each piece of evidence weighs: an address or a name of .env belongs to one platform, a form
# fits values of several.
CERTAIN, NAMED, LABELLED, FITTING = 9, 5, 2, 1

_PLAIN: dict[int, str | None] = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_PLAIN |= {0x3000: " ", 0x3002: ".", 0x3001: ",", **dict.fromkeys(map(ord, "“”「」『』"), '"')}
# "智能体 ID 是 …"
_PLAIN |= dict.fromkeys(map(ord, "是为"), ":")
_PLAIN |= dict.fromkeys(map(ord, "‘’"), "'")
_PLAIN |= dict.fromkeys((0x200B, 0x200C, 0x2060, 0xFEFF))
_REST = r"[^\s\"'`<>,;(){}\[\]]+"
_ADDRESS = re.compile(rf"\bhttps?://{_REST}", re.IGNORECASE)
# A page copied without its https://.
_PAGE = re.compile(rf"(?<![\w./@:-])(?:[a-z0-9-]{{1,40}}\.){{1,4}}(?:com|cn|site)/{_REST}")
_SEPARATOR = re.compile("(?<![:=])(?:=>|[:=])")
LONGEST_LABEL = 48
# After a colon the value may be on the next line, where pages show it.
_VALUE = re.compile(
    r"[ \t]{0,4}(?:(?<=[: \t])\r?\n\s{0,4})?[\"'`]?(?:bearer[ \t]{1,4})?"
    rf"(?P<value>{_ADDRESS.pattern}|[^\s\"'`<>,;(){{}}\[\]:=&?]{{2,4096}}+={{0,2}}+)"
    r"(?![\"'`]?[ \t]{0,4}[:=])",
    re.IGNORECASE,
)
_WORD = re.compile(r"[\w.~+/=-]{8,4096}", re.ASCII)


class PasteTooLong(ValueError):
    """More than anybody copies from a platform."""


@dataclass(frozen=True)
class Paste:
    """What was understood of a paste.

    `platform` is None when it may be of several, which `candidates` names, or of none. `options`
    may hold secrets. `is_swapped`: what was called one option was another, and was put right.
    """

    platform: str | None
    candidates: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_swapped: bool = False

    @property
    def missing(self) -> tuple[str, ...]:
        """The options that are still to be asked for."""
        return missing(self.platform, self.options) if self.platform else ()


def missing(platform: str, names: Iterable[str]) -> tuple[str, ...]:
    """Which options of a platform have to be asked for when these are there."""
    present = set(names)
    return tuple(group[0] for group in signs(platform).needs if not present & set(group))


def recognise(text: str, platform: str | None = None) -> Paste:
    """Understands a paste, of this platform if the owner has said so. Raises PasteTooLong.

    It takes time in proportion to the text. A value is not checked here: the platform's Options do.
    """
    if len(text) > LONGEST:
        raise PasteTooLong
    evidence = _Evidence.of(text)
    if platform is None:
        votes = evidence.votes()
        most = max(votes.values(), default=0)
        leaders = tuple(name for name in PLATFORMS if most and votes[name] == most)
        if len(leaders) != 1:
            return Paste(None, leaders)
        platform = leaders[0]
    values, is_swapped = evidence.options_of(platform)
    return Paste(platform, (platform,), values, is_swapped)


@dataclass(frozen=True)
class _Evidence:
    """The pieces of a text: its addresses, its labelled values, and words that stand alone."""

    text: str
    addresses: list[str]
    pairs: list[tuple[str, str]]
    words: list[str]

    @classmethod
    def of(cls, whole: str) -> "_Evidence":
        text = whole.translate(_PLAIN).replace("\\\n", " ").replace("\\\r\n", " ")
        # Quotes within a quoted body, and the signs around Markdown's addresses.
        text = text.replace('\\"', '"').replace("\\'", "'").replace("**", " ")
        addresses = [*_matches(_ADDRESS, text)]
        pairs = _pairs(text)
        rest = _ADDRESS.sub(" ", text)
        addresses += _matches(_PAGE, rest)
        rest = _PAGE.sub(" ", rest)
        for address in addresses:
            pairs += _parameters(address)
        words = [_trimmed(word) for word in _matches(_WORD, rest)]
        return cls(whole, addresses, pairs, words)

    def votes(self) -> Counter[str]:
        """How much speaks for each platform."""
        votes: Counter[str] = Counter()
        for platform in PLATFORMS:
            votes[platform] = self._certain(platform) + self._forms(platform)
        for label, value in self.pairs:
            lengths = {name: len(_known_label(name, label)) for name in PLATFORMS}
            best = [name for name in PLATFORMS if lengths[name] == max(lengths.values()) > 0]
            if len(best) == 1 and not _is_address(value):
                votes[best[0]] += LABELLED
        return votes

    def options_of(self, platform: str) -> tuple[dict[str, str], bool]:
        """The options of this platform that are in the text, and whether two were swapped."""
        own = signs(platform)
        values: dict[str, str] = {}
        for option, pattern in own.blocks.items():
            if match := re.search(pattern, self.text):
                values[option] = match[0]
        for address in self.addresses:
            for option, value in _in_address(platform, address):
                values.setdefault(option, value)
        labelled: dict[str, str] = {}
        for label, value in self.pairs:
            name = _option_of(platform, label)
            if name and name not in values and _is_value(platform, name, value):
                labelled.setdefault(name, value)
        is_swapped = _put_right(own.shapes, labelled)
        values |= labelled
        self._fill(platform, values)
        return _without_defaults(platform, values), is_swapped

    def _certain(self, platform: str) -> int:
        own = signs(platform)
        lower = self.text.lower()
        weight = NAMED if any(name in lower for name in own.names) else 0
        if any(_belongs(own.addresses, address) for address in self.addresses):
            weight += CERTAIN
        if any(re.search(mark, self.text) for mark in own.marks):
            weight += CERTAIN
        fields = options(platform).model_fields
        if any(f"{platform}_{name}" in lower for name in fields):
            weight += CERTAIN
        return weight

    def _forms(self, platform: str) -> int:
        """How many values may be options of this platform, by their forms."""
        shapes = signs(platform).shapes
        labelled = {
            option
            for label, value in self.pairs
            if (option := _option_of(platform, label)) and _fits(shapes.get(option), value)
        }
        fits = {
            (option, word)
            for option, shape in shapes.items()
            for word in self.words
            if _fits(shape, word)
        }
        alone = min(len({option for option, _ in fits}), len({word for _, word in fits}))
        return FITTING * (len(labelled) + alone)

    def _fill(self, platform: str, values: dict[str, str]) -> None:
        """Words that stand alone, in their order, as the options that are missing."""
        own = signs(platform)
        in_use = set(values.values())
        for option in (group[0] for group in own.needs):
            if option in values or not missing(platform, values):
                continue
            fitting = (word for word in self.words if word not in in_use)
            word = next((word for word in fitting if _fits(own.shapes.get(option), word)), None)
            if word is not None and option in missing(platform, values):
                values[option] = word
                in_use.add(word)


def _matches(pattern: re.Pattern[str], text: str) -> list[str]:
    return [match[0] for _, match in zip(range(MOST), pattern.finditer(text), strict=False)]


def _pairs(text: str) -> list[tuple[str, str]]:
    """The labelled values of a text, each label folded."""
    pairs: list[tuple[str, str]] = []
    for separator in _SEPARATOR.finditer(text):
        before = text[max(0, separator.start() - LONGEST_LABEL) : separator.start()]
        label = re.split(r"[^\w \t-]", before.rstrip(" \t").rstrip("\"'`"))[-1]
        value = _VALUE.match(text, separator.end()) if label.strip() else None
        if value is not None:
            pairs.append((_folded(label), _trimmed(value["value"])))
        if len(pairs) == MOST:
            break
    return pairs


def _folded(label: str) -> str:
    return re.sub(r"[\s_-]", "", label).lower()


def _trimmed(value: str) -> str:
    return value.strip().rstrip(".")


def _parameters(address: str) -> Iterator[tuple[str, str]]:
    """The parameters of an address, as labelled values."""
    try:
        parts = urlsplit(address[:LONGEST_ADDRESS])
        query = parse_qsl(parts.query, max_num_fields=50)
    except ValueError:
        return
    for name, value in query:
        yield _folded(name), value.strip()


@cache
def _labels(platform: str) -> Mapping[str, str]:
    """The labels of a platform's options, the longest first, and among them their names in .env."""
    labels: dict[str, str] = {}
    for name in options(platform).model_fields:
        own = (f"{platform}_{name}", name, *signs(platform).labels.get(name, ()))
        labels |= dict.fromkeys(map(_folded, own), name)
    return dict(sorted(labels.items(), key=lambda pair: (-len(pair[0]), pair)))


def _option_of(platform: str, label: str) -> str | None:
    """The option that stands behind a label: its name in .env, its own, or the end of one."""
    return _labels(platform).get(_known_label(platform, label))


def _known_label(platform: str, label: str) -> str:
    """As much of a label's end as the platform knows; nothing of another platform's .env."""
    labels = _labels(platform)
    if any(label.startswith(other) for other in PLATFORMS if other != platform):
        return ""
    return next((name for name in labels if label.endswith(name)), "")


def _in_address(platform: str, address: str) -> Iterator[tuple[str, str]]:
    """The options that an address holds or implies."""
    own = signs(platform)
    address = address[:LONGEST_ADDRESS]
    for pattern in own.addresses:
        if match := re.search(pattern, address):
            yield from ((name, value) for name, value in match.groupdict().items() if value)
    host = urlsplit(address if "//" in address else f"https://{address}").hostname or ""
    for ending, option, value in own.implied:
        if host == ending or host.endswith(f".{ending}"):
            yield option, value


def _belongs(patterns: Iterable[str], address: str) -> bool:
    return any(re.search(pattern, address[:LONGEST_ADDRESS]) for pattern in patterns)


def _is_address(value: str) -> bool:
    return value.startswith(("http:", "https:", "//"))


def _is_value(platform: str, option: str, value: str) -> bool:
    """Whether a labelled value can be one: not what code says in place of it, such as a name."""
    if option.endswith("_base") or _is_address(value):
        # Any other address has been looked into.
        return option.endswith("_base") and _is_address(value)
    shapes = signs(platform).shapes
    if option in shapes:
        return any(_fits(shape, value) for shape in shapes.values()) or _is_odd(value)
    return value.isascii() and len(value) >= 3


def _is_odd(value: str) -> bool:
    """Whether a value of no known form may be one all the same: a word of letters and digits."""
    return value.isascii() and len(value) >= 6 and any(char.isdigit() for char in value)


def _fits(shape: str | None, value: str) -> bool:
    return shape is not None and re.fullmatch(shape, value) is not None


def _put_right(shapes: Mapping[str, str], labelled: dict[str, str]) -> bool:
    """Gives values that stand under each other's name the right ones."""
    is_swapped = False
    for option, value in list(labelled.items()):
        if option not in shapes or _fits(shapes[option], value):
            continue
        for other, shape in shapes.items():
            is_free = other not in labelled or not _fits(shape, labelled[other])
            if other != option and is_free and _fits(shape, value):
                previous = labelled.pop(other, None)
                if labelled.get(option) == value:
                    del labelled[option]
                labelled[other] = value
                if previous is not None:
                    labelled.setdefault(option, previous)
                is_swapped = True
                break
    return is_swapped


def _without_defaults(platform: str, values: Mapping[str, str]) -> dict[str, str]:
    fields = options(platform).model_fields
    return {
        name: value
        for name, value in values.items()
        if name in fields and value.rstrip("/") != fields[name].default
    }
