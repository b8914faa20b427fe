"""The owner's numbers: one small row for each question, filled from the answers there are."""

import sqlalchemy as sa
from alembic import context, op

from chat.china import CHINA
from chat.storage.models import Moment
from chat.storage.owner.outcomes import mark_of, tokens_of

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# So many answers are in memory at once.
BATCH = 1000

ANSWERS = sa.table(
    "answers",
    sa.column("id", sa.String),
    sa.column("conversation_id", sa.String),
    sa.column("state", sa.String),
    sa.column("code", sa.String),
    sa.column("usage", sa.JSON),
    sa.column("created_at", Moment),
)
CONVERSATIONS = sa.table(
    "conversations",
    sa.column("id", sa.String),
    sa.column("visitor", sa.String),
    sa.column("agent", sa.String),
)


def upgrade() -> None:
    op.add_column("answers", sa.Column("access", sa.String(length=80)))
    op.add_column("answers", sa.Column("first_s", sa.Double()))
    outcomes = op.create_table(
        "outcomes",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column(
            "answer_id",
            sa.String(length=40),
            sa.ForeignKey("answers.id", ondelete="SET NULL"),
        ),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("agent", sa.String(length=40), nullable=False),
        sa.Column("access", sa.String(length=80)),
        sa.Column("visitor_mark", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("code", sa.String(length=20)),
        sa.Column("first_s", sa.Double()),
        sa.Column("tokens", sa.Integer()),
    )
    _fill(outcomes)
    op.create_index("outcomes_of_an_answer", "outcomes", ["answer_id"], unique=True)
    op.create_index(
        "outcomes_by_day",
        "outcomes",
        ["day", "agent", "access", "state", "code", "tokens", "first_s", "visitor_mark"],
    )


def _fill(outcomes: sa.Table) -> None:
    """By the order of ids, which is an index: each batch goes on where the last one ended.

    By which code a question was asked, and when its answer began, was not stored.
    """
    db = op.get_bind()
    query = (
        sa.select(ANSWERS, CONVERSATIONS.c.visitor, CONVERSATIONS.c.agent)
        .join(CONVERSATIONS, CONVERSATIONS.c.id == ANSWERS.c.conversation_id)
        .where(ANSWERS.c.id > sa.bindparam("last"))
        .order_by(ANSWERS.c.id)
        .limit(BATCH)
    )
    last = ""
    while rows := db.execute(query, {"last": last}).all():
        db.execute(sa.insert(outcomes), [_outcome(row) for row in rows])
        last = rows[-1].id


def _outcome(row: sa.Row[tuple[object, ...]]) -> dict[str, object]:
    zone = context.config.attributes.get("zone", CHINA)
    day = row.created_at.astimezone(zone).date()
    return {
        "answer_id": row.id,
        "day": day.isoformat(),
        "agent": row.agent,
        "visitor_mark": mark_of(row.visitor, day),
        "state": row.state,
        "code": row.code,
        "tokens": tokens_of(row.usage),
    }
