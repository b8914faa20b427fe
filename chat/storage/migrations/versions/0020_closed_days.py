"""What the outcomes of a day came to stands in one row, in place of them."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "closed_days",
        sa.Column("day", sa.String(length=10), primary_key=True),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.Column("first_words", sa.JSON(), nullable=False),
    )
    op.drop_index("outcomes_by_day", "outcomes")
    op.create_index("outcomes_by_day", "outcomes", ["day"])
