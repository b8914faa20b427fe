"""Credentials that stand in each other's place: recognised by what each platform's look like."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from chat.settings.words import Words
from providers import options, signs
from providers.options import bare_token


def swapped(platform: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Where values belong that stand in the place of another: option by option, empty if none do.

    A value is moved only when it is plainly another option's and nothing plainly right is there.
    """
    shapes = signs(platform).shapes
    texts = {name: _text(value) for name, value in values.items() if name in shapes}
    strays = {name for name, text in texts.items() if not re.fullmatch(shapes[name], text)}
    moves = {
        other: name
        for name in sorted(strays)
        for other in shapes
        if other != name and other not in texts.keys() - strays
        if re.fullmatch(shapes[other], texts[name])
    }
    # What was in the place of the one goes to the place of the other.
    for other, name in list(moves.items()):
        if other in texts and name not in moves:
            moves[name] = other
    return {option: texts[name] for option, name in moves.items()}


def lines_to_paste(
    platform: str, moved: Mapping[str, str], names: Mapping[str, str], sign: str
) -> Words:
    """The lines to paste, by the names that the owner writes; secrets only by their ends."""
    fields = options(platform).model_fields
    is_secret = {name: "SecretStr" in str(field.annotation) for name, field in fields.items()}
    # A value in the place of an id may be a secret of any shape.
    pairs = [
        f"{names[option]}{sign}{_ends(text) if is_secret[option] or not _is_id(text) else text}"
        for option, text in sorted(moved.items())
    ]
    return Words("，".join(pairs), ", ".join(pairs))


def _is_id(text: str) -> bool:
    return re.fullmatch(r"[0-9]{6,24}", text) is not None


def _ends(text: str) -> str:
    return f"{text[:4]}...{text[-2:]}" if len(text) >= 16 else "..."


def _text(value: Any) -> str:
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return bare_token(text)
