"""How agents introduce themselves on their platform, fetched in the background and cached."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol, cast

from chat.agents.offered import Agent, Agents
from providers.base import About, Introduces
from providers.errors import ProviderError

# An owner who has published a new welcome sees it here after so long.
FRESH_S = 600.0
# After a failure, and while another process asks.
AGAIN_S, SOON_S = 60.0, 2.0
PATIENCE_S = 10.0

log = logging.getLogger("chat.introductions")


class Abouts(Protocol):
    """What platforms say about agents: asked by this process, or once for all processes."""

    def get(self, mark: str, ask: Callable[[], About]) -> About | None:
        """The introduction of the agent of this mark, by `ask` if need be; None when it is not
        known yet.

        Raises ProviderError.
        """


class LocalAbouts:
    """Abouts of one process."""

    def get(self, mark: str, ask: Callable[[], About]) -> About | None:
        return ask()


class Introductions:
    """Fills in what the owner has not set about an agent. A page never waits for it.

    `picture` gives an agent's icon an address of ours, or None.
    """

    def __init__(
        self,
        agents: Callable[[], Agents],
        picture: Callable[[Agent, str], str | None],
        abouts: Abouts,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._agents = agents
        self._picture = picture
        self._clock = clock
        self._lock = threading.Lock()
        self._source = abouts
        self._abouts: dict[str, About] = {}
        self._stale_at = float("-inf")

    def of(self, agent: Agent) -> Agent:
        """The agent with its name, icon, welcome and so on; what the owner has set comes first."""
        self.refresh()
        about = self._abouts.get(agent.mark)
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

    def learn(self, agent: Agent) -> None:
        """Asks the platform now, for an owner who waits to see the agent's name and picture."""
        if agent.row.introduces:
            try:
                self._abouts[agent.mark] = _ask(agent)
            except ProviderError as error:
                log.info("agent %s does not introduce itself: %s", agent.id, error)

    def look_again(self) -> None:
        """There may be other agents: the next page asks for the introductions again."""
        self._stale_at = float("-inf")

    def refresh(self) -> None:
        """Begins to ask the platforms again when their introductions are old. Returns at once."""
        with self._lock:
            if self._clock() < self._stale_at:
                return
            self._stale_at = self._clock() + FRESH_S
        threading.Thread(target=self._fetch, name="introductions", daemon=True).start()

    def _fetch(self) -> None:
        for agent in self._agents().all:
            if agent.row.introduces:
                try:
                    about = self._source.get(agent.mark, partial(_ask, agent))
                except ProviderError as error:
                    log.info("agent %s does not introduce itself: %s", agent.id, error)
                    self._stale_at = self._clock() + AGAIN_S
                    continue
                if about is None:
                    self._stale_at = self._clock() + SOON_S
                else:
                    self._abouts[agent.mark] = about


def _ask(agent: Agent) -> About:
    deadline = time.monotonic() + PATIENCE_S
    return cast(Introduces, agent.provider).about(deadline)
