"""Questions are numbered in the order in which they were stored; nothing is ordered by a clock."""

import sqlalchemy as sa
from alembic import op

from chat.storage.engine.numbers import NUMBERS

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ANSWERS = sa.table(
    "answers",
    sa.column("id", sa.String),
    sa.column("conversation_id", sa.String),
    sa.column("parent", sa.String),
    sa.column("sequence", sa.Integer),
)


def upgrade() -> None:
    for table in ("answers", "conversations"):
        op.add_column(
            table, sa.Column("sequence", sa.Integer(), nullable=False, server_default="0")
        )
    _number_answers()
    _put_parents_first()
    op.drop_index("answers_of_a_conversation", "answers")
    op.create_index("answers_of_a_conversation", "answers", ["conversation_id", "sequence"])
    op.create_index("answers_in_order", "answers", ["sequence"], unique=True)
    _number_conversations()
    op.drop_index("conversations_of_a_visitor", "conversations")
    op.create_index("conversations_of_a_visitor", "conversations", ["visitor", "sequence"])
    op.drop_index("conversations_by_deletion", "conversations")
    op.create_index("conversations_by_age", "conversations", ["deleted_at", "updated_at"])


def _number_answers() -> None:
    """By the order in which SQLite stored the rows, which a clock that was set back did not change.

    Every other database begins with this version, and has no rows yet. PostgreSQL has several
    writers at a time, and gives numbers from a sequence.
    """
    if op.get_bind().dialect.name == "sqlite":
        op.execute("UPDATE answers SET sequence = rowid")
    else:
        op.execute(f"CREATE SEQUENCE {NUMBERS}")


def _put_parents_first() -> None:
    """Until 0005 a question followed the one with the largest id, which may have been stored later.

    In such a conversation the same numbers are given anew, to each answer after its parent.
    """
    db = op.get_bind()
    parent = ANSWERS.alias()
    is_late = (parent.c.id == ANSWERS.c.parent) & (parent.c.sequence > ANSWERS.c.sequence)
    late = sa.select(ANSWERS.c.conversation_id).join(parent, is_late).distinct()
    for conversation_id in db.scalars(late).all():
        answers = (
            sa.select(ANSWERS.c.id, ANSWERS.c.parent, ANSWERS.c.sequence)
            .where(ANSWERS.c.conversation_id == conversation_id)
            .order_by(ANSWERS.c.sequence)
        )
        rows = db.execute(answers).all()
        ids = _parents_first({row.id: row.parent for row in rows})
        for row, id in zip(rows, ids, strict=True):
            db.execute(sa.update(ANSWERS).where(ANSWERS.c.id == id).values(sequence=row.sequence))


def _parents_first(parents: dict[str, str | None]) -> list[str]:
    """The ids in their order, but that each comes after its parent."""
    ordered: dict[str, None] = {}
    for id in parents:
        above: list[str] = []
        place: str | None = id
        while place in parents and place not in ordered and place not in above:
            above.append(place)
            place = parents[place]
        ordered.update(dict.fromkeys(reversed(above)))
    return list(ordered)


def _number_conversations() -> None:
    op.execute(
        "UPDATE conversations SET sequence = coalesce((SELECT max(answers.sequence) FROM answers "
        "WHERE answers.conversation_id = conversations.id), 0)"
    )
    op.add_column("conversations", sa.Column("cleared", sa.Integer()))
    op.execute(
        "UPDATE conversations SET cleared = (SELECT answers.sequence FROM answers "
        "WHERE answers.id = conversations.cleared_after)"
    )
    # Not by a batch: that would drop the table, and with it, by the foreign key, all answers.
    op.execute("ALTER TABLE conversations DROP COLUMN cleared_after")
    op.execute("ALTER TABLE conversations RENAME COLUMN cleared TO cleared_after")
