"""The agents as they are at this moment: those declared, those of the desk, and what it changed."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from chat.agents.offered import Agent, Agents, Card, Maker, as_carded
from chat.settings import errors
from chat.settings.errors import problem
from chat.settings.words import Sentence, Words
from chat.storage.engine.kinds import StorageError
from chat.storage.models import OwnerAgent
from chat.storage.owner.agents import AgentContent, OwnerAgents
from providers import PLATFORMS

# Gets the agents before and after a change.
Listener = Callable[[Agents, Agents], object]

log = logging.getLogger("chat.agents")


@dataclass(frozen=True)
class ListedAgent:
    """An agent as the desk lists it, also one that is switched off or cannot be made.

    `agent` is None for one that cannot be made, for the reason `problem`. `declared` is the agent
    as .env or agents.toml has it; `is_covered`: it was connected at the desk, too, under an id
    that is theirs now.
    """

    id: str
    platform: str
    card: Card
    agent: Agent | None
    content: AgentContent
    version: int = 0
    declared: Agent | None = None
    problem: Words | Sentence | None = None
    is_covered: bool = False

    @property
    def locked(self) -> frozenset[str]:
        """The fields of the card that only agents.toml can change."""
        return frozenset(self.declared.card.model_fields_set) if self.declared else frozenset()


class CurrentAgents:
    """Makes the agents anew when it is to `read` what the owner has changed.

    An agent that was not changed keeps its provider, and running answers keep theirs to the end.
    """

    def __init__(self, maker: Maker, stored: OwnerAgents) -> None:
        """Raises SettingsError when .env or agents.toml is wrong."""
        self._maker = maker
        self._stored = stored
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []
        self._declared = maker.declared()
        self._agents = Agents((), is_demo=True)
        self._listed: tuple[ListedAgent, ...] = ()
        try:
            self.read()
        except StorageError:
            # The doctor looks at a site whose database is not there yet, or not to be had.
            self._take(())

    @property
    def now(self) -> Agents:
        """The agents that are offered."""
        return self._agents

    @property
    def listed(self) -> tuple[ListedAgent, ...]:
        """All agents that there are, in the owner's order; not those of the demo."""
        return self._listed

    def on_change(self, listener: Listener) -> None:
        """`listener` gets the agents before and after each change, and at once those there are."""
        self._listeners.append(listener)
        listener(self._agents, self._agents)

    def read(self) -> None:
        """Takes what is stored. Raises StorageError."""
        with self._lock:
            before = self._agents
            self._take(self._stored.all())
            for listener in self._listeners:
                listener(before, self._agents)

    def _take(self, rows: Sequence[OwnerAgent]) -> None:
        by_id = {row.id: row for row in rows}
        before = {listed.id: listed.agent for listed in self._listed}
        listed = [self._as_changed(agent, by_id.get(agent.id)) for agent in self._declared]
        covered = {agent.id for agent in self._declared}
        listed += [
            self._connected(row, before.get(row.id))
            for row in rows
            if row.sealed is not None and row.id not in covered
        ]
        places = {row.id: (row.position, number) for number, row in enumerate(rows)}
        listed.sort(key=lambda one: places.get(one.id, (0, -1)))
        self._listed = tuple(listed)
        made = [one.agent for one in listed if one.agent is not None]
        is_off = {one.id for one in listed if one.content.is_off}
        # An owner who has agents of their own is never shown those of the demo.
        offered = [agent for agent in made if agent.id not in is_off] or made[:1]
        self._agents = self._of(offered)

    def _of(self, offered: list[Agent]) -> Agents:
        agents = self._maker.on_account(offered or self._demo())
        return Agents(agents, not offered, self._maker.secrets)

    def _demo(self) -> tuple[Agent, ...]:
        # The same ones as before, with what they remember.
        return self._agents.all if self._agents.is_demo and self._agents.all else self._maker.demo()

    def _as_changed(self, agent: Agent, row: OwnerAgent | None) -> ListedAgent:
        """A declared agent with what the desk has changed where agents.toml says nothing."""
        content = AgentContent.of(row)
        locked = agent.card.model_fields_set
        changes = {name: value for name, value in content.card.items() if name not in locked}
        changed = agent
        try:
            own = agent.card.model_dump(include=set(locked))
            changed = as_carded(agent, Card.model_validate({**own, **changes}))
        except ValidationError as error:
            log.warning("agent %s: the changes of the desk: %s", agent.id, _first(error).say("en"))
        return ListedAgent(
            id=agent.id,
            platform=agent.platform,
            card=changed.card,
            agent=changed,
            content=content,
            version=row.version if row else 0,
            declared=agent,
            is_covered=content.is_connected,
        )

    def _connected(self, row: OwnerAgent, before: Agent | None) -> ListedAgent:
        """An agent of the desk; without one where its row cannot be read any more."""
        content, agent = AgentContent.of(row), None
        card = Card.model_construct(id=row.id, platform=row.platform or "")
        reason: Words | Sentence | None = None
        try:
            card = Card.model_validate({**row.card, "id": row.id, "platform": row.platform})
            values = self.options_of(content)
            if values is None:
                reason = errors.SEALED_ELSEWHERE
            elif row.platform not in PLATFORMS:
                reason = errors.NO_PLATFORM_HERE
            else:
                agent = self._maker.connected(card, values, before)
        except ValidationError as error:
            reason = _first(error)
        if reason is not None:
            log.warning("agent %s cannot be offered: %s", row.id, reason.say("en"))
        return ListedAgent(row.id, card.platform, card, agent, content, row.version, problem=reason)

    def options_of(self, content: AgentContent) -> Mapping[str, Any] | None:
        """The options of an agent of the desk; None when they cannot be unsealed."""
        return self._maker.vault.unseal(content.sealed) if content.sealed else None


def _first(error: ValidationError) -> Words | Sentence:
    return problem(error.errors()[0])
