"""When a conversation was thrown away. Stands in until the real step 0005 is merged."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("conversations") as conversations:
        conversations.add_column(sa.Column("deleted_at", sa.DateTime(), nullable=True))
