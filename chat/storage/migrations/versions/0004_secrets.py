"""Tokens that the site was granted, sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "secrets",
        sa.Column("name", sa.String(length=120), primary_key=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
    )
