"""What the body of a request says, as a JSON object or as a form."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Request
from werkzeug.exceptions import UnsupportedMediaType

from chat.refusals import Refusal

MULTIPART = "multipart/form-data"
FORMS = ("application/x-www-form-urlencoded", MULTIPART)


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


def fields_of(request: Request) -> Mapping[str, Any]:
    """The fields of a form, or those of a JSON object.

    Raises UnsupportedMediaType for any other body, and Refusal bad_input.
    """
    return request.form if request.mimetype in FORMS else json_object(request)


def is_yes(choice: Any) -> bool:
    """What was chosen: yes or no in a form, true or false in JSON. Raises Refusal bad_input."""
    # To Python 1 is True as well.
    if not isinstance(choice, bool) and choice not in ("yes", "no"):
        raise Refusal("bad_input", "neither yes nor no")
    return choice in (True, "yes")
