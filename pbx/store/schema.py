"""The tables, the same in SQLite and MariaDB. Names follow miniSIPServer's menus.

What a table is like in a database is made by ``migrations/``; a test compares the two.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.mysql import MEDIUMTEXT

from pbx.store.record_file import COLUMNS

REVISION = "0005"
"""The newest migration: what a database must be at. A test compares it with ``migrations/``."""

MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    # compares as SQLite does: by octets, with trailing blanks
    "mysql_collate": "utf8mb4_nopad_bin",
}
"""What MariaDB needs to be told of each table."""

CDR_LENGTHS: dict[str, int] = {
    "record_id": 64,
    "call_id": 255,
    "cdr_type": 2,
    "caller_number": 64,
    "dialed_number": 64,
    "called_number": 64,
    "setup_time": 32,
    "alert_time": 32,
    "talk_time": 32,
    "release_time": 32,
    "caller_addr": 128,
    "called_addr": 128,
    "route": 512,
    "fci": 512,
}
"""Characters of a call record's columns; longer values are cut in the database, never in the
CSV file."""

metadata = MetaData()

local_user = Table(
    "local_user",
    metadata,
    Column("number", String(20), primary_key=True),
    Column("display_name", String(64), nullable=False),
    Column("ha1_md5", String(32), nullable=False),
    Column("ha1_sha256", String(64), nullable=False),
    # of the two digests; they are worth nothing under another
    Column("realm", String(64), nullable=False),
    Column("algorithm", String(16), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("call_level", Integer, nullable=False, server_default="0"),
    Column("outside_number", String(33), nullable=False, server_default=""),
    Column("emergency_number", String(33), nullable=False, server_default=""),
    # -1: no limit
    Column("most_calls", Integer, nullable=False, server_default="-1"),
    Column("most_outgoing", Integer, nullable=False, server_default="-1"),
    Column("record", String(16), nullable=False, server_default="off"),
    Column("record_by_code", Boolean, nullable=False, server_default="1"),
    **MYSQL,
)

config_entry = Table(
    "config_entry",
    metadata,
    # `line`, or `plan`; and the line's name, or the table's of the dial plan
    Column("kind", String(16), primary_key=True),
    Column("name", String(64), primary_key=True),
    # JSON: a line with its password, or the rows of a table
    Column("value", Text().with_variant(MEDIUMTEXT(), "mysql"), nullable=False),
    **MYSQL,
)

binding = Table(
    "binding",
    metadata,
    Column("number", String(20), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("contact", Text, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("cseq", BigInteger, nullable=False),
    Column("transport", String(16), nullable=False),
    Column("source_host", String(64), nullable=False),
    Column("source_port", Integer, nullable=False),
    Column("local_host", String(64), nullable=False),
    Column("local_port", Integer, nullable=False),
    Column("expires_wall_s", Double, nullable=False),
    Column("connection", BigInteger, nullable=False),
    Column("instance", Text, nullable=False),
    # a JSON list of Route values
    Column("path", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("q", String(16), nullable=False),
    Column("reg_id", Integer, nullable=False, server_default="0"),
    Column("behind_nat", Boolean, nullable=False, server_default="0"),
    Column("features", String(1000), nullable=False, server_default=""),
    **MYSQL,
)

kept_state = Table(
    "kept_state",
    metadata,
    # what it is, such as a text that waits for somebody, and its name among its like
    Column("kind", String(16), primary_key=True),
    Column("name", String(128), primary_key=True),
    # JSON, which only those understand who wrote it
    Column("value", Text, nullable=False),
    **MYSQL,
)

cdr = Table(
    "cdr",
    metadata,
    *(
        Column("duration", Double, nullable=False)
        if name == "duration"
        else Column(
            name,
            String(CDR_LENGTHS[name]),
            primary_key=name == "record_id",
            nullable=False,
        )
        for name in COLUMNS
    ),
    Index("cdr_setup_time", "setup_time"),
    **MYSQL,
)

cdr_position = Table(
    "cdr_position",
    metadata,
    # data folder and file name: two exchanges may share one MariaDB
    Column("file", String(64), primary_key=True),
    Column("offset", BigInteger, nullable=False),
    **MYSQL,
)

setting = Table(
    "setting",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    **MYSQL,
)

audit = Table(
    "audit",
    metadata,
    # SQLite counts by itself only in a column whose type is INTEGER
    Column(
        "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    Column("wall_s", Double, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(32), nullable=False),
    Column("object", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    **MYSQL,
)
