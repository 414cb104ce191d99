"""How artifacts reach the tables: their parts become blobs of the run, and a name gets its next version.

`hashed` is called before the Writer's transaction, since it may read gigabytes; `entered` within it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from .artifact_files import (
    ArtifactFile,
    digest_of_files,
    discard_staged,
    files_from,
    hash_staged,
    staged_parts,
)
from .blobs import put_file
from .errors import StoreDamaged
from .kinds import EVENT, EncodedValue
from .location import StoreLocation
from .nested import mapping_of
from .schema import records, runs, series
from .write_journal import Batch
from .write_series import NewRecord


class _Version(NamedTuple):
    number: int
    digest: str


_LOST = "the copy of an artifact was gone"


def hashed(location: StoreLocation, run_id: str, batch: Batch) -> None:
    """Give the artifacts of a batch their digests; count those whose copies are gone.

    Raises:
        OSError: a copy cannot be read.
    """
    kept: list[NewRecord] = []
    for record in batch.records:
        try:
            kept.append(_hashed(location, run_id, record) if _is_staged(record) else record)
        except StoreDamaged:
            batch.drops[_LOST] = batch.drops.get(_LOST, 0) + 1
    batch.records = kept


def entered(
    connection: sa.Connection, location: StoreLocation, run_id: str, new: Sequence[NewRecord]
) -> list[NewRecord]:
    """Enter the parts of artifacts among the blobs, and return the records with versions."""
    newest: dict[str, _Version] = {}
    return [_entered(connection, location, run_id, one, newest) if _is_staged(one) else one for one in new]


def discard(location: StoreLocation, run_id: str, new: Sequence[NewRecord]) -> None:
    """Remove what waited for the transaction that is through."""
    for record in new:
        if _is_staged(record):
            discard_staged(location, run_id, record.encoded.meta["staged"])


def _is_staged(record: NewRecord) -> bool:
    return record.definition.kind == EVENT.name and "staged" in record.encoded.meta


def _hashed(location: StoreLocation, run_id: str, record: NewRecord) -> NewRecord:
    meta, body = record.encoded.meta, json.loads(record.encoded.data)
    files = hash_staged(location, run_id, meta["staged"], body["files"])
    facts = {"digest": digest_of_files(files), "size": sum(file.size for file in files), "files": len(files)}
    body["files"] = [asdict(file) for file in files]
    # In the order of the copies: the number of a file is its place.
    return record._replace(encoded=EncodedValue(json.dumps(body).encode(), {**meta, **facts}))


def _entered(
    connection: sa.Connection,
    location: StoreLocation,
    run_id: str,
    record: NewRecord,
    newest: dict[str, _Version],
) -> NewRecord:
    meta = dict(record.encoded.meta)
    name = str(meta["staged"])
    for number, file in enumerate(files_from(json.loads(record.encoded.data)["files"])):
        for digest, path in _parts(location, run_id, name, number, file):
            put_file(connection, location, run_id, digest, path)
    label, digest = record.definition.name, str(meta["digest"])
    last = newest.get(label) or _newest(connection, run_id, label)
    # The same content again is no new version.
    newest[label] = last if last.digest == digest else _Version(last.number + 1, digest)
    meta["version"] = newest[label].number
    # It tells whoever logged it which of several of one name is this one.
    meta["token"] = meta.pop("staged")
    return record._replace(encoded=EncodedValue(record.encoded.data, meta))


def _parts(
    location: StoreLocation, run_id: str, name: str, number: int, file: ArtifactFile
) -> list[tuple[str, Path]]:
    paths = staged_parts(location, run_id, name, number, len(file.parts))
    return list(zip(file.parts, paths, strict=True))


def _newest(connection: sa.Connection, run_id: str, name: str) -> _Version:
    """Return the newest version of a name in the run's project; one before the first when there is none."""
    project = sa.select(runs.c.project).where(runs.c.run_id == run_id).scalar_subquery()
    if connection.dialect.name == "postgresql":
        # Runs that log one name at once take turns; in SQLite they do so anyway.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(name))))
    of_series = (series.c.run_id == records.c.run_id) & (series.c.series_id == records.c.series_id)
    query = sa.select(records.c.meta).join(series, of_series).join(runs, runs.c.run_id == records.c.run_id)
    query = query.where(runs.c.project == project, series.c.kind == EVENT.name, series.c.name == name)
    metas = [mapping_of(text) for text in connection.execute(query).scalars()]
    known = [_Version(int(meta.get("version", -1)), str(meta.get("digest"))) for meta in metas]
    return max(known, default=_Version(-1, ""))
