"""Alembic's entry point; the connection is handed in by `run.upgrade`."""

from alembic import context

from hubbub.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
