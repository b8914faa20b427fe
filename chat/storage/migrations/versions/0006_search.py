"""The index of the search (until 0008), and codes for moving to another device."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The short columns come first, so that reading them does not read the long body. The tokenizer
    # finds only the spaces between the words. Sizes of columns would serve ranking.
    # Every other database begins with a later version, which needs no index.
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE passages USING fts5("
            "answer UNINDEXED, visitor UNINDEXED, body, tokenize = 'ascii', columnsize = 0)"
        )
    op.create_table(
        "searched",
        sa.Column("visitor", sa.String(length=64), primary_key=True),
        sa.Column("up_to", sa.String(length=40), nullable=False),
    )
    op.create_table(
        "moves",
        sa.Column("code_hash", sa.String(length=64), primary_key=True),
        sa.Column("visitor", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
    )
