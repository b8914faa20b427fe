"""What visitors say of answers."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("answers", sa.Column("rating", sa.String(length=4)))
    op.add_column("answers", sa.Column("rating_reason", sa.Text()))
    op.add_column("answers", sa.Column("rated_at", sa.DateTime()))
