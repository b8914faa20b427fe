"""The lists of access codes and API keys in the settings: what each entry says of its code."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, SecretStr
from pydantic_core import PydanticCustomError

from chat.settings import hashes
from chat.settings.forgiving import UNLIMITED
from chat.settings.hashes import Recipe
from providers.options import QUOTES, bilingual_error

SHORTEST_CODE = 8
SHORTEST_KEY = 16
LONGEST = 200
_NAME = re.compile(r"[^\s:,#$][^\s:,]{0,39}")
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{4})(\d{2})(\d{2})", re.ASCII)
_DASHED = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DAILY = re.compile(r"(\d{1,7})(?:次|条|个)?(?:/(?:天|日|day|d))?", re.ASCII)
_FORM_ZH = "写法：访问码，或 名称:访问码、名称:访问码:2027-01-01、名称:访问码:2027-01-01:200"
_FORM_EN = "Write code, name:code, name:code:2027-01-01 or name:code:2027-01-01:200"


@dataclass(frozen=True)
class Entry:
    """One code of the settings.

    `number` counts from 1; `text` is the code or its hash, `until` its last day, `daily` its
    questions a day, 0 for any number.
    """

    number: int
    name: str
    text: str = field(repr=False)
    until: date | None = None
    daily: int = 0


def parse(text: str, shortest: int = SHORTEST_CODE) -> list[Entry]:
    """The entries of ACCESS_CODES or API_KEYS.

    Raises a ValueError that repeats nothing of any code.
    """
    entries: list[Entry] = []
    for number, part in enumerate(_parts(text), 1):
        entry = _entry(number, part, shortest)
        for earlier in entries:
            _refuse_twin(earlier, entry)
        entries.append(entry)
    if not entries:
        raise bilingual_error(f"里面没有访问码。{_FORM_ZH}", f"no code in it. {_FORM_EN}")
    return entries


def entries(setting: SecretStr | None, shortest: int) -> list[Entry]:
    """The entries of a setting that has been checked; none when it is unset."""
    return parse(setting.get_secret_value(), shortest) if setting else []


def recipes(entries: Iterable[Entry]) -> list[Recipe]:
    """How the hashes among the entries were made: each different recipe, the commonest first.

    A wrong try costs one hash for each, besides one for all codes in plain text.
    """
    texts = [entry.text for entry in entries if hashes.is_hash(entry.text)]
    counts = Counter(hashes.parse_hash(text).recipe for text in texts)
    return [recipe for recipe, _ in counts.most_common()]


def secret_parts(text: str) -> list[str]:
    """Each code in such a setting by itself, for the log to blank out."""
    codes = []
    for part in [*re.split(r"[\s,，;；、]+", text), *_parts(text)]:
        pieces = re.split("[:：]", part)
        codes.append(pieces[0] if len(pieces) == 1 else pieces[1])
    return [code for code in dict.fromkeys(codes) if code]


def _check_list(shortest: int) -> AfterValidator:
    def check(setting: SecretStr) -> SecretStr:
        parse(setting.get_secret_value(), shortest)
        return setting

    return AfterValidator(check)


def _check_token(setting: SecretStr) -> SecretStr:
    text = setting.get_secret_value()
    if len(text) < SHORTEST_KEY:
        raise hashes.too_short(SHORTEST_KEY)
    if not re.fullmatch(r"[!-~]+", text):
        raise bilingual_error(
            "密钥只能用英文字母、数字和符号", "a key has only letters, digits and signs"
        )
    return setting


AccessCodes = Annotated[SecretStr, _check_list(SHORTEST_CODE)]
ApiKeys = Annotated[SecretStr, _check_list(SHORTEST_KEY)]
Token = Annotated[SecretStr, AfterValidator(_check_token)]


def _parts(text: str) -> list[str]:
    # Chinese keyboards write full-width commas and colons; brackets and quotes are JSON's.
    plain = re.sub(r"^[\[{](.*)[\]}]$", r"\1", hashes.normalize(text), flags=re.DOTALL)
    plain = re.sub(rf"[{QUOTES}]*:[{QUOTES}]*", ":", plain)
    parts = re.split(r"[\s,;、]+", plain)
    return [part for part in (part.strip(QUOTES) for part in parts) if part]


def _entry(number: int, part: str, shortest: int) -> Entry:
    pieces = part.split(":")
    if len(pieces) > 4:
        raise bilingual_error(
            f"第 {number} 项多于四段。{_FORM_ZH}",
            f"entry {number} has more than four parts. {_FORM_EN}",
        )
    if len(pieces) == 1:
        pieces = ["", *pieces]
    if len(pieces) == 3 and _is_daily(number, pieces[2]):
        pieces.insert(2, "")
    name, code, until, daily = [*pieces, "", ""][:4]
    if name and not _NAME.fullmatch(name):
        raise _error_in(
            number,
            "名称最多 40 个字，以字母或汉字开头",
            "a name has at most 40 characters and begins with a letter",
        )
    _refuse_other_sign(number, part)
    _check_code(number, code, shortest)
    return Entry(number, name, code, _last_day(number, until), _daily(number, daily))


def _refuse_other_sign(number: int, part: str) -> None:
    """Of name=code nobody would guess that all of it is the code. What ends in = is Base64."""
    if ":" not in part and re.search(r"[^=|][=|]+[^=|]", part):
        raise _error_in(
            number, "名称和访问码之间写冒号", "a colon stands between the name and the code"
        )


def _check_code(number: int, code: str, shortest: int) -> None:
    if not code or _DASHED.fullmatch(code):
        raise bilingual_error(
            f"第 {number} 项没有访问码。{_FORM_ZH}", f"entry {number} has no code. {_FORM_EN}"
        )
    if hashes.is_hash(code):
        try:
            hashes.parse_hash(code)
        except ValueError:
            raise _error_in(number, *hashes.DAMAGED) from None
    elif not shortest <= len(code) <= LONGEST:
        raise _error_in(
            number,
            f"应有 {shortest} 到 {LONGEST} 个字符",
            f"it has to have {shortest} to {LONGEST} characters",
        )
    elif shortest == SHORTEST_KEY and not code.isascii():
        raise _error_in(
            number, "密钥只能用英文字母、数字和符号", "a key has only letters, digits and signs"
        )


def _last_day(number: int, text: str) -> date | None:
    if not text or text.casefold() in UNLIMITED:
        return None
    match = _DAY.fullmatch(text)
    try:
        day = date(*(int(digits) for digits in match.groups() if digits)) if match else None
    except ValueError:
        day = None
    # A year such as 9999 is a typing error, and the day after it does not exist.
    if day is None or not 2000 <= day.year <= 9000:
        raise _error_in(number, "日期格式应为 2027-01-01", "a day is written 2027-01-01")
    return day


def _daily(number: int, text: str) -> int:
    match = _DAILY.fullmatch(text or "0")
    if match is None:
        raise _error_in(number, "每天提问数应是数字", "the questions a day are a number")
    return int(match[1])


def _is_daily(number: int, text: str) -> bool:
    """Whether the third of three parts says how many questions a day, and not until when."""
    if re.fullmatch(r"(?:19|20|21)\d\d", text, re.ASCII):
        raise _error_in(
            number,
            f"{text} 是年份还是每天提问数？请写 名称:访问码:{text}-12-31，或 名称:访问码::{text}",
            f"{text} may be a year or a number: write name:code:{text}-12-31, or "
            f"name:code::{text} for questions a day",
        )
    return _DAILY.fullmatch(text) is not None


def _refuse_twin(earlier: Entry, entry: Entry) -> None:
    numbers = (earlier.number, entry.number)
    if entry.name and entry.name == earlier.name:
        raise bilingual_error(
            "第 {} 项和第 {} 项同名，请改一个".format(*numbers),
            "entries {} and {} have the same name. Rename one".format(*numbers),
        )
    if entry.text == earlier.text:
        raise bilingual_error(
            "第 {} 项和第 {} 项相同，请删一个".format(*numbers),
            "entries {} and {} are the same code. Remove one".format(*numbers),
        )


def _error_in(number: int, zh: str, en: str) -> PydanticCustomError:
    return bilingual_error(f"第 {number} 项：{zh}", f"entry {number}: {en}")
