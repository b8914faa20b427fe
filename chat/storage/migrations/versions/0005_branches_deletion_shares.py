"""Answers form branches, conversations can be deleted and taken back, and shared."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("answers", sa.Column("parent", sa.String(length=40)))
    op.add_column("answers", sa.Column("thread", sa.String(length=255)))
    op.add_column("answers", sa.Column("thought_s", sa.Double()))
    op.execute(
        "UPDATE answers SET parent = (SELECT max(earlier.id) FROM answers AS earlier "
        "WHERE earlier.conversation_id = answers.conversation_id AND earlier.id < answers.id), "
        "thread = (SELECT thread FROM conversations "
        "WHERE conversations.id = answers.conversation_id)"
    )
    # Not by a batch: that would drop the table, and with it, by the foreign key, all answers.
    op.execute("ALTER TABLE conversations DROP COLUMN thread")
    op.add_column("conversations", sa.Column("deleted_at", sa.DateTime()))
    op.create_index("conversations_by_deletion", "conversations", ["deleted_at"])
    op.create_table(
        "shares",
        sa.Column("token", sa.String(length=40), primary_key=True),
        sa.Column(
            "conversation_id",
            sa.String(length=40),
            sa.ForeignKey("conversations.id", ondelete="CASCADE"),
            nullable=False,
            unique=True,
        ),
        sa.Column("leaf", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
    )
