"""The first tables.

Written out, not taken from `pbx.store.schema`: that goes on changing, this never does again.
MariaDB can't roll a CREATE TABLE back, so a table that an interrupted run has made is left.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MYSQL = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_nopad_bin",
}


def upgrade() -> None:
    _configuration()
    _registrations()
    _records()


def _table(name: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(name, *columns, if_not_exists=True, **_MYSQL)


def _configuration() -> None:
    _table(
        "local_user",
        sa.Column("number", sa.String(20), primary_key=True),
        sa.Column("display_name", sa.String(64), nullable=False),
        sa.Column("ha1_md5", sa.String(32), nullable=False),
        sa.Column("ha1_sha256", sa.String(64), nullable=False),
        sa.Column("realm", sa.String(64), nullable=False),
        sa.Column("algorithm", sa.String(16), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
    )
    _table(
        "setting",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    _table(
        "audit",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("wall_s", sa.Double, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("object", sa.String(64), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )


def _registrations() -> None:
    _table(
        "binding",
        sa.Column("number", sa.String(20), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("contact", sa.Text, nullable=False),
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("cseq", sa.BigInteger, nullable=False),
        sa.Column("transport", sa.String(16), nullable=False),
        sa.Column("source_host", sa.String(64), nullable=False),
        sa.Column("source_port", sa.Integer, nullable=False),
        sa.Column("local_host", sa.String(64), nullable=False),
        sa.Column("local_port", sa.Integer, nullable=False),
        sa.Column("expires_wall_s", sa.Double, nullable=False),
        sa.Column("connection", sa.BigInteger, nullable=False),
        sa.Column("instance", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("user_agent", sa.Text, nullable=False),
        sa.Column("q", sa.String(16), nullable=False),
    )


def _records() -> None:
    _table(
        "cdr",
        sa.Column("record_id", sa.String(64), primary_key=True),
        sa.Column("call_id", sa.String(255), nullable=False),
        sa.Column("cdr_type", sa.String(2), nullable=False),
        sa.Column("caller_number", sa.String(64), nullable=False),
        sa.Column("dialed_number", sa.String(64), nullable=False),
        sa.Column("called_number", sa.String(64), nullable=False),
        sa.Column("setup_time", sa.String(32), nullable=False),
        sa.Column("alert_time", sa.String(32), nullable=False),
        sa.Column("talk_time", sa.String(32), nullable=False),
        sa.Column("release_time", sa.String(32), nullable=False),
        sa.Column("duration", sa.Double, nullable=False),
        sa.Column("caller_addr", sa.String(128), nullable=False),
        sa.Column("called_addr", sa.String(128), nullable=False),
        sa.Column("route", sa.String(512), nullable=False),
        sa.Column("fci", sa.String(512), nullable=False),
    )
    op.create_index("cdr_setup_time", "cdr", ["setup_time"], if_not_exists=True)
    _table(
        "cdr_position",
        sa.Column("file", sa.String(64), primary_key=True),
        sa.Column("offset", sa.BigInteger, nullable=False),
    )
