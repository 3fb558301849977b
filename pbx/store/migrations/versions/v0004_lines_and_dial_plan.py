"""External lines, SIP trunks and the dial plan, and what a user may call."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import MEDIUMTEXT

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "config_entry",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text().with_variant(MEDIUMTEXT(), "mysql"), nullable=False),
        if_not_exists=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    # MariaDB can't roll an ALTER TABLE back: what an interrupted run has added is left.
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("local_user")}
    for column in (
        sa.Column("call_level", sa.Integer, nullable=False, server_default="0"),
        sa.Column("outside_number", sa.String(33), nullable=False, server_default=""),
        sa.Column("emergency_number", sa.String(33), nullable=False, server_default=""),
        sa.Column("most_calls", sa.Integer, nullable=False, server_default="-1"),
        sa.Column("most_outgoing", sa.Integer, nullable=False, server_default="-1"),
    ):
        if column.name not in there:
            op.add_column("local_user", column)
