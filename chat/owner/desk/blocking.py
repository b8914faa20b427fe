"""Whom the owner may shut out: what is a mistake is refused, at the desk and in a shell alike."""

from collections.abc import Sequence

from chat.storage import Storage
from chat.visitors import blocks
from chat.visitors.access import Visitors
from chat.visitors.blocks import IpNetwork


class BlockError(Exception):
    """A block would be a mistake; `kind` names a sentence for the owner, `facts` fill it.

    Of `blocks_private` the owner may say that it is meant.
    """

    def __init__(self, kind: str, **facts: object) -> None:
        super().__init__(kind)
        self.kind = kind
        self.facts = facts


def subject_of(store: Storage, visitors: Visitors, who: str, is_forced: bool) -> str:
    """What is blocked when the owner names somebody or a network. Raises BlockError."""
    network = blocks.network_of(who)
    if network is None:
        return name_of(store, visitors, who)
    _refuse_mistakes(network, is_forced)
    return str(network)


def name_of(store: Storage, visitors: Visitors, who: str) -> str:
    """The name of a visitor: in the log, or of the owner of a conversation.

    Raises BlockError when nobody is called so.
    """
    visitor = store.deletion.visitor_of(who)
    if visitor is not None:
        return blocks.name_of(visitors.pseudonym(visitor))
    if not blocks.NAME.fullmatch(who):
        raise BlockError("nobody_to_block", who=who)
    return blocks.name_of(who)


def matches(store: Storage, visitors: Visitors, who: str, subjects: Sequence[str]) -> list[str]:
    """Which blocks name this visitor or network. Raises BlockError."""
    network = blocks.network_of(who)
    if network is not None:
        return [subject for subject in subjects if subject == str(network)]
    name = name_of(store, visitors, who)
    return [subject for subject in subjects if subject.startswith(name) or name.startswith(subject)]


def as_written(subject: str) -> str:
    """What is blocked as people write it: one address without the length of its network."""
    return subject.removesuffix("/128" if ":" in subject else "/32")


def _refuse_mistakes(network: IpNetwork, is_forced: bool) -> None:
    """Raises BlockError for a network that would shut out everybody, or the owner."""
    if blocks.is_loopback(network):
        raise BlockError("blocks_loopback", subject=as_written(str(network)))
    if blocks.is_too_wide(network):
        raise BlockError("blocks_too_much", subject=network)
    if blocks.is_private(network) and not is_forced:
        raise BlockError("blocks_private", subject=as_written(str(network)))
