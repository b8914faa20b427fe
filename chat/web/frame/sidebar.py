"""What the sidebar of every page shows: agents at hand, and the latest conversations, by day."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from chat.agents.offered import Agent
from chat.storage import Conversation
from chat.storage.models import now
from chat.web import services
from chat.web.frame.dates import day
from chat.web.gate import permissions
from chat.web.gate.visitors import visitor

LISTED = 50
# Agents that are one click away: those asked last, then the first of the site.
AT_HAND = 4


def sidebar() -> dict[str, Any]:
    """The variables of its template: `days`, and whether there are more than those."""
    of = services().storage.conversations.of
    agent_ids = permissions.visible_agent_ids()
    conversations = of(visitor(), LISTED + 1, agents=agent_ids, is_pinned=False)
    pinned = of(visitor(), LISTED, agents=agent_ids, is_pinned=True)
    agents = permissions.allowed_agents()
    return {
        "days": _from_today(by_day(conversations[:LISTED])),
        "pinned": pinned,
        "has_more_conversations": len(conversations) > LISTED,
        "agents_at_hand": _at_hand(agents, [*conversations, *pinned]),
        "agent_count": len(agents),
        "agent_of": agent_of,
    }


def agent_of(conversation: Conversation) -> Agent | None:
    """The agent of a conversation, as it introduces itself; None for a former one, and where
    there is only one, whose sign would tell nothing.
    """
    site = services()
    agent = site.agents.get(conversation.agent)
    return site.introductions.of(agent) if agent and len(site.agents.all) > 1 else None


def _at_hand(agents: Sequence[Agent], conversations: Iterable[Conversation]) -> list[Agent]:
    by_id = {agent.id: agent for agent in agents}
    latest = sorted(conversations, key=lambda conversation: -conversation.sequence)
    ids = dict.fromkeys([conversation.agent for conversation in latest] + list(by_id))
    chosen = [by_id[id] for id in ids if id in by_id][:AT_HAND]
    return [services().introductions.of(agent) for agent in chosen]


def by_day(conversations: Sequence[Conversation]) -> list[tuple[str, list[Conversation]]]:
    """Conversations, latest first, under the names of their days.

    One whose time cannot be right, because it is still to come or the one below is later, stands
    with the one below: no day comes twice.
    """
    current = now()
    latest: datetime | None = None
    names: list[str] = []
    for conversation in reversed(conversations):
        at = conversation.updated_at
        if at <= current:
            latest = max(latest or at, at)
        names.append(day(latest or current))
    pairs = zip(reversed(names), conversations, strict=True)
    return [
        (name, [conversation for _, conversation in group])
        for name, group in groupby(pairs, key=itemgetter(0))
    ]


def _from_today(days: list[tuple[str, list[Conversation]]]) -> list[tuple[str, list[Conversation]]]:
    """The days with today first: the script puts new conversations there."""
    today = day(now())
    return days if days and days[0][0] == today else [(today, []), *days]
