"""Coze's cards in words: texts with their variables, pictures, and the options of a question.

Only Coze's own pages can draw a card. Its layout is the vendor's (platforms/coze.md §15).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from providers.payloads import Fields, address, fields, items, json_value, text, whole

# Cards are written by people; a deeper one is made to exhaust the stack.
DEPTH = 32
PLACEHOLDER = "[卡片 / card]"
_INDEX = re.compile(r"\[(\d+)\]")
_VARIABLE = re.compile(r"\{\{([^{}]++)\}\}")
# Properties that hold words, in the order in which a reader would meet them.
_WORDS = ("title", "subtitle", "label", "content", "text", "question", "description")
_OTHER_WORDS = (*_WORDS, "response_for_model")


@dataclass
class CardContent:
    """What a reader can use of a card. `options` are the answers that it offers."""

    texts: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)

    @property
    def markdown(self) -> str:
        return "\n\n".join(dict.fromkeys(self.texts))

    @property
    def is_empty(self) -> bool:
        return not (self.texts or self.pictures or self.options)


def read_card(content: str) -> CardContent:
    """The words, pictures and options of a message's content with the type `card`."""
    card = json_value(content)
    if card is None:
        return CardContent([content] if content.strip() else [])
    result = CardContent()
    for node in _objects(card):
        if isinstance(node.get("elements"), dict):
            _read_elements(node, result)
        if "workflow_card_info" in node:
            _read_workflow_card(node["workflow_card_info"], result)
    if result.is_empty:
        result.texts = [word for word in _other_words(card) if not address(word)]
    if result.is_empty:
        result.texts = [PLACEHOLDER]
    return result


def _objects(node: Any, depth: int = 0) -> Iterator[Fields]:
    """Each object in a value, also inside of texts that are JSON."""
    if depth > DEPTH:
        return
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _objects(value, depth + 1)
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value, depth + 1)
    elif isinstance(node, str) and node.lstrip()[:1] in ("{", "["):
        yield from _objects(json_value(node), depth + 1)


def _read_elements(card: Fields, result: CardContent) -> None:
    """The elements of a card in the vendor's language: a map of {name, type, props}."""
    variables = _variables(card.get("variables"))
    for element in card["elements"].values():
        props = fields(fields(element).get("props"))
        is_picture = "image" in text(fields(element).get("type")).lower()
        for value in props.values() if is_picture else ():
            result.pictures += _addresses(_resolve(value, variables))
        for name in _WORDS:
            words = _resolve(props.get(name), variables).strip()
            if words and not address(words):
                result.texts.append(words)


def _addresses(value: str) -> list[str]:
    """The address that a text is, or those in a list that it holds as JSON."""
    values = items(json_value(value)) if value.startswith("[") else [value]
    return [url for url in map(address, values) if url]


def _variables(value: Any) -> dict[str, Any]:
    """Values by the names of variables, which stand in the map's keys or inside."""
    values: dict[str, Any] = {}
    for key, variable in fields(value).items():
        default = variable.get("defaultValue") if isinstance(variable, dict) else variable
        values[str(key)] = default
        if name := text(fields(variable).get("name")):
            values[name] = default
    return values


def _resolve(value: Any, variables: dict[str, Any]) -> str:
    """A property's text: plain, or an expression with names of variables in double braces."""
    if isinstance(value, dict):
        value = value.get("value")
    return _VARIABLE.sub(lambda match: _lookup(match[1].strip(), variables), text(value))


def _lookup(path: str, variables: dict[str, Any]) -> str:
    """The value at a path such as `title` or `shop.name`; empty when there is none."""
    name, *rest = _INDEX.sub(r".\1", path).split(".")
    node = variables.get(path, variables.get(name))
    for part in rest if path not in variables else ():
        node = json_value(node) if isinstance(node, str) else node
        if isinstance(node, list):
            node = dict(enumerate(node)).get(whole(part) or 0)
        else:
            node = fields(node).get(part)
    if isinstance(node, dict | list):
        return json.dumps(node, ensure_ascii=False)
    return text(node)


def _read_workflow_card(value: Any, result: CardContent) -> None:
    """A question node of a workflow: its title and options, or the fields it asks for."""
    info = fields(json_value(value) if isinstance(value, str) else value)
    question = fields(info.get("question_card_data"))
    # The vendor writes these names in both ways.
    question = {name.lower(): value for name, value in question.items()}
    if title := text(question.get("title")).strip():
        result.texts.append(title)
    for option in items(question.get("options")):
        if name := (text(option) or text(fields(option).get("name"))).strip():
            result.options.append(name)
    names = [text(fields(entry).get("name")) for entry in items(info.get("input_card_data"))]
    if lines := [f"- {name}" for name in names if name]:
        result.texts.append("\n".join(lines))


def _other_words(node: Any, key: str = "", depth: int = 0) -> Iterator[str]:
    """The words of a card in no layout that is known."""
    if depth > DEPTH:
        return
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _other_words(value, str(name), depth + 1)
    elif isinstance(node, list):
        for value in node:
            yield from _other_words(value, key, depth + 1)
    elif isinstance(node, str) and node.strip():
        inner = json_value(node) if node.lstrip()[:1] in ("{", "[") else None
        if isinstance(inner, dict | list):
            yield from _other_words(inner, key, depth + 1)
        elif key in _OTHER_WORDS:
            yield node.strip()
