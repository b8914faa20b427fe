"""What schemathesis cannot guess: agents, conversations, answers that exist. Half of its guesses
give way.

Loaded by its command line (tests/web/test_openapi.py), which hands over what there is as JSON.
"""

import json
import os
import zlib
from typing import Any

import schemathesis

# {"conversation_id": "…", "agent": ["…", "…"], "after": null}: null leaves the field out of a body.
KNOWN: dict[str, Any] = json.loads(os.environ["KNOWN_TO_THE_SITE"])
NOT_TO_BE_LOST = "/c/{conversation_id}/delete"


def known(name: str, guess: Any) -> Any:
    """What there is under this name in place of every second guess, the same one each time."""
    number = zlib.crc32(repr(guess).encode())
    there_are = KNOWN.get(name) or guess
    if not isinstance(guess, str) or number % 2:
        return guess
    return there_are[number // 2 % len(there_are)] if isinstance(there_are, list) else there_are


def filled(context: schemathesis.HookContext, given: Any) -> Any:
    is_spared = context.operation is not None and context.operation.path == NOT_TO_BE_LOST
    if not isinstance(given, dict) or is_spared:
        return given
    return {name: known(name, guess) for name, guess in given.items()}


@schemathesis.hook
def map_path_parameters(context: schemathesis.HookContext, path_parameters: Any) -> Any:
    return filled(context, path_parameters)


@schemathesis.hook
def map_query(context: schemathesis.HookContext, query: Any) -> Any:
    return filled(context, query)


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    left_out = {name for name, there_is in KNOWN.items() if there_is is None}
    given = filled(context, body)
    return (
        {name: given[name] for name in given if name not in left_out}
        if isinstance(given, dict)
        else given
    )
