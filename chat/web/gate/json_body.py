"""The JSON body of a request."""

import json
from typing import Any

from flask import Request
from werkzeug.exceptions import UnsupportedMediaType

from chat.refusals import Refusal


def json_object(request: Request) -> dict[str, Any]:
    """The JSON object in a request's body, which web/gate/admission.py bounds.

    Raises UnsupportedMediaType, and Refusal bad_input.
    """
    if not request.is_json:
        raise UnsupportedMediaType
    body = request.get_data(cache=False)
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal("bad_input", "no JSON") from None
    if not isinstance(payload, dict):
        raise Refusal("bad_input", "no JSON object")
    return payload
