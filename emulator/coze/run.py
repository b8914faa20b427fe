"""One chat of the emulated Coze: it goes on by the clock, whoever reads (platforms/coze.md
§12.4).
"""

import math
import time
from dataclasses import dataclass, field
from typing import Any

from emulator.coze.plan import Plan
from emulator.words import MagicWords


@dataclass
class Run:
    """A chat: in progress until its work is done, then what its plan says."""

    id: str
    conversation_id: str
    section_id: str
    bot_id: str
    owner: str
    words: MagicWords
    is_saved: bool
    meta_data: dict[str, str]
    questions: list[dict[str, Any]] = field(default_factory=list)
    created_at: int = field(default_factory=lambda: int(time.time()))
    plan: Plan = field(default_factory=Plan)
    work_s: float = math.inf
    is_canceled: bool = False
    actions_left: int = 0
    has_refused_poll: bool = False
    polls: int = 0
    lists: int = 0
    _started: float = field(default_factory=time.monotonic)

    def start(self, plan: Plan, work_s: float) -> None:
        """Begins to work, or goes on after tool outputs."""
        self.plan, self.work_s, self._started = plan, work_s, time.monotonic()

    @property
    def status(self) -> str:
        if self.is_canceled:
            return "canceled"
        return (
            "in_progress" if time.monotonic() < self._started + self.work_s else self.plan.outcome
        )

    @property
    def ended_at(self) -> int:
        return self.created_at + math.ceil(self.work_s)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self.plan.messages

    def finish(self) -> None:
        """Its stream has been read to the end, which may be a moment before the clock says so."""
        if math.isfinite(self.work_s):
            self.work_s = min(self.work_s, time.monotonic() - self._started)

    def cancel(self) -> None:
        self.work_s = time.monotonic() - self._started
        self.is_canceled = True

    def base(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "conversation_id": self.conversation_id,
            "bot_id": self.bot_id,
            "created_at": self.created_at,
        }

    def as_created(self) -> dict[str, Any]:
        """What stream=false answers at once."""
        return {**self.base(), "last_error": {"code": 0, "msg": ""}, "status": "in_progress"}

    def as_retrieved(self) -> dict[str, Any]:
        """What a poll sees; the fields that are there depend on the status, as recorded."""
        status = self.status
        chat = {**self.base(), "section_id": self.section_id, "status": status}
        if status == "in_progress":
            return chat
        if self.meta_data:
            chat["meta_data"] = self.meta_data
        if status == "failed":
            return {**chat, "failed_at": self.ended_at, "last_error": self.plan.error}
        chat |= {
            "completed_at": self.ended_at,
            "last_error": {"code": 0, "msg": ""},
            "usage": self.plan.usage,
        }
        if status == "requires_action":
            chat["required_action"] = self.plan.required_action
        return chat
