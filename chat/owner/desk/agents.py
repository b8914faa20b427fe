"""Agents at the desk: connected, changed, moved, switched off or removed, and all taken back."""

import base64
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import SecretStr, ValidationError

from chat.agents.current import CurrentAgents, ListedAgent
from chat.agents.offered import Agent, Card, Maker
from chat.owner.desk.values import Desk, Locked, LostError
from chat.page.look import ICONS
from chat.settings import errors
from chat.settings.errors import problem
from chat.settings.words import Sentence, Words, sentence
from chat.storage.models import OwnerEntry
from chat.storage.owner.agents import AgentContent, OwnerAgents
from chat.storage.owner.values import Entry, StaleError
from providers import PLATFORMS, options

CONNECTED, CHANGED, REMOVED = "agent-connected", "agent-changed", "agent-removed"
ON, OFF, MOVED = "agent-on", "agent-off", "agents-moved"

# What the owner may say of any agent.
CARD_FIELDS = (
    "name",
    "description",
    "icon",
    "welcome",
    "suggestions",
    "group",
    "access",
    "daily_limit",
)


class WrongFields(Exception):
    """Nothing was stored: what is wrong, by field; "" is what is in no one field."""

    def __init__(self, problems: Mapping[str, Words | Sentence]) -> None:
        super().__init__(", ".join(problems))
        self.problems = problems


class LastAgent(Exception):
    """Of an owner's agents one has to stay switched on."""


class AgentsDesk:
    """What the owner may do with agents. Each change holds at once, and stands in the log.

    `know` gets the secrets of agents that are tried. Changes raise StaleError when somebody else
    was first, WrongFields for what an agent does not take.
    """

    def __init__(
        self,
        current: CurrentAgents,
        maker: Maker,
        stored: OwnerAgents,
        desk: Desk,
        know: Callable[[frozenset[str]], object],
    ) -> None:
        self._current = current
        self._maker = maker
        self._stored = stored
        self._desk = desk
        self._know = know
        for command in (CONNECTED, CHANGED, REMOVED, ON, OFF):
            desk.undo[command] = self._take_back
        desk.undo[MOVED] = self._move_back

    @property
    def listed(self) -> tuple[ListedAgent, ...]:
        """All agents in the owner's order; not those of the demo."""
        self._desk.look()
        return self._current.listed

    def get(self, id: str) -> ListedAgent | None:
        return next((listed for listed in self.listed if listed.id == id), None)

    def options_of(self, listed: ListedAgent) -> dict[str, Any]:
        """The options that were given at the desk; none where they cannot be unsealed."""
        return dict(self._current.options_of(listed.content) or {})

    def seal(self, values: Mapping[str, Any]) -> str:
        """Options for a form that comes back: a page holds no secret."""
        return self._maker.vault.seal(dict(values)).decode()

    def unseal(self, text: str) -> dict[str, Any]:
        """What was sealed for a form; nothing when that is none of ours."""
        return self._maker.vault.unseal(text.encode()) or {}

    def try_out(self, platform: str, values: Mapping[str, Any], card: Mapping[str, Any]) -> Agent:
        """The agent that these would make, to be looked at. Raises WrongFields."""
        checked = self._card(card.get("id") or f"{platform}-new", platform, card)
        return self._made(checked, values)

    def connect(self, platform: str, values: Mapping[str, Any], card: Mapping[str, Any]) -> str:
        """Connects an agent; returns its id."""
        id = str(card.get("id") or self._free_id(platform))
        checked = self._card(id, platform, card)
        if self._is_taken(id):
            raise WrongFields({"id": errors.TAKEN_ID})
        self._made(checked, values)
        content = AgentContent(
            _card_fields(checked), platform, self._maker.vault.seal(dict(values))
        )
        try:
            self._put(id, content, AgentContent(platform=platform), CONNECTED, 0)
        except StaleError:
            raise WrongFields({"id": errors.TAKEN_ID}) from None
        return id

    def change(
        self, listed: ListedAgent, card: Mapping[str, Any], values: Mapping[str, Any], expected: int
    ) -> None:
        """Gives an agent this card, and options where the desk has them."""
        card = {name: value for name, value in card.items() if name not in listed.locked}
        if listed.declared is not None:
            own = listed.declared.card.model_dump(include=set(listed.locked))
            fields = _card_fields(self._card(listed.id, listed.platform, {**own, **card}))
            changes = {name: value for name, value in fields.items() if name not in listed.locked}
            content = AgentContent(
                changes, listed.content.platform, listed.content.sealed, listed.content.is_off
            )
        else:
            checked = self._card(listed.id, listed.platform, card)
            self._made(checked, values)
            sealed = listed.content.sealed
            if dict(values) != self.options_of(listed):
                sealed = self._maker.vault.seal(dict(values))
            content = AgentContent(
                _card_fields(checked), listed.platform, sealed, listed.content.is_off
            )
        self._put(listed.id, content, listed.content, CHANGED, expected)

    def switch(self, listed: ListedAgent, is_on: bool, expected: int) -> None:
        """Offers an agent or does not. Raises LastAgent when no other would be on."""
        if not is_on:
            self._require_another(listed)
        before = listed.content
        content = AgentContent(before.card, before.platform, before.sealed, not is_on)
        self._put(listed.id, content, before, ON if is_on else OFF, expected)

    def remove(self, listed: ListedAgent, expected: int) -> None:
        """Removes an agent of the desk, with its keys. Raises Locked for a declared one."""
        if listed.declared is not None:
            raise Locked(listed.id)
        if len(self.listed) > 1:
            self._require_another(listed)
        removal = AgentContent(platform=listed.platform)
        self._put(listed.id, removal, listed.content, REMOVED, expected)

    def move(self, listed: ListedAgent, by: int, seen: str) -> None:
        """Moves an agent up (-1) or down (1) in the order that the owner has `seen`."""
        order = [one.id for one in self.listed]
        if seen != ",".join(order):
            raise StaleError("the order of the agents")
        here = order.index(listed.id)
        there = min(max(here + by, 0), len(order) - 1)
        order[here], order[there] = order[there], order[here]
        before = self._stored.positions()
        after = {id: position for position, id in enumerate(order, 1)}
        entry = Entry(MOVED, {"agent": listed.id}, {"before": before, "after": {**before, **after}})
        self._stored.move(after, entry, before)
        self._desk.announce()

    def _take_back(self, entry: OwnerEntry) -> None:
        change = entry.change or {}
        id, before, after = change["id"], _loaded(change["before"]), _loaded(change["after"])
        row = self._stored.get(id)
        if row is None or AgentContent.of(row) != after:
            raise StaleError(id)
        icon = str(before.card.get("icon", ""))
        if icon.startswith(ICONS) and not self._desk.has_picture(icon.removeprefix(ICONS)):
            raise LostError(id)
        command = {CONNECTED: REMOVED, REMOVED: CONNECTED, ON: OFF, OFF: ON}.get(
            entry.command, CHANGED
        )
        facts = {"agent": id, "takes_back": entry.id}
        change = {"id": id, "before": change["after"], "after": change["before"]}
        self._stored.put(id, before, Entry(command, facts, change), row.version)

    def _move_back(self, entry: OwnerEntry) -> None:
        change = entry.change or {}
        if self._stored.positions() != change["after"]:
            raise StaleError("the order of the agents")
        # One that had no row had no place of its own.
        before = {**dict.fromkeys(change["after"], 0), **change["before"]}
        facts = {"takes_back": entry.id}
        undone = Entry(MOVED, facts, {"before": change["after"], "after": before})
        self._stored.move(before, undone, change["after"])

    def _put(
        self, id: str, content: AgentContent, before: AgentContent, command: str, expected: int
    ) -> None:
        change = {"id": id, "before": _dumped(before), "after": _dumped(content)}
        self._stored.put(id, content, Entry(command, {"agent": id}, change), expected)
        self._desk.announce()

    def _made(self, card: Card, values: Mapping[str, Any]) -> Agent:
        try:
            agent = self._maker.connected(card, values, None)
        except ValidationError as error:
            raise _wrong(error) from None
        self._know(self._maker.secrets)
        return agent

    def _card(self, id: str, platform: str, card: Mapping[str, Any]) -> Card:
        if platform not in PLATFORMS:
            choices = sentence(errors.NO_PLATFORM, names=", ".join(PLATFORMS))
            raise WrongFields({"platform": choices})
        fields = {name: card[name] for name in CARD_FIELDS if card.get(name)}
        try:
            return Card.model_validate({**fields, "id": id, "platform": platform})
        except ValidationError as error:
            raise _wrong(error) from None

    def _is_taken(self, id: str) -> bool:
        """Whether conversations may be under an id: platforms' names are those of .env's agents."""
        return id in PLATFORMS or self.get(id) is not None or self._stored.get(id) is not None

    def _free_id(self, platform: str) -> str:
        while self._is_taken(id := f"{platform.replace('_', '-')}-{secrets.token_hex(2)}"):
            pass
        return id

    def _require_another(self, listed: ListedAgent) -> None:
        others = [one for one in self.listed if one.id != listed.id]
        if not any(one.agent and not one.content.is_off for one in others):
            raise LastAgent(listed.id)


def secret_options(platform: str) -> frozenset[str]:
    """The options of a platform that no page shows."""
    fields = options(platform).model_fields
    return frozenset(name for name, one in fields.items() if "SecretStr" in str(one.annotation))


def last_four(values: Mapping[str, Any], name: str) -> str:
    """The end of a secret, by which the owner knows it; nothing of a short one."""
    value = values.get(name)
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")
    return text.strip()[-4:] if len(text.strip()) >= 12 else ""


def _card_fields(card: Card) -> dict[str, Any]:
    """What a card says besides its id and platform."""
    return card.model_dump(exclude={"id", "platform"}, exclude_unset=True)


def _wrong(error: ValidationError) -> WrongFields:
    problems: dict[str, Words | Sentence] = {}
    for one in error.errors():
        problems.setdefault(str(one["loc"][0]) if one["loc"] else "", problem(one))
    return WrongFields(problems)


def _dumped(content: AgentContent) -> dict[str, Any]:
    sealed = base64.b64encode(content.sealed).decode() if content.sealed else None
    return {
        "card": dict(content.card),
        "platform": content.platform,
        "sealed": sealed,
        "is_off": content.is_off,
    }


def _loaded(document: Mapping[str, Any]) -> AgentContent:
    sealed = base64.b64decode(document["sealed"]) if document["sealed"] else None
    return AgentContent(document["card"], document["platform"], sealed, document["is_off"])
