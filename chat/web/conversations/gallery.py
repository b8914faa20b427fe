"""Which agents the gallery shows: under the owner's headings, or those that hold some words."""

from collections.abc import Sequence

from chat.agents.offered import Agent
from chat.web import services
from chat.web.gate import permissions

# From so many agents on the gallery is the start page.
MANY = 6


def is_home() -> bool:
    """Whether the visitor may ask so many agents that one has to be looked for."""
    return len(permissions.allowed_agents()) >= MANY


def shelves(words: str) -> list[tuple[str, list[Agent]]]:
    """The agents whose name, description or heading hold all words, by heading.

    The headings come in the owner's order; agents without one come first.
    """
    introduce = services().introductions.of
    groups: dict[str, list[Agent]] = {"": []}
    for agent in map(introduce, permissions.allowed_agents()):
        if _holds(agent, words.casefold().split()):
            groups.setdefault(agent.group, []).append(agent)
    return [(heading, agents) for heading, agents in groups.items() if agents]


def _holds(agent: Agent, words: Sequence[str]) -> bool:
    text = f"{agent.name}\n{agent.description}\n{agent.group}".casefold()
    return all(word in text for word in words)
