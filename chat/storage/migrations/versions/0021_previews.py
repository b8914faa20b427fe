"""Links whose preview shows the first question."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Who made a link until now was not asked.
    op.add_column(
        "shares",
        sa.Column("is_previewed", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
