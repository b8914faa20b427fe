"""Fields of any kind in a platform's JSON, read safely."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

Fields = dict[str, Any]
# With its end or without: a pattern that may fail would look again from each quote.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
# Lists within lists that are looked into.
_DEPTH = 3
# Some write line ends and tabs into their texts as they are.
DECODER = json.JSONDecoder(strict=False)


def fields(value: Any) -> Fields:
    """An object's fields; none when the value is no object."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """A list's items; none when the value is no list."""
    return value if isinstance(value, list) else []


def one_or_many(value: Any) -> list[Any]:
    """A list's items, or the one object that stands in place of a list."""
    return [value] if isinstance(value, dict) else items(value)


def objects_of(value: Any, depth: int = 0) -> list[Fields]:
    """The objects that a JSON value is: itself, those of a list, or what a text holds as JSON.

    Never none: a value without objects is one without fields.
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        value = json_value(value)
    if isinstance(value, list) and depth < _DEPTH:
        return [one for item in value for one in objects_of(item, depth + 1) if one] or [{}]
    return [fields(value)]


def object_of(value: Any) -> Fields:
    """The only object that a JSON value should be; of several the one that tells of a failure."""
    objects = objects_of(value)
    return next(filter(error_object, objects), objects[0])


def text(value: Any) -> str:
    """A text, or an id that came as a number; empty when the value is neither."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def is_true(value: Any) -> bool:
    """Whether a value says yes, be it a boolean, a number or a word."""
    return value is True or text(value).lower() in ("true", "1", "yes")


def content_text(value: Any) -> str:
    """A content's text, be it a text, an object that holds one, or a list of such parts."""
    if isinstance(value, list):
        return "".join(content_text(part) for part in value if isinstance(part, dict | str))
    if isinstance(value, dict):
        parts = (value.get(name) for name in ("text", "content", "value", "parts"))
        return next(filter(None, map(content_text, parts)), "")
    if isinstance(value, float):
        return str(value) if math.isfinite(value) else ""
    return text(value)


@dataclass(frozen=True, slots=True)
class ErrorObject:
    """What a platform or a gateway before it says of a failure; either may be empty."""

    code: str
    message: str


# The names that failures come under, the platforms' own and their houses' others. Without
# underscores and in lower case: `error_code` and `errorCode` are one name.
_NAMED_CODES = ("errorcode", "errno", "errcode", "ret", "retcode", "resultcode", "statuscode")
_CODES = ("code", *_NAMED_CODES, "status")
_NAMED_MESSAGES = ("errormsg", "errormessage", "errmsg", "errordescription", "faultstring")
_MESSAGES = (
    *("msg", "message", *_NAMED_MESSAGES, "retmsg", "resultmsg", "resultmessage", "statusmsg"),
    *("description", "reason", "detail", "title"),
)
# Places whose being there is a failure, and places of code and message whether or not it is one.
_FAILURES = ("error", "errors", "fault")
_HOLDERS = ("detail", "baseresp", "header", "responsemetadata")
# Where some say in a word that it is a failure, and the words.
_VERDICTS = ("status", "type", "event", "state", "result")
_FAILED = ("error", "fail", "failed", "failure")
_FINE = ("", "ok", "success", "succ", "succeed", "none", "null", "false")
# An object without any of these names has no failure but in its code, status or verdict.
_HINTS = frozenset(
    (*_FAILURES, *_HOLDERS, *_NAMED_CODES, *_NAMED_MESSAGES, "success", "ok", "succeed")
)
# Where an answer would stand.
_ANSWERS = ("data", "result", "output", "choices", "content", "message")


def error_object(payload: Fields) -> ErrorObject | None:
    """The failure in a JSON object, whatever its envelope; None when it holds none.

    A failure is a code other than 0, an `error` that is a text or an object, a word that says so
    beside a message, or a message that is named after an error or stands in place of an answer.
    """
    outer = _by_plain_name(fields(payload.get("Response")) or payload)
    if _is_ordinary(outer):
        return None
    inner = list(filter(None, (_holder(outer.get(name)) for name in _FAILURES)))
    beside = [*filter(None, (_holder(outer.get(name)) for name in _HOLDERS)), outer]
    words = [word for name in _FAILURES if (word := _words_in(outer.get(name)))]
    messages = (*map(_message_of, (*inner, *beside)), *words, _words_in(outer.get("detail")))
    message = next(filter(None, messages), "")
    codes = chain(_codes(inner, (*_CODES, "type")), _codes(beside, _CODES))
    name, code = next(codes, ("", ""))
    error = ErrorObject(code, message)
    if inner or words or (message and _is_said_to_fail(outer)):
        return error
    if code and (message or name in _NAMED_CODES or whole(code)):
        # A code that is a word may say success as well; with a message, or by its name, it does
        # not.
        return error
    return error if not code and _is_message_alone(outer, [*inner, *beside]) else None


def has_failed(code: Any) -> bool:
    """Whether a code, which may be a number or a word, stands for a failure."""
    return _is_failure("", _code_text(code))


def told_error(payload: Fields) -> ErrorObject:
    """What the body of a call that failed says of it, if only in a message without more."""
    return error_object(payload) or ErrorObject("", _message_of(_by_plain_name(payload)))


def _is_ordinary(outer: Fields) -> bool:
    """Whether nothing hints at a failure: of most frames of a stream this is all that is asked."""
    if not _HINTS.isdisjoint(outer) or outer.get("code") not in (None, 0, "0"):
        return False
    if outer.get("status") not in (None, 0, "0", "init", "processing", "finish"):
        return False
    return not any(text(outer.get(name)).lower() in _FAILED for name in _VERDICTS)


def _by_plain_name(source: Fields) -> Fields:
    return {name.lower().replace("_", ""): value for name, value in source.items()}


def _holder(value: Any) -> Fields:
    """The object in a place for errors, or the first of a list of them."""
    return _by_plain_name(fields(next(iter(one_or_many(value)), None)))


def _words_in(value: Any) -> str:
    """The words that stand in a place for errors instead of an object."""
    word = text(next(iter(value), None) if isinstance(value, list) else value)
    return word if _is_failure("", word) else ""


def _message_of(source: Fields) -> str:
    return next(filter(None, (text(source.get(name)) for name in _MESSAGES)), "")


def _codes(sources: list[Fields], names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The codes of a failure, each with its name."""
    for source in sources:
        for name in names:
            if _is_failure(name, code := _code_text(source.get(name))):
                yield name, code


def _code_text(value: Any) -> str:
    """A code as text; some write numbers as 1003.0."""
    has_point = isinstance(value, float) or (isinstance(value, str) and "." in value)
    number = whole(value) if has_point else None
    return text(value) if number is None else str(number)


def _is_failure(name: str, code: str) -> bool:
    number = whole(code)
    is_code = name != "status" or number is not None
    return is_code and code.lower() not in _FINE and number not in (0, 200)


def _is_said_to_fail(outer: Fields) -> bool:
    """Whether a word says that it has failed."""
    has_no_success = any(outer.get(name) is False for name in ("success", "ok", "succeed"))
    verdicts = (text(outer.get(name)).lower() for name in _VERDICTS)
    return has_no_success or outer.get("error") is True or any(map(_FAILED.__contains__, verdicts))


def _is_message_alone(outer: Fields, sources: list[Fields]) -> bool:
    """Whether no code says anything, and a message says what an answer would not."""
    if any(_code_text(source.get(name)) for source in sources for name in _CODES):
        return False
    if any(_words_in(source.get(name)) for source in sources for name in _NAMED_MESSAGES):
        return True
    detail = outer.get("detail")
    has_detail = bool(_words_in(detail) or _message_of(_holder(detail)))
    return has_detail and not any(outer.get(name) for name in _ANSWERS)


def whole(value: Any) -> int | None:
    """A whole number, also one that came as text or as 3.0; None when the value is none."""
    try:
        return None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        number, point, zeros = value.partition(".") if isinstance(value, str) else ("", "", "")
        return whole(number) if point and not zeros.strip("0") else None


def seconds(value: Any, default: float) -> float:
    """A span of time that makes sense, also as text; `default` when the value is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return default
    try:
        number = float(value)
    except (ValueError, OverflowError):
        # An int may have thousands of digits.
        return default
    return number if 0 < number < math.inf else default


def address(value: Any) -> str | None:
    """A web address; None when the value is none: the text of an answer may not smuggle in
    `javascript:`."""
    return value if isinstance(value, str) and value.startswith(("https://", "http://")) else None


def is_unclosed(body: str) -> bool:
    """Whether JSON breaks off: an object or a list in it has no end, or nothing came but a part of
    a text.
    """
    brackets = _STRING.sub("", body)
    depth = sum(map(brackets.count, "{[")) - sum(map(brackets.count, "}]"))
    return depth > 0 or not brackets.strip()


def json_value(body: str) -> Any:
    """A text as JSON; None when it is none."""
    try:
        return DECODER.decode(body)
    except (ValueError, RecursionError):
        return None


def json_object(body: str) -> Fields | None:
    """A text as a JSON object; None when it is anything else."""
    value = json_value(body)
    return value if isinstance(value, dict) else None
