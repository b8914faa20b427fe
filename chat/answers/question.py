"""A question on its way from a visitor to an agent."""

from collections.abc import Callable
from dataclasses import dataclass

from chat.agents.fair_queue import Origin
from chat.agents.offered import Agent
from chat.answers.live import LiveAnswer
from providers.base import Attachment


@dataclass(frozen=True)
class Question:
    """What a visitor asks an agent, from an `address`.

    In its conversation it comes `after` an answer, or `instead` of the question of an answer; else
    it follows the newest. Without `conversation_id` it begins one. `streaming` says whether
    somebody reads along. `is_abandoned` says whether nobody waits for its answer any more; it gives
    up its place in line then. `access` names the code or key by which it is asked. `spend` counts
    it against the asker's own day, and returns a function that takes this back.
    """

    visitor: str
    agent: Agent
    text: str
    conversation_id: str | None = None
    after: str | None = None
    instead: str | None = None
    attachments: tuple[Attachment, ...] = ()
    streaming: bool = True
    is_abandoned: Callable[[LiveAnswer], bool] = lambda live: False
    address: str = ""
    access: str | None = None
    spend: Callable[[], Callable[[], None]] = lambda: lambda: None

    @property
    def origin(self) -> Origin:
        """What counts for whose turn it is."""
        return Origin(self.address, self.visitor)
