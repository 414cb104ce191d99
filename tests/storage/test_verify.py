"""Verification names what was damaged: each test spoils one thing in a store and reads the sentence."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

import stepscope
from contracts.filled_store import fill
from feed import Feed, new_run
from stepscope.storage.chunks import CHUNK_POINTS, Columns, pack
from stepscope.storage.drain import recover_orphans
from stepscope.storage.maintain import journals_of
from stepscope.storage.read import Reader
from stepscope.storage.schema import (
    blobs,
    chunks,
    journals,
    pyramid,
    records,
    run_tags,
    runs,
    series,
    streams,
    tails,
    totals,
)
from stepscope.storage.verify import Verified, verify
from stepscope.storage.write import Writer
from stepscope.trackers.media import Histogram, Image, Text


@pytest.fixture
def writer(each_store_url: str) -> Generator[Writer]:
    with Writer.open(each_store_url) as opened:
        yield opened


def look(writer: Writer) -> Verified:
    with Reader.open(writer.location.url) as reader:
        return verify(reader)


def said(writer: Writer) -> list[str]:
    return [str(fault) for fault in look(writer).faults]


def change(writer: Writer, statement: sa.UpdateBase) -> None:
    """Spoil something; it must be there."""
    assert writer.transact(lambda connection: connection.execute(statement).rowcount) > 0


def some_run(writer: Writer, points: int = 10_000) -> str:
    """Store two series, texts and images; return the run's id."""
    run_id = new_run(writer).run_id
    feed = Feed(writer, run_id)
    rng = np.random.default_rng(0)
    feed.points("noise", rng.normal(size=points))
    feed.points("steps", np.arange(points))
    for step in range(3):
        feed.value("words", step, Text(f"step {step}"))
        feed.value("picture", step, Image(rng.integers(0, 255, (8, 8), np.uint8)))
    feed.end()
    return run_id


def test_a_sound_store_has_no_faults(writer: Writer) -> None:
    fill(writer.location.url)
    run_id = some_run(writer)
    feed = Feed(writer, run_id)
    feed.points("noise", [1.0, np.nan, np.inf], steps=[5, 4, 3])
    feed.store()
    found = look(writer)
    assert found.faults == ()
    assert found.ok
    assert (found.runs, found.journals) == (2, 1)
    assert found.points > 20_003
    assert found.records > 6
    assert found.blobs > 3
    feed.end()


def test_a_store_into_which_others_log_is_sound(writer: Writer) -> None:
    ended = threading.Event()
    run_id = new_run(writer).run_id

    def write() -> None:
        with Writer.open(writer.location.url) as own:
            step = 0
            while not ended.is_set() or not step:
                feed = Feed(own, run_id)
                for _ in range(5):
                    feed.points("loss", np.random.default_rng(step).normal(size=700), range(step, step + 700))
                    feed.value("words", step, Text(f"step {step}"))
                    feed.store()
                    step += 700
                feed.end()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        seen = [look(writer) for _ in range(5)]
    finally:
        ended.set()
        thread.join()
    assert [fault for found in seen for fault in found.faults] == []
    assert look(writer).points > 3000


ADVICE = "Put back a backup, copy the run anew with stepscope sync, or delete it with stepscope rm"

DAMAGE: dict[str, tuple[Callable[[str], sa.UpdateBase], str]] = {
    "a chunk was deleted": (
        lambda _: sa.delete(chunks).where(chunks.c.chunk_no == 1),
        "series 'noise': chunk 1 is missing",
    ),
    "all chunks were deleted": (lambda _: sa.delete(chunks), "'steps': all its chunks are missing"),
    "a chunk is no chunk": (
        lambda _: sa.update(chunks).where(chunks.c.chunk_no == 0).values(data=b"rubbish"),
        "series 'noise': chunk 0 cannot be read",
    ),
    "a chunk was replaced by a shorter one": (
        lambda _: (
            sa.update(chunks)
            .where(chunks.c.chunk_no == 0)
            .values(data=pack(Columns(np.arange(3), np.arange(3.0), np.arange(3.0))))
        ),
        f"chunk 0 holds 3 points where {CHUNK_POINTS} points belong",
    ),
    "other points are in a full chunk": (
        lambda _: (
            sa.update(chunks)
            .where(chunks.c.chunk_no == 0)
            .values(data=pack(Columns(np.arange(CHUNK_POINTS), np.ones(CHUNK_POINTS), np.ones(CHUNK_POINTS))))
        ),
        "series 'noise': level 0 of its pyramid does not agree with its points",
    ),
    "the pyramid was deleted": (
        lambda _: sa.delete(pyramid),
        "series 'steps': level 0 of its pyramid does not agree with its points",
    ),
    "a node of the pyramid is none": (
        lambda _: sa.update(pyramid).where(pyramid.c.level == 1).values(data=b"\1"),
        "series 'noise': level 1 of its pyramid cannot be read",
    ),
    "the streams were deleted": (
        lambda _: sa.delete(streams),
        "chunk 0 holds 4096 points where no points belong",
    ),
    "the totals were deleted": (
        lambda _: sa.delete(totals),
        "series 'noise': 0 values are told, but 10000 are there",
    ),
    "the totals were cut short": (
        lambda _: sa.update(totals).values(data=b"\1" * 10),
        "the totals of its journal 0: were cut short",
    ),
    "a record was deleted": (
        lambda _: sa.delete(records).where(records.c.seq == 1),
        "series 'words': its records 1 to 1 are missing",
    ),
    "a record is not what its kind takes": (
        lambda _: (
            sa.update(records)
            .where(records.c.payload.is_not(None), records.c.seq == 0)
            .values(payload=b"\xff", checksum=None)  # as an older Stepscope stored it
        ),
        "series 'words': its record of step 0 cannot be read: a text of 1 bytes is not UTF-8",
    ),
    "a letter of a text is another one": (
        lambda _: sa.update(records).where(records.c.payload == b"step 1").values(payload=b"step 0"),
        "series 'words': its record of step 1 is not what was stored: its checksum differs",
    ),
    "a fact of an image is another one": (
        lambda _: (
            sa.update(records)
            .where(records.c.digest.is_not(None), records.c.seq == 2)
            .values(meta='{"width": 9}')
        ),
        "series 'picture': its record of step 2 is not what was stored: its checksum differs",
    ),
    "a record has another step": (
        lambda _: sa.update(records).where(records.c.payload == b"step 1").values(step=7),
        "series 'words': its record of step 7 is not what was stored: its checksum differs",
    ),
    "a record has no value": (
        lambda _: sa.update(records).where(records.c.payload.is_not(None)).values(payload=None),
        "series 'words': its record of step 0 has neither a value nor a blob",
    ),
    "a record's facts are no JSON": (
        lambda _: sa.update(records).where(records.c.seq == 2).values(meta="{"),
        "its record of step 2 has facts that are not JSON",
    ),
    "the blobs were deleted": (
        lambda _: sa.delete(blobs),
        "series 'picture': its record of step 0 names the blob",
    ),
    "the blobs were changed": (
        lambda _: sa.update(blobs).values(data=b"something else"),
        ": does not hold the bytes that were stored",
    ),
    "a size is wrong": (lambda _: sa.update(blobs).values(size=7), "bytes, but 7 are told"),
    "the config is no JSON": (lambda _: sa.update(runs).values(config="{"), "its config: is not JSON"),
    "the state is none": (lambda _: sa.update(runs).values(state="finkshed"), "its state: is 'finkshed'"),
    "the series were deleted": (lambda _: sa.delete(series), "has no row in the table series"),
    "the journals were deleted": (
        lambda _: sa.delete(journals),
        "it: has no journal 0, whose rows lie in the table chunks",
    ),
    "there are rows of no run": (
        lambda _: sa.insert(run_tags).values(run_id="NOBODY", tag="x"),
        "the table run_tags: has 1 rows of runs that are not there. Remove them: stepscope compact",
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_what_was_damaged_in_the_database_is_named(what: str, store_url: str) -> None:
    with Writer.open(store_url) as writer:
        run_id = some_run(writer)
        spoil, message = DAMAGE[what]
        change(writer, spoil(run_id))
        found = said(writer)
        assert any(message in sentence for sentence in found), found
        assert run_id in found[0] or "run_tags" in found[0]
        assert not look(writer).ok


@pytest.mark.parametrize("column", ["payload", "meta"])
def test_any_bit_of_a_small_value_that_is_flipped_is_noticed(column: str, store_url: str) -> None:
    rng = np.random.default_rng(0)
    with Writer.open(store_url) as writer:
        feed = Feed(writer, new_run(writer).run_id)
        feed.value("weights", 0, Histogram(rng.normal(size=1000)))
        feed.end()
        assert look(writer).faults == ()
    with closing(sqlite3.connect(store_url, isolation_level=None)) as connection:
        (stored,) = connection.execute(f"SELECT CAST({column} AS BLOB) FROM records").fetchone()
        to = "?" if column == "payload" else "CAST(? AS TEXT)"
        for bit in rng.choice(len(stored) * 8, 12, replace=False).tolist():
            spoilt = bytearray(stored)
            spoilt[bit // 8] ^= 1 << bit % 8
            connection.execute(f"UPDATE records SET {column} = {to}", [bytes(spoilt)])
            with Reader.open(store_url) as reader:
                assert not verify(reader).ok, bit


def test_a_damaged_run_hides_no_other(writer: Writer) -> None:
    sound, damaged = some_run(writer), some_run(writer)
    spoilt = {"config": '{"a": ', "summary": "[1]", "environment": "{", "state": "finkshed"}
    change(writer, sa.update(runs).where(runs.c.run_id == damaged).values(spoilt))
    change(writer, sa.update(series).where(series.c.run_id == damaged).values(context="{"))
    change(writer, sa.delete(series).where(series.c.name == "steps"))
    change(writer, sa.update(records).where(records.c.run_id == damaged).values(meta="{"))
    with stepscope.open(writer.location.url) as store:
        left, right = store.run(sound), store.run(damaged)
        assert (right.config, right.summary, right.environment) == ({}, {}, {})
        assert right.state == "killed"
        assert left.state == "running"
        assert [*left.last] == [*right.last] == ["noise"]
        assert len(store.runs()) == 2
        assert [one.context for one in right.series()] == [{}] * len(right.series())
        assert right.records("picture")[0].meta == {}


def test_a_fault_says_what_to_do(writer: Writer) -> None:
    run_id = some_run(writer)
    change(writer, sa.delete(chunks).where(chunks.c.chunk_no == 1, chunks.c.series_id > 0))
    found = look(writer).faults
    assert {fault.run_id for fault in found} == {run_id}
    assert str(found[0]).startswith(f"run {run_id}, series '")
    assert str(found[0]).endswith(f"chunk 1 is missing. {ADVICE}")
    # The totals cannot agree then, which is no news.
    assert len(found) == 2


def test_a_tail_that_was_cut_short_is_named(writer: Writer) -> None:
    run_id = new_run(writer).run_id
    feed = Feed(writer, run_id)
    feed.points("loss", [1.0, 2.0, 3.0])
    feed.store()
    assert said(writer) == []
    change(writer, sa.update(tails).values(data=b"\1\0\0\0"))
    (sentence,) = said(writer)
    assert sentence.startswith(f"run {run_id}, its newest points: a tail of ")
    change(writer, sa.delete(tails))
    assert "series 'loss': 3 values are told, but 0 are there" in said(writer)[0]
    feed.journal.close()


@pytest.mark.parametrize("table", [chunks, pyramid, tails], ids=lambda table: table.name)
def test_a_flipped_bit_anywhere_is_noticed(store_url: str, table: sa.Table) -> None:
    with Writer.open(store_url) as writer:
        feed = Feed(writer, new_run(writer).run_id)
        feed.points("noise", np.random.default_rng(0).normal(size=CHUNK_POINTS + 100))
        feed.store()
        row = writer.transact(lambda connection: connection.execute(sa.select(table).limit(1)).one())
        mine = sa.and_(*(column == row[place] for place, column in enumerate(table.primary_key)))
        for place in np.random.default_rng(1).integers(0, 8 * len(row.data), 12).tolist():
            spoilt = bytearray(row.data)
            # Of the first four bytes, two or three are not used.
            spoilt[max(place // 8, 4)] ^= 1 << place % 8
            change(writer, sa.update(table).where(mine).values(data=bytes(spoilt)))
            assert said(writer), f"byte {place // 8} of {len(spoilt)}, bit {place % 8}"
        change(writer, sa.update(table).where(mine).values(data=row.data))
        assert said(writer) == []
        feed.journal.close()


def test_large_files_are_read_and_those_of_no_run_are_named(store_url: str) -> None:
    with Writer.open(store_url) as writer:
        run_id = new_run(writer).run_id
        feed = Feed(writer, run_id)
        feed.value("large", 0, Image(np.random.default_rng(0).integers(0, 255, (900, 900, 3), np.uint8)))
        feed.end()
        assert writer.location.files is not None
        (path,) = (writer.location.files / run_id).iterdir()
        data = bytearray(path.read_bytes())
        data[1000] ^= 1
        path.write_bytes(data)
        assert said(writer)[0] == (
            f"run {run_id}, the file {path}: does not hold the bytes that were stored. {ADVICE}"
        )
        path.unlink()
        assert f"the file {path}: is missing" in said(writer)[0]
        rubbish = writer.location.files / run_id / "rubbish"
        rubbish.write_bytes(b"x")
        # It may be on its way into the store.
        assert len(said(writer)) == 1
        os.utime(rubbish, (time.time() - 3600,) * 2)
        assert said(writer)[1] == (
            f"the file {rubbish}: belongs to nothing in the store. Remove them: stepscope compact"
        )


def test_a_journal_that_cannot_be_read_is_named(store_url: str) -> None:
    with Writer.open(store_url) as writer:
        feed = Feed(writer, new_run(writer).run_id)
        feed.points("loss", [1.0, 2.0])
        feed.journal.close()
        assert said(writer) == []
        (folder,) = journals_of(writer.location)
        (segment,) = folder.glob("points-*.seg")
        size = segment.stat().st_size
        segment.write_bytes(b"rubbish".ljust(size, b"!"))
        (sentence,) = said(writer)
        assert sentence.startswith(f"the journal {folder}: {segment} is not a segment of a journal")
        assert recover_orphans(writer) == []  # which leaves it where it is
        (folder / "journal.json").write_text(json.dumps({"run_id": 1}))
        (sentence,) = said(writer)
        assert sentence.startswith(f"the journal {folder}: ")
        assert "journal.json does not describe a journal" in sentence


def test_a_page_of_the_database_that_was_overwritten_is_named(store_url: str) -> None:
    with Writer.open(store_url) as writer:
        some_run(writer, 100_000)
    with closing(sqlite3.connect(store_url)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'chunks'"
        (root,) = connection.execute(query).fetchone()
    with Path(store_url).open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    with Reader.open(store_url) as reader:
        found = [str(fault) for fault in verify(reader).faults]
    assert found[0].startswith(f"the database {store_url}: ")
    assert "malformed" in "".join(found) or "chunks" in "".join(found)
