"""The first schema.

A migration never imports schema.py: it must keep creating what that revision had.
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, String, Text

revision = "001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "runs",
        Column("run_id", String(10), primary_key=True),
        Column("project", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("group_name", Text),
        Column("notes", Text, nullable=False),
        Column("state", String(16), nullable=False),
        Column("created_at", Double, nullable=False),
        Column("updated_at", Double, nullable=False),
        Column("finished_at", Double),
        Column("host", Text, nullable=False),
        Column("pid", Integer, nullable=False),
        Column("framework", Text),
        Column("attempt", Integer, nullable=False),
        Column("config", Text, nullable=False),
        Column("summary", Text, nullable=False),
        Column("environment", Text, nullable=False),
        Column("error", Text),
        Index("runs_by_project", "project", "created_at"),
        Index("runs_by_update", "updated_at"),
    )
    op.create_table(
        "run_tags",
        Column("run_id", String(10), primary_key=True),
        Column("tag", Text, primary_key=True),
    )
    op.create_table(
        "attempts",
        Column("run_id", String(10), primary_key=True),
        Column("attempt", Integer, primary_key=True, autoincrement=False),
        Column("started_at", Double, nullable=False),
        Column("host", Text, nullable=False),
        Column("pid", Integer, nullable=False),
        Column("first_step", BigInteger),
    )
    op.create_table(
        "journals",
        Column("run_id", String(10), primary_key=True),
        Column("journal_no", Integer, primary_key=True, autoincrement=False),
        Column("name", Text, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("points_segment", BigInteger, nullable=False),
        Column("points_offset", BigInteger, nullable=False),
        Column("values_segment", BigInteger, nullable=False),
        Column("values_offset", BigInteger, nullable=False),
        Index("journals_by_name", "run_id", "name", unique=True),
    )
    op.create_table(
        "series",
        Column("run_id", String(10), primary_key=True),
        Column("series_id", BigInteger, primary_key=True, autoincrement=False),
        Column("name", Text, nullable=False),
        Column("kind", String(32), nullable=False),
        Column("context", Text, nullable=False),
        Column("count", BigInteger, nullable=False),
        Column("last_step", BigInteger),
        Column("last_time", Double),
        Column("last_value", Double),
        Column("min_value", Double),
        Column("max_value", Double),
        Column("nan_count", BigInteger, nullable=False),
        Column("posinf_count", BigInteger, nullable=False),
        Column("neginf_count", BigInteger, nullable=False),
    )
    op.create_table(
        "chunks",
        Column("run_id", String(10), primary_key=True),
        Column("series_id", BigInteger, primary_key=True, autoincrement=False),
        Column("journal_no", Integer, primary_key=True, autoincrement=False),
        Column("chunk_no", Integer, primary_key=True, autoincrement=False),
        Column("data", LargeBinary, nullable=False),
    )
    op.create_table(
        "summaries",
        Column("run_id", String(10), primary_key=True),
        Column("series_id", BigInteger, primary_key=True, autoincrement=False),
        Column("journal_no", Integer, primary_key=True, autoincrement=False),
        Column("chunk_no", Integer, primary_key=True, autoincrement=False),
        Column("point_count", Integer, nullable=False),
        Column("min_step", BigInteger, nullable=False),
        Column("max_step", BigInteger, nullable=False),
        Column("last_time", Double, nullable=False),
        Column("finite_count", Integer, nullable=False),
        Column("min_value", Double),
        Column("max_value", Double),
        Column("sum_value", Double),
        Column("last_value", Double),
        Column("nan_count", Integer, nullable=False),
        Column("posinf_count", Integer, nullable=False),
        Column("neginf_count", Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "records",
        Column("run_id", String(10), primary_key=True),
        Column("series_id", BigInteger, primary_key=True, autoincrement=False),
        Column("journal_no", Integer, primary_key=True, autoincrement=False),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        Column("step", BigInteger, nullable=False),
        Column("time", Double, nullable=False),
        Column("meta", Text, nullable=False),
        Column("payload", LargeBinary),
        Column("digest", String(64)),
        Index("records_by_step", "run_id", "series_id", "step"),
    )
    op.create_table(
        "blobs",
        Column("run_id", String(10), primary_key=True),
        Column("digest", String(64), primary_key=True),
        Column("size", BigInteger, nullable=False),
        Column("data", LargeBinary),
    )
    op.create_table(
        "drops",
        Column("run_id", String(10), primary_key=True),
        Column("journal_no", Integer, primary_key=True, autoincrement=False),
        Column("reason", Text, primary_key=True),
        Column("drop_count", BigInteger, nullable=False),
    )
