"""Bytes are kept once within a run, by their digest, and are checked when they are read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator

import pytest
import sqlalchemy as sa

from feed import new_run
from stepscope.storage.blobs import INLINE_BYTES, delete_files, digest_of, get_blob, put_blob
from stepscope.storage.errors import BadInput, StoreDamaged
from stepscope.storage.schema import blobs
from stepscope.storage.write import Writer

SMALL, LARGE = os.urandom(1000), os.urandom(INLINE_BYTES + 1)


@pytest.fixture
def writer(store_url: str) -> Generator[Writer]:
    with Writer.open(store_url) as opened:
        yield opened


def put(writer: Writer, run_id: str, data: bytes) -> str:
    return writer.transact(lambda connection: put_blob(connection, writer.location, run_id, data))


def get(writer: Writer, run_id: str, digest: str) -> bytes:
    return writer.transact(lambda connection: get_blob(connection, writer.location, run_id, digest))


@pytest.mark.parametrize("data", [b"", b"x", SMALL, LARGE], ids=["empty", "one", "small", "large"])
def test_what_is_put_is_got(writer: Writer, data: bytes) -> None:
    run_id = new_run(writer).run_id
    digest = put(writer, run_id, data)
    assert digest == digest_of(data) == hashlib.sha256(data).hexdigest()
    assert get(writer, run_id, digest) == data


def test_the_same_bytes_are_kept_once_in_a_run(writer: Writer) -> None:
    one, other = new_run(writer).run_id, new_run(writer).run_id
    for run_id in (one, one, other):
        put(writer, run_id, SMALL)
        put(writer, run_id, LARGE)
    rows = sa.select(blobs.c.run_id, blobs.c.size)
    found = writer.transact(lambda connection: [tuple(row) for row in connection.execute(rows)])
    assert sorted(found) == sorted([(run, size) for run in (one, other) for size in (1000, len(LARGE))])


def test_large_bytes_lie_in_a_file_of_their_own(writer: Writer) -> None:
    run_id = new_run(writer).run_id
    digest = put(writer, run_id, LARGE)
    put(writer, run_id, SMALL)
    files = writer.location.files
    assert files is not None
    assert [path.name for path in (files / run_id).iterdir()] == [digest]
    delete_files(writer.location, run_id)
    with pytest.raises(StoreDamaged, match=rf"blob {digest} of run {run_id} is not what was stored"):
        get(writer, run_id, digest)
    delete_files(writer.location, run_id)


def test_bytes_that_changed_are_not_returned(writer: Writer) -> None:
    run_id = new_run(writer).run_id
    digest = put(writer, run_id, LARGE)
    assert writer.location.files is not None
    (writer.location.files / run_id / digest).write_bytes(LARGE[:-1] + b"?")
    with pytest.raises(StoreDamaged, match="is not what was stored"):
        get(writer, run_id, digest)


def test_an_unknown_digest_is_said_to_be_unknown(writer: Writer) -> None:
    run_id = new_run(writer).run_id
    with pytest.raises(StoreDamaged, match=f"run {run_id} has no blob {'0' * 64}"):
        get(writer, run_id, "0" * 64)


@pytest.mark.parametrize("digest", ["", "abc", "../../../etc/passwd", "G" * 64, "a" * 65, "a" * 63 + "\n"])
def test_what_is_no_digest_is_refused(writer: Writer, digest: str) -> None:
    with pytest.raises(BadInput, match="a digest has 64 hexadecimal digits, but"):
        get(writer, "RUN", digest)


def test_a_file_that_cannot_be_written_leaves_no_part(writer: Writer) -> None:
    run_id = new_run(writer).run_id
    files = writer.location.files
    assert files is not None
    (files / run_id / digest_of(LARGE)).mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        put(writer, run_id, LARGE)
    assert [path.name for path in (files / run_id).iterdir()] == [digest_of(LARGE)]
