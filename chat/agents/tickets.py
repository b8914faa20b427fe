"""What a process has in a line that it shares: a ticket for each question and further call."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from chat.agents.waiting_room import RoomPlace
from chat.refusals import Refusal

Stage = Literal["entering", "entered", "waiting", "seated", "calling", "served"]


@dataclass(eq=False, slots=True)
class Ticket:
    """A question, or a further call of a running turn. `called` wakes who holds it.

    `names` are those of a question's address and visitor in an operation, `most_of_address` says
    how many of its address may wait. `ahead` is what Redis has said of its place.
    """

    id: str
    stage: Stage
    names: str = ""
    most_of_address: int = 0
    room: RoomPlace | None = None
    ahead: int | None = None
    refusal: Refusal | None = None
    seated_at: float | None = None
    called: threading.Event = field(default_factory=threading.Event)

    @property
    def is_served(self) -> bool:
        """Whether it has its seat, or its call."""
        return self.stage in ("seated", "served")

    def operations(self) -> Iterator[str]:
        """What makes Redis know it, whatever it knows already."""
        match self.stage:
            case "entering":
                yield f"enter {self.id} {self.names} {self.most_of_address}"
            case "entered" | "waiting":
                yield f"keep {self.id} {self.names}"
                if self.stage == "waiting":
                    yield f"ask {self.id}"
            case "seated":
                yield f"seat {self.id} {self.names}"
            case "calling":
                yield f"further {self.id}"
