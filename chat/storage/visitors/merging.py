"""Two visitors become one: everything that belongs to one is given to the other."""

from sqlalchemy import Engine, delete, update

from chat.storage.models import Conversation, Move, Upload


def merge_visitors(engine: Engine, visitor_from: str, visitor_to: str) -> None:
    """Gives all conversations and files of one visitor to the other.

    Sessions stay with their browsers (`StoredSessions.move_all`).
    """
    if visitor_from == visitor_to:
        return
    with engine.begin() as db:
        for table in (Conversation, Upload):
            db.execute(
                update(table).where(table.visitor == visitor_from).values(visitor=visitor_to)
            )
        db.execute(delete(Move).where(Move.visitor == visitor_from))
