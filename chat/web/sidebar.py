"""What the sidebar of every page shows: the visitor's latest conversations, by day."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from chat.storage import Conversation
from chat.storage.models import now
from chat.web import services
from chat.web.dates import day
from chat.web.gate import permissions
from chat.web.gate.visitors import visitor

LISTED = 50


def sidebar() -> dict[str, Any]:
    """The variables of its template: `days`, and whether there are more than those."""
    conversations = services().storage.conversations.of(
        visitor(), LISTED + 1, agents=permissions.visible_agent_ids()
    )
    return {
        "days": _from_today(by_day(conversations[:LISTED])),
        "has_more_conversations": len(conversations) > LISTED,
    }


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
