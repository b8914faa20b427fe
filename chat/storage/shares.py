"""Links by which others read a branch of a conversation: created, withdrawn, resolved."""

import secrets

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import sessionmaker

from chat.refusals import Refusal
from chat.storage.conversations import Conversations, owned_conversation
from chat.storage.engine.kinds import by_single_statements
from chat.storage.models import Conversation, Share


class Shares:
    """The rows of the links. One of another visitor's conversation raises Refusal not_found."""

    def __init__(self, engine: Engine, conversations: Conversations) -> None:
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        self._reading = sessionmaker(by_single_statements(engine), expire_on_commit=False)
        self._conversations = conversations

    def create(
        self,
        visitor: str,
        conversation_id: str,
        at: str | None = None,
        *,
        is_previewed: bool = False,
        is_same: bool = False,
    ) -> Share:
        """A link to the branch through `at` as it is now.

        An earlier link of the conversation ends, or with `is_same` becomes this one.
        """
        branch = self._conversations.tree(conversation_id).branch(at)
        if not branch:
            raise Refusal("not_found", "a conversation without answers")
        share = Share(conversation_id=conversation_id, leaf=branch[-1], is_previewed=is_previewed)
        with self._sessions.begin() as db:
            owned_conversation(db, visitor, conversation_id, is_changed=True)
            is_earlier = Share.conversation_id == conversation_id
            token = db.scalar(select(Share.token).where(is_earlier)) if is_same else None
            share.token = token or secrets.token_urlsafe(24)
            db.execute(delete(Share).where(is_earlier))
            db.add(share)
        return share

    def withdraw(self, visitor: str, conversation_id: str) -> None:
        """Ends the link to a conversation, if there is one."""
        with self._sessions.begin() as db:
            owned_conversation(db, visitor, conversation_id, is_changed=True)
            db.execute(delete(Share).where(Share.conversation_id == conversation_id))

    def of(self, conversation_id: str) -> Share | None:
        """The link to a conversation, if there is one."""
        with self._reading() as db:
            return db.scalar(select(Share).where(Share.conversation_id == conversation_id))

    def resolve(self, token: str) -> tuple[Share, Conversation, list[str]]:
        """A link, its conversation and the ids of its branch. Raises Refusal not_found."""
        with self._reading() as db:
            share = db.get(Share, token)
            conversation = db.get(Conversation, share.conversation_id) if share else None
        if share is None or conversation is None or conversation.deleted_at:
            raise Refusal("not_found", "a link")
        branch = self._conversations.tree(conversation.id).branch(share.leaf)
        return share, conversation, branch[: branch.index(share.leaf) + 1]
