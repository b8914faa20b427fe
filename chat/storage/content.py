"""What an answer consists of: one type for the growing answer, the stored row and the page.

A new field goes through these, in this order:

* its event in providers/events.py, and a provider that yields it;
* `Content` below, its column in storage/models.py, and a migration;
* answers/partial.py, which adds the event to the field (`apply`) and makes events of the field
  again (`events_of`), and its limit in answers/bounds.py;
* web/events.py (`NAMES`), web/chat.py (the answer in one piece) and web/export.py;
* templates/page.html (`blank`) and parts.html, static/js/beside.js;
* docs/openapi.yaml and docs/api.md.
"""

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(kw_only=True)
class Content:
    """The fields of an answer, named as the columns that hold them.

    `replies` are Markdown; `thought_s` is how many seconds the agent thought before it spoke.
    `tools`, `media` and `citations` are the fields of ToolStep, Media and Citation, `usage` those
    of Usage (providers/events.py).
    """

    replies: list[str] = field(default_factory=list)
    thoughts: str = ""
    thought_s: float | None = None
    tools: list[dict[str, Any]] = field(default_factory=list)
    media: list[dict[str, Any]] = field(default_factory=list)
    citations: list[dict[str, Any]] = field(default_factory=list)
    suggestions: list[str] = field(default_factory=list)
    usage: dict[str, int] | None = None

    @classmethod
    def of(cls, row: object) -> "Content":
        """The content of a stored row. What a row of an earlier version lacks is empty."""
        values = {name: getattr(row, name, None) for name in NAMES}
        return cls(**{name: value for name, value in values.items() if value is not None})

    def columns(self) -> dict[str, Any]:
        """The columns of the stored row."""
        return {name: getattr(self, name) for name in NAMES}


NAMES = tuple(field.name for field in fields(Content))
