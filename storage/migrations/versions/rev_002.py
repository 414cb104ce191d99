"""Archived runs; a pyramid of summaries, tails and totals beside the chunks."""

from alembic import op
from sqlalchemy import BigInteger, Column, Double, Integer, LargeBinary, String, Text

revision = "002"
down_revision = "001"


def upgrade() -> None:
    """Add the new tables."""
    op.add_column("runs", Column("archived_at", Double))
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
