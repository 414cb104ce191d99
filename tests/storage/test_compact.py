"""Compacting, over a SQLite file and a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Generator

import numpy as np
import pytest
import sqlalchemy as sa

from contracts.filled_store import fill
from feed import Feed, new_run, series_of
from stepscope.storage.chunks import CHUNK_POINTS
from stepscope.storage.compact import compact
from stepscope.storage.content import RunContent, content_of
from stepscope.storage.maintain import delete_run
from stepscope.storage.read import Reader
from stepscope.storage.schema import chunks, runs, tails
from stepscope.storage.verify import verify
from stepscope.storage.write import Writer


@pytest.fixture
def writer(each_store_url: str) -> Generator[Writer]:
    with Writer.open(each_store_url) as opened:
        yield opened


@pytest.fixture
def reader(writer: Writer) -> Generator[Reader]:
    with Reader.open(writer.location.url) as opened:
        yield opened


def content(reader: Reader, run_id: str) -> RunContent:
    return reader.ask(lambda connection: content_of(connection, reader.location, run_id))


def in_pieces(writer: Writer) -> tuple[str, Feed]:
    """Store two series in many small flushes; return the run and its open journal."""
    run_id = new_run(writer).run_id
    feed = Feed(writer, run_id)
    rng = np.random.default_rng(0)
    for start in range(0, 6000, 500):
        steps = np.arange(start, start + 500)
        feed.points("noise", rng.normal(size=500), steps=steps)
        feed.points("sine", np.sin(steps), steps=steps)
        feed.store()
    return run_id, feed


def abandon(writer: Writer, feed: Feed) -> None:
    """End a journal as a machine does whose disk is gone: what it stored is not merged."""
    feed.journal.close()
    shutil.rmtree(feed.journal.folder)
    quiet = sa.update(runs).values(updated_at=time.time() - 3600)
    writer.transact(lambda connection: connection.execute(quiet))


def count(writer: Writer, table: sa.Table) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return writer.transact(lambda connection: connection.execute(query).scalar() or 0)


def test_pieces_become_full_chunks_and_nothing_else_changes(writer: Writer, reader: Reader) -> None:
    run_id, feed = in_pieces(writer)
    abandon(writer, feed)
    before = content(reader, run_id)
    assert count(writer, tails)
    done = compact(writer)
    assert (done.merged, done.left) == (1, 0)
    assert count(writer, tails) == 0
    assert count(writer, chunks) == 2 * -(-6000 // CHUNK_POINTS)
    assert content(reader, run_id) == before
    assert before.points == 12_000
    assert verify(reader).faults == ()
    assert compact(writer).merged == 0


def test_what_may_still_grow_is_left_alone(writer: Writer, reader: Reader) -> None:
    run_id, feed = in_pieces(writer)
    done = compact(writer)
    assert (done.merged, done.left) == (0, 1)
    feed.points("noise", [1.5], steps=[6000])
    feed.end()
    assert reader.points(series_of(reader, run_id, "noise")).total == 6001
    assert verify(reader).faults == ()


def test_what_dead_processes_left_is_stored_first(writer: Writer, reader: Reader) -> None:
    run = new_run(writer)
    feed = Feed(writer, run.run_id)
    feed.points("loss", [1.0, 2.0, 3.0])
    feed.journal.close()
    assert compact(writer).recovered == (run.run_id,)
    assert series_of(reader, run.run_id, "loss").count == 3


def test_rows_and_files_of_no_run_are_removed(writer: Writer, reader: Reader) -> None:
    kept = fill(writer.location.url, "kept")
    gone = fill(writer.location.url, "gone")
    only_the_run = sa.delete(runs).where(runs.c.run_id == gone)
    writer.transact(lambda connection: connection.execute(only_the_run))
    before = content(reader, kept)
    if writer.location.files is not None:
        for folder in (kept, gone):
            (writer.location.files / folder).mkdir(parents=True, exist_ok=True)
            (writer.location.files / folder / ("0" * 64)).write_bytes(b"rubbish")
    done = compact(writer)
    assert done.rows_removed > 10
    assert done.files_removed == (0 if writer.location.files is None else 2)
    assert content(reader, kept) == before
    assert verify(reader).faults == ()


def test_the_space_of_deleted_runs_goes_back_to_the_disk(writer: Writer, reader: Reader) -> None:
    kept, gone = fill(writer.location.url, "kept"), new_run(writer).run_id
    feed = Feed(writer, gone)
    feed.points("noise", np.random.default_rng(0).normal(size=300_000))
    feed.end()
    before = content(reader, kept)
    delete_run(writer, gone, force=True)
    done = compact(writer)
    assert done.shrunk
    if writer.location.path is not None:
        assert done.bytes_after < done.bytes_before - 2_000_000
        assert not os.path.getsize(f"{writer.location.path}-wal")
        assert not compact(writer).shrunk
    assert content(reader, kept) == before


def test_others_log_meanwhile(writer: Writer, reader: Reader) -> None:
    run_id = new_run(writer).run_id
    ended = threading.Event()
    steps = 0

    def write() -> None:
        nonlocal steps
        with Writer.open(writer.location.url) as own:
            feed = Feed(own, run_id)
            while not ended.is_set() or steps < 50:
                feed.points("loss", [float(steps)], steps=[steps])
                feed.store()
                steps += 1
            feed.end()

    gone = new_run(writer).run_id
    feed = Feed(writer, gone)
    feed.points("noise", np.random.default_rng(0).normal(size=300_000))
    feed.end()
    delete_run(writer, gone, force=True)
    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(3):
            compact(writer)
    finally:
        ended.set()
        thread.join()
    assert reader.points(series_of(reader, run_id, "loss")).last.tolist() == list(map(float, range(steps)))
    assert verify(reader).faults == ()
