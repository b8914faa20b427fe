"""The JSON body of a request, bounded in size."""

import json
from typing import Any

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from chat.refusals import Refusal

# A megabyte of nothing but brackets costs a fifth of a second, during which nobody else is served.
LARGEST_JSON = 1024 * 1024


def json_object(request: Request, longest_text: int = 0) -> dict[str, Any]:
    """The JSON object in a request's body; there is room for a text of `longest_text` characters.

    Raises UnsupportedMediaType, RequestEntityTooLarge (also for a body without a Content-Length),
    and Refusal bad_input.
    """
    if not request.is_json:
        raise UnsupportedMediaType
    # One character may take twelve bytes: an emoji is two escapes of six.
    largest = max(LARGEST_JSON, 12 * longest_text)
    request.max_content_length = largest
    body = request.get_data(cache=False)
    # Without a Content-Length werkzeug reads up to the largest size and is silent about the rest.
    if len(body) >= largest:
        raise RequestEntityTooLarge
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal("bad_input", "no JSON") from None
    if not isinstance(payload, dict):
        raise Refusal("bad_input", "no JSON object")
    return payload
