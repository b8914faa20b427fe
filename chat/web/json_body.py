"""The JSON of a request: read up to a size that nobody else has to wait for, and whatever it holds."""

import json
from typing import Any

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from chat.refusals import Refusal

# A megabyte of nothing but brackets costs a fifth of a second, during which nobody else is served.
LARGEST_JSON = 1024 * 1024


def document(request: Request, longest_text: int = 0) -> dict[str, Any]:
    """The object that a request's body is; a `longest_text` of so many characters fits, however written.

    Raises UnsupportedMediaType, RequestEntityTooLarge (also for a body that does not say its length), and
    Refusal bad_input.
    """
    if not request.is_json:
        raise UnsupportedMediaType
    request.max_content_length = most = max(
        LARGEST_JSON, 12 * longest_text
    )  # an emoji: two escapes of six
    body = request.get_data(cache=False)
    if (
        len(body) >= most
    ):  # of a body that does not say its length no more is read, and nothing said
        raise RequestEntityTooLarge
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal("bad_input", "no JSON") from None
    if not isinstance(told, dict):
        raise Refusal("bad_input", "no JSON object")
    return told
