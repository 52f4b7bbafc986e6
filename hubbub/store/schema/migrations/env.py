"""Alembic's entry point: statements are rendered, and `run` has them executed."""

from alembic import context

from hubbub.store.schema.tables import metadata

# The transaction is the caller's.
context.configure(
    dialect_name=context.config.attributes["dialect"],
    target_metadata=metadata,
    transactional_ddl=False,
)
with context.begin_transaction():
    context.run_migrations()
