"""How many questions an account has been asked in a day."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "days",
        sa.Column("account", sa.String(length=80), primary_key=True),
        sa.Column("day", sa.String(length=10), primary_key=True),
        sa.Column("asked", sa.Integer(), nullable=False),
    )
