"""Items of a list that begin with [ ] or [x]: what is to be done, and what is done."""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_BOX = re.compile(r"\[([ xX])\](?=[ \t\n])")


def tasks_plugin(md: MarkdownIt) -> None:
    """Adds the rule. It reads a list once, however many items it has."""
    md.core.ruler.after("inline", "tasks", _mark_tasks)


def _mark_tasks(state: StateCore) -> None:
    lists: list[Token] = []
    for at, token in enumerate(state.tokens):
        if token.type in ("bullet_list_open", "ordered_list_open"):
            lists.append(token)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
        elif token.type == "list_item_open" and _begin_with_sign(state.tokens[at + 1 : at + 3]):
            token.attrSet("class", "task-list-item")
            lists[-1].attrSet("class", "contains-task-list")


def _begin_with_sign(first: list[Token]) -> bool:
    """Puts a sign in place of the box that the first paragraph of an item begins with, if it does.

    A sign, since a disabled checkbox without a label means nothing to a screen reader.
    """
    if [token.type for token in first] != ["paragraph_open", "inline"]:
        return False
    text = (first[1].children or first)[0]
    box = _BOX.match(text.content) if text.type == "text" else None
    if box:
        text.content = ("☐" if box[1] == " " else "☑") + text.content[box.end() :]
    return bool(box)
