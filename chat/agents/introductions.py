"""How agents introduce themselves on their platform, fetched in the background and cached."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from chat.agents.offered import Agent, Agents
from providers.base import About, Introduces
from providers.errors import ProviderError

FRESH_S = 600.0
# After a failure.
AGAIN_S = 60.0
PATIENCE_S = 10.0

log = logging.getLogger("chat.introductions")


class Introductions:
    """Fills in what the owner has not set about an agent. A page never waits for it.

    `picture` gives an agent's icon an address of ours, or None.
    """

    def __init__(
        self,
        agents: Agents,
        picture: Callable[[Agent, str], str | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._agents = agents
        self._picture = picture
        self._clock = clock
        self._lock = threading.Lock()
        self._abouts: dict[str, About] = {}
        self._stale_at = float("-inf")

    def of(self, agent: Agent) -> Agent:
        """The agent with its name, icon, welcome and so on; what the owner has set comes first."""
        self.refresh()
        about = self._abouts.get(agent.id)
        if about is None:
            return agent
        is_named = agent.name != agent.row.title
        return replace(
            agent,
            name=agent.name if is_named else about.name or agent.name,
            icon=agent.icon or self._picture(agent, about.icon) or "",
            description=agent.description or about.description,
            welcome=agent.welcome or about.prologue,
            suggestions=agent.suggestions or about.suggestions,
        )

    def refresh(self) -> None:
        """Begins to ask the platforms again when their introductions are old. Returns at once."""
        with self._lock:
            if self._clock() < self._stale_at:
                return
            self._stale_at = self._clock() + FRESH_S
        threading.Thread(target=self._fetch, name="introductions", daemon=True).start()

    def _fetch(self) -> None:
        for agent in self._agents.all:
            if agent.row.introduces:
                try:
                    deadline = time.monotonic() + PATIENCE_S
                    self._abouts[agent.id] = cast(Introduces, agent.provider).about(deadline)
                except ProviderError as error:
                    log.info("agent %s does not introduce itself: %s", agent.id, error)
                    self._stale_at = self._clock() + AGAIN_S
