"""Content-addressed bytes of a run.

Up to 1 MiB they lie in the database, so that a small store is one file; larger ones in
`<store>.files/<run>/<digest>`, so that the database stays quick to back up and to compact.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from pathlib import Path

import sqlalchemy as sa

from .artifact_files import staging_place
from .durable import written
from .errors import BadInput, StoreDamaged
from .location import StoreLocation
from .schema import blobs

INLINE_BYTES = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")
# Made once: to make a statement costs more than to run it, and imports bring thousands of pictures.
_SIZE = sa.select(blobs.c.size).where(
    blobs.c.run_id == sa.bindparam("of_run"), blobs.c.digest == sa.bindparam("wanted")
)
_ADD = sa.insert(blobs)


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of the bytes, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def put_blob(connection: sa.Connection, location: StoreLocation, run_id: str, data: bytes) -> str:
    """Store bytes once within a run and return their digest. Raises OSError on a full disk."""
    digest = digest_of(data)
    if connection.execute(_SIZE, {"of_run": run_id, "wanted": digest}).first() is not None:
        return digest
    outside = location.files is not None and len(data) > INLINE_BYTES
    if location.files is not None and outside:
        _write_file(location.files / run_id / digest, data)
    row = {"run_id": run_id, "digest": digest, "size": len(data), "data": None if outside else data}
    connection.execute(_ADD, row)
    return digest


def put_file(
    connection: sa.Connection, location: StoreLocation, run_id: str, digest: str, path: Path
) -> None:
    """Store the bytes of a file, whose digest is known, once within a run; a large one is moved into place.

    Raises:
        OSError: the file is gone, or the disk is full.
    """
    key = (blobs.c.run_id == run_id) & (blobs.c.digest == digest)
    if connection.execute(sa.select(blobs.c.size).where(key)).first() is not None:
        return
    target = None if location.files is None else location.files / run_id / digest
    if target is not None and target.exists():
        size = target.stat().st_size  # moved by a transaction that failed afterwards
    else:
        size = path.stat().st_size
        if target is None or size <= INLINE_BYTES:
            put_blob(connection, location, run_id, path.read_bytes())
            return
        path.replace(target)
    written(target)
    row = {"run_id": run_id, "digest": digest, "size": size, "data": None}
    connection.execute(sa.insert(blobs), row)


def get_blob(connection: sa.Connection, location: StoreLocation, run_id: str, digest: str) -> bytes:
    """Return the bytes of a digest.

    Raises:
        BadInput: when the digest is not 64 hexadecimal digits.
        StoreDamaged: when the bytes are not there or are not those that were stored.
    """
    if not _DIGEST.fullmatch(digest):
        raise BadInput(f"a digest has 64 hexadecimal digits, but {digest[:80]!r} was given")
    key = (blobs.c.run_id == run_id) & (blobs.c.digest == digest)
    row = connection.execute(sa.select(blobs.c.data).where(key)).first()
    if row is None:
        raise StoreDamaged(f"run {run_id} has no blob {digest}")
    data = row.data
    if data is None and location.files is not None:
        data = _read_file(location.files / run_id / digest)
    if data is None or digest_of(data) != digest:
        raise StoreDamaged(f"blob {digest} of run {run_id} is not what was stored")
    return bytes(data)


def delete_files(location: StoreLocation, run_id: str) -> None:
    """Remove the large blobs of a run, and what waits to become some."""
    shutil.rmtree(staging_place(location) / run_id, ignore_errors=True)


def _write_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Renamed into place, so that a kill leaves no half file under a valid name.
    partial = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        partial.write_bytes(data)
        partial.rename(path)
        written(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def _read_file(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
