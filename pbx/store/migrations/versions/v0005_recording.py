"""Whose calls are recorded, and who may have them recorded by a code."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # MariaDB can't roll an ALTER TABLE back: what an interrupted run has added is left.
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("local_user")}
    for column in (
        sa.Column("record", sa.String(16), nullable=False, server_default="off"),
        sa.Column("record_by_code", sa.Boolean, nullable=False, server_default="1"),
    ):
        if column.name not in there:
            op.add_column("local_user", column)
