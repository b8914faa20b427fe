"""Fields of any kind in a platform's JSON, read safely."""

import json
import math
from dataclasses import dataclass
from typing import Any

Fields = dict[str, Any]


def fields(value: Any) -> Fields:
    """An object's fields; none when the value is no object."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """A list's items; none when the value is no list."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """A text, or an id that came as a number; empty when the value is neither."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def content_text(value: Any) -> str:
    """A content's text, be it a text, an object that holds one, or a list of such parts."""
    if isinstance(value, list):
        return "".join(content_text(part) for part in value if isinstance(part, dict | str))
    if isinstance(value, dict):
        parts = (value.get(name) for name in ("text", "content", "value"))
        return next(filter(None, map(content_text, parts)), "")
    return text(value)


@dataclass(frozen=True, slots=True)
class ErrorObject:
    """What a platform or a gateway before it says of a failure; either may be empty."""

    code: str
    message: str


# The pairs of names that failures come under, the platforms' own and their houses' others.
# Without underscores and in lower case: `error_code` and `errorCode` are one name.
_NAMED_CODES = ("errorcode", "errno", "errcode", "ret", "retcode", "resultcode", "statuscode")
_CODES = ("code", *_NAMED_CODES, "status")
_MESSAGES = (
    *("msg", "message", "errormsg", "errormessage", "errmsg", "errordescription", "retmsg"),
    *("resultmsg", "resultmessage", "statusmsg", "description"),
)
# Objects that some houses put code and message into.
_HOLDERS = ("error", "Error", "base_resp", "header", "ResponseMetadata")


def error_object(payload: Fields) -> ErrorObject | None:
    """The failure in a JSON object, whatever its envelope; None when it holds none.

    A failure is a code other than 0, or an `error` that is a text or an object.
    """
    payload = fields(payload.get("Response")) or payload
    error = text(payload.get("error"))
    inner = fields(payload.get("error")) or fields(payload.get("Error"))
    holders = [fields(payload.get(name)) for name in _HOLDERS]
    sources = [_by_plain_name(source) for source in (*filter(None, holders), payload)]
    messages = [text(source.get(name)) for source in sources for name in _MESSAGES]
    message = next(filter(None, [*messages, error]), "")
    names = (*_CODES, "type") if inner else _CODES
    codes = [
        (name, text(source[name]))
        for source in sources
        for name in names
        if _is_failure(name, source.get(name))
    ]
    name, code = codes[0] if codes else ("", "")
    if inner or error or (payload.get("success") is False and message):
        return ErrorObject(code, message)
    # A code that is a word may say success as well; with a message, or by its name, it does not.
    is_named = name in _NAMED_CODES
    return ErrorObject(code, message) if code and (message or is_named or whole(code)) else None


def _by_plain_name(source: Fields) -> Fields:
    return {name.lower().replace("_", ""): value for name, value in source.items()}


def _is_failure(name: str, code: Any) -> bool:
    word = text(code).lower()
    return word not in ("", "0", "200", "ok", "success") and (name != "status" or bool(whole(code)))


def whole(value: Any) -> int | None:
    """A whole number, also one that came as text or as 3.0; None when the value is none."""
    try:
        return None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


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


def json_value(body: str) -> Any:
    """A text as JSON; None when it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def json_object(body: str) -> Fields | None:
    """A text as a JSON object; None when it is anything else."""
    value = json_value(body)
    return value if isinstance(value, dict) else None
