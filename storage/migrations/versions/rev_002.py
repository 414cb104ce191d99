"""Archived runs; checksums of records; a pyramid of summaries, tails and totals beside the chunks.

What is derived from the chunks is made by today's code. A revision that changes its form makes it anew
after this one, so nothing of an older form has to be kept.
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Double, Integer, LargeBinary, String, Text

# Absolute: alembic runs this file as a script.
from stepscope.storage.rebuild import rebuild

revision = "002"
down_revision = "001"

_IN_TOTALS = (
    "count",
    "last_step",
    "last_time",
    "last_value",
    "min_value",
    "max_value",
    "nan_count",
    "posinf_count",
    "neginf_count",
)


def upgrade() -> None:
    """Add the new tables, and fill them from the chunks and records."""
    op.add_column("runs", Column("archived_at", Double))
    op.add_column("journals", Column("edition", Integer, nullable=False, server_default="0"))
    op.add_column("records", Column("checksum", BigInteger))
    op.create_table(
        "streams",
        Column("run_id", String(10), primary_key=True),
        Column("series_id", BigInteger, primary_key=True, autoincrement=False),
        Column("journal_no", Integer, primary_key=True, autoincrement=False),
        Column("full_chunks", Integer, nullable=False),
        Column("parts", Text, nullable=False),
    )
    op.create_table(
        "pyramid",
        Column("run_id", String(10), primary_key=True),
        Column("series_id", BigInteger, primary_key=True, autoincrement=False),
        Column("journal_no", Integer, primary_key=True, autoincrement=False),
        Column("level", Integer, primary_key=True, autoincrement=False),
        Column("node_no", Integer, primary_key=True, autoincrement=False),
        Column("data", LargeBinary, nullable=False),
    )
    op.create_table(
        "tails",
        Column("run_id", String(10), primary_key=True),
        Column("journal_no", Integer, primary_key=True, autoincrement=False),
        Column("batch_no", BigInteger, primary_key=True, autoincrement=False),
        Column("data", LargeBinary, nullable=False),
    )
    op.create_table(
        "totals",
        Column("run_id", String(10), primary_key=True),
        Column("journal_no", Integer, primary_key=True, autoincrement=False),
        Column("shard_no", Integer, primary_key=True, autoincrement=False),
        Column("data", LargeBinary, nullable=False),
    )
    op.drop_table("summaries")
    for name in _IN_TOTALS:
        op.drop_column("series", name)
    rebuild(op.get_bind())
