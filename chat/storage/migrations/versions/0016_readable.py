"""Which answers the owner may read, and how each of those came."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What was asked until now stays closed.
    op.add_column(
        "answers",
        sa.Column("is_readable", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("answers", sa.Column("timeline", sa.JSON()))
    op.create_index(
        "answers_to_read",
        "answers",
        ["is_readable", "sequence", "created_at", "state", "rating", "conversation_id"],
        sqlite_where=sa.text("is_readable = 1"),
        postgresql_where=sa.text("is_readable"),
    )
    op.create_index(
        "answers_rated",
        "answers",
        ["rating", "sequence"],
        sqlite_where=sa.text("rating IS NOT NULL"),
        postgresql_where=sa.text("rating IS NOT NULL"),
    )
