"""Alembic's way in: run by `pbx.store.database.migrate` on an open connection."""

from alembic import context

from pbx.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can change a table only by making a new one
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
