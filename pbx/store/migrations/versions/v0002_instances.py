"""What a registration says of its phone: flow, NAT and features (RFC 5626, RFC 3840)."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # MariaDB can't roll an ALTER TABLE back: what an interrupted run has added is left.
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("binding")}
    for column in (
        sa.Column("reg_id", sa.Integer, nullable=False, server_default="0"),
        sa.Column("behind_nat", sa.Boolean, nullable=False, server_default="0"),
        sa.Column("features", sa.String(1000), nullable=False, server_default=""),
    ):
        if column.name not in there:
            op.add_column("binding", column)
    # Whoever registered before this was told apart by its Contact, and is until it does so again.
    op.execute(sa.text("UPDATE binding SET behind_nat = 1"))
