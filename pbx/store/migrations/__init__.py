"""The schema's history, applied by Alembic; imported only when a database is behind."""
