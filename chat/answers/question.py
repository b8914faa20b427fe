"""A question on its way from a visitor to an agent."""

from collections.abc import Callable
from dataclasses import dataclass

from chat.agents.fair_queue import Origin
from chat.agents.offered import Agent
from providers.base import Attachment


@dataclass(frozen=True)
class Question:
    """What a visitor asks an agent, from an `address`.

    In its conversation it comes `after` an answer, or `instead` of the question of an answer; else
    it follows the newest. Without `conversation_id` it begins one. `streaming` says whether
    somebody reads along. A question that `needs_reader` gives up its place in line when nobody
    follows it for a while. `spend` counts it against the asker's own day, and returns a function
    that takes this back.
    """

    visitor: str
    agent: Agent
    text: str
    conversation_id: str | None = None
    after: str | None = None
    instead: str | None = None
    attachments: tuple[Attachment, ...] = ()
    streaming: bool = True
    needs_reader: bool = False
    address: str = ""
    spend: Callable[[], Callable[[], None]] = lambda: lambda: None

    @property
    def origin(self) -> Origin:
        """What counts for whose turn it is."""
        return Origin(self.address, self.visitor)
