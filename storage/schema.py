"""The tables. Every key begins with run_id, so that a database can be sharded by it.

Steps are int64, times float64 seconds since the epoch, JSON lies in text columns (PostgreSQL's jsonb
refuses NaN and infinity). A change here needs a step in migrations/versions.
"""

from __future__ import annotations

import re

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class PlainText(TypeDecorator[str]):
    """Text that every database takes.

    PostgreSQL refuses NUL, both databases refuse halves of a surrogate pair: a command line that is
    not UTF-8 has some. They become the replacement character.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return what the database can hold."""
        return None if value is None else _UNSTORABLE.sub("\ufffd", value)


metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(10), primary_key=True),
    Column("project", PlainText, nullable=False),
    Column("name", PlainText, nullable=False),
    Column("group_name", PlainText),
    Column("notes", PlainText, nullable=False, default=""),
    Column("state", String(16), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("finished_at", Double),
    Column("host", PlainText, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("framework", PlainText),
    Column("attempt", Integer, nullable=False),
    Column("config", PlainText, nullable=False),
    Column("summary", PlainText, nullable=False),
    Column("environment", PlainText, nullable=False),
    Column("error", PlainText),
    # When the run was archived: it is hidden from listings then, and nothing else changes.
    Column("archived_at", Double),
    Index("runs_by_project", "project", "created_at"),
    Index("runs_by_update", "updated_at"),
)

run_tags = Table(
    "run_tags",
    metadata,
    Column("run_id", String(10), primary_key=True),
    Column("tag", PlainText, primary_key=True),
)

attempts = Table(
    "attempts",
    metadata,
    Column("run_id", String(10), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("started_at", Double, nullable=False),
    Column("host", PlainText, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("first_step", BigInteger),
)

# How far each journal has been read; committed together with what was read: exactly once.
journals = Table(
    "journals",
    metadata,
    Column("run_id", String(10), primary_key=True),
    Column("journal_no", Integer, primary_key=True, autoincrement=False),
    Column("name", PlainText, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("points_segment", BigInteger, nullable=False),
    Column("points_offset", BigInteger, nullable=False),
    Column("values_segment", BigInteger, nullable=False),
    Column("values_offset", BigInteger, nullable=False),
    # Raised when somebody else than its writer changes what the journal has stored.
    Column("edition", Integer, nullable=False, server_default="0"),
    Index("journals_by_name", "run_id", "name", unique=True),
)

# Written once and never changed: counts and last values are in `totals`.
series = Table(
    "series",
    metadata,
    Column("run_id", String(10), primary_key=True),
    # A hash of kind, name and context: processes that write one run need not agree on numbers.
    Column("series_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", PlainText, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("context", PlainText, nullable=False),
)

chunks = Table(
    "chunks",
    metadata,
    Column("run_id", String(10), primary_key=True),
    Column("series_id", BigInteger, primary_key=True, autoincrement=False),
    Column("journal_no", Integer, primary_key=True, autoincrement=False),
    Column("chunk_no", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

# What one journal holds of one series: `full_chunks` chunks of CHUNK_POINTS, and then smaller ones, whose
# numbers of points are listed in `parts`. Together they are the first points that the journal logged of it.
streams = Table(
    "streams",
    metadata,
    Column("run_id", String(10), primary_key=True),
    Column("series_id", BigInteger, primary_key=True, autoincrement=False),
    Column("journal_no", Integer, primary_key=True, autoincrement=False),
    Column("full_chunks", Integer, nullable=False),
    Column("parts", PlainText, nullable=False),
)

# Summaries of the points of full chunks, on several levels (see pyramid.py).
pyramid = Table(
    "pyramid",
    metadata,
    Column("run_id", String(10), primary_key=True),
    Column("series_id", BigInteger, primary_key=True, autoincrement=False),
    Column("journal_no", Integer, primary_key=True, autoincrement=False),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("node_no", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

# Points of many series that are too few for chunks as yet: one row a flush, merged now and then.
tails = Table(
    "tails",
    metadata,
    Column("run_id", String(10), primary_key=True),
    Column("journal_no", Integer, primary_key=True, autoincrement=False),
    Column("batch_no", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

# Counts, extremes and last values of the series of a journal: one row for up to a thousand of them.
totals = Table(
    "totals",
    metadata,
    Column("run_id", String(10), primary_key=True),
    Column("journal_no", Integer, primary_key=True, autoincrement=False),
    Column("shard_no", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

records = Table(
    "records",
    metadata,
    Column("run_id", String(10), primary_key=True),
    Column("series_id", BigInteger, primary_key=True, autoincrement=False),
    Column("journal_no", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("step", BigInteger, nullable=False),
    Column("time", Double, nullable=False),
    Column("meta", PlainText, nullable=False),
    Column("payload", LargeBinary),
    Column("digest", String(64)),
    # See record_checksum.py; NULL in what was stored before there was one: it cannot be checked.
    Column("checksum", BigInteger),
    Index("records_by_step", "run_id", "series_id", "step"),
)

blobs = Table(
    "blobs",
    metadata,
    Column("run_id", String(10), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    # NULL when the bytes lie in a file of their own (see blobs.py).
    Column("data", LargeBinary),
)

drops = Table(
    "drops",
    metadata,
    Column("run_id", String(10), primary_key=True),
    Column("journal_no", Integer, primary_key=True, autoincrement=False),
    Column("reason", PlainText, primary_key=True),
    Column("drop_count", BigInteger, nullable=False),
)
