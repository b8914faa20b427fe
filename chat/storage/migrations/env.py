"""How Alembic runs our steps: in one transaction, on the connection it is given."""

from typing import Any

from alembic import context

from chat.storage.models import Base


def is_a_model(name: str | None, kind: str, parents: Any) -> bool:
    """SQLite makes tables of its own for the full-text index: no model knows them."""
    return kind != "table" or not str(name).startswith("passages")


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    include_name=is_a_model,
)
with context.begin_transaction():
    context.run_migrations()
