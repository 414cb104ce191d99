"""Statements that insert a row, or replace it: each database has its own words for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

from .schema import pyramid, streams, totals

if TYPE_CHECKING:
    import sqlalchemy as sa


def upsert(connection: sa.Connection, table: sa.Table) -> sa.Insert:
    """Return the statement for one of the tables that are written again and again."""
    return _UPSERTS[connection.dialect.name, table.name]


def _upsert_of(dialect: Any, table: sa.Table) -> sa.Insert:
    insert = dialect.insert(table)
    changed = {c.name: insert.excluded[c.name] for c in table.c if not c.primary_key}
    return insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)


_UPSERTS: dict[tuple[str, str], sa.Insert] = {
    (name, table.name): _upsert_of(dialect, table)
    for name, dialect in (("postgresql", postgresql), ("sqlite", sqlite))
    for table in (pyramid, streams, totals)
}
