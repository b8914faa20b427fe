"""What a search looks at is a column of the answers; the index of the search goes."""

import sqlalchemy as sa
from alembic import op

from chat.storage.models import RUNNING
from chat.storage.search.plain import searchable

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# So many answers are in memory at once.
BATCH = 500

ANSWERS = sa.table(
    "answers",
    sa.column("id", sa.String),
    sa.column("question", sa.Text),
    sa.column("replies", sa.JSON),
    sa.column("state", sa.String),
    sa.column("plain", sa.Text),
)


def upgrade() -> None:
    op.execute("DROP TABLE IF EXISTS passages")
    op.drop_table("searched", if_exists=True)
    op.add_column("answers", sa.Column("plain", sa.Text()))
    _fill()


def _fill() -> None:
    """By the order of ids, which is an index: each batch goes on where the last one ended."""
    db = op.get_bind()
    texts = (
        sa.select(ANSWERS.c.id, ANSWERS.c.question, ANSWERS.c.replies)
        .where(ANSWERS.c.id > sa.bindparam("last"), ANSWERS.c.state != RUNNING)
        .order_by(ANSWERS.c.id)
        .limit(BATCH)
    )
    fill = (
        sa.update(ANSWERS)
        .where(ANSWERS.c.id == sa.bindparam("answer"))
        .values(plain=sa.bindparam("text"))
    )
    last = ""
    while rows := db.execute(texts, {"last": last}).all():
        values = [
            {"answer": row.id, "text": searchable(row.question, row.replies or [])} for row in rows
        ]
        db.execute(fill, values)
        last = rows[-1].id
