"""Alembic's entry point: it renders the statements, which `run` executes."""

from alembic import context

from hubbub.store.schema.tables import metadata

# The caller manages the transaction.
context.configure(
    dialect_name=context.config.attributes["dialect"],
    target_metadata=metadata,
    transactional_ddl=False,
)
with context.begin_transaction():
    context.run_migrations()
