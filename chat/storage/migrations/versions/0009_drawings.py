"""The HTML of ended answers."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drawings",
        sa.Column(
            "answer_id",
            sa.String(length=40),
            sa.ForeignKey("answers.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("blocks", sa.JSON(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
    )
