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
_CODES = ("code", "error_code", "errno", "err_no", "status")
_MESSAGES = ("msg", "message", "error_msg", "error_message", "errmsg", "err_msg")


def error_object(payload: Fields) -> ErrorObject | None:
    """The failure in a JSON object, whatever its envelope; None when it holds none.

    A failure is a code other than 0, or an `error` that is a text or an object.
    """
    error = payload.get("error")
    inner = fields(error)
    sources = [inner, payload] if inner else [payload]
    messages = [text(source.get(name)) for source in sources for name in _MESSAGES]
    message = next(filter(None, [*messages, text(error)]), "")
    names = (*_CODES, "type") if inner else _CODES
    code = next(
        (
            text(source[name])
            for source in sources
            for name in names
            if _is_failure(name, source.get(name))
        ),
        "",
    )
    if inner or text(error):
        return ErrorObject(code, message)
    # A code that is a word may say success as well; with a message, or by its name, it does not.
    named = any(text(payload.get(name)) == code for name in ("error_code", "errno", "err_no"))
    return ErrorObject(code, message) if code and (message or named or whole(code)) else None


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
    """A span of time that makes sense, `default` when the value is none."""
    try:
        number = (
            float(value)
            if isinstance(value, int | float) and not isinstance(value, bool)
            else math.nan
        )
    except OverflowError:
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
