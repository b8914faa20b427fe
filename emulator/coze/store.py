"""The store of the emulated Coze (platforms/coze.md §3): conversations, runs, files, tokens."""

import time
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from emulator.accounts import COZE_TOKENS, CozeToken
from emulator.coze.format import Refused
from emulator.coze.run import Run
from emulator.faults import OncePerQuestion
from emulator.state import here, resolve_alias

Message = dict[str, Any]


@dataclass
class Conversation:
    """One thread; what the model sees is the messages of its last section."""

    id: str
    owner: str
    section_id: str
    bot_id: str = ""
    name: str = ""
    connector_id: str = "1024"
    meta_data: dict[str, str] = field(default_factory=dict)
    created_at: int = field(default_factory=lambda: int(time.time()))
    updated_at: int = field(default_factory=lambda: int(time.time()))
    messages: list[Message] = field(default_factory=list)
    run: Run | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "meta_data": self.meta_data,
            "creator_id": self.owner.split("/")[0],
            "connector_id": self.connector_id,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "last_section_id": self.section_id,
        }

    def settle(self) -> None:
        """Takes over what its run has left, once the run's time is over."""
        if self.run is None or self.run.status in ("created", "in_progress", "requires_action"):
            return
        if self.run.status == "completed" and self.run.is_saved:
            self.messages += [*self.run.questions, *self.run.messages]
            self.updated_at = self.run.ended_at
        self.run = None

    def context(self) -> list[Message]:
        return [message for message in self.messages if message["section_id"] == self.section_id]


@dataclass(frozen=True)
class File:
    """An uploaded file; only its account may use it."""

    id: str
    account: str
    file_name: str
    bytes: int
    created_at: int


class CozeStore:
    """Everything of one emulator; read and changed under the state's lock."""

    def __init__(self) -> None:
        self._ids = count(7_480_000_000_000_001_000)
        self.conversations: dict[str, Conversation] = {}
        self.runs: dict[str, Run] = {}
        self.files: dict[str, File] = {}
        self.issued: dict[str, tuple[CozeToken, float]] = {}
        self.expired = OncePerQuestion()

    def new_id(self) -> str:
        return str(next(self._ids))

    def token(self, value: str) -> CozeToken | None:
        """The token if it is known and its time is not over."""
        if value in self.issued:
            token, until = self.issued[value]
            return token if time.time() < until else None
        token_of_demo = COZE_TOKENS.get(resolve_alias(value))
        return token_of_demo if token_of_demo and not token_of_demo.is_expired else None

    def new_conversation(self, owner: str, bot_id: str = "") -> Conversation:
        conversation = Conversation(self.new_id(), owner, self.new_id(), bot_id)
        self.conversations[conversation.id] = conversation
        return conversation

    def conversation(self, conversation_id: str, owner: str) -> Conversation:
        """The caller's conversation with its books in order, or 4002."""
        conversation = self.conversations.get(conversation_id)
        if conversation is None or conversation.owner != owner:
            raise Refused(4002)
        conversation.settle()
        return conversation


def store() -> CozeStore:
    return here().store(CozeStore)
