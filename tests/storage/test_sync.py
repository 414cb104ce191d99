"""Runs from store to store: between SQLite and PostgreSQL, in both directions."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from contracts.filled_store import fill
from feed import Feed, new_run, series_of
from stepscope.storage import sync
from stepscope.storage.compact import compact
from stepscope.storage.content import RunContent, content_of
from stepscope.storage.errors import BadInput, StoreDamaged, StoreError
from stepscope.storage.location import locate
from stepscope.storage.maintain import archive_run, recover_if_possible, rename_run
from stepscope.storage.read import Reader
from stepscope.storage.schema import blobs, chunks, metadata, records, runs
from stepscope.storage.sync import Outcome, Synced, check_places, sync_run
from stepscope.storage.verify import verify
from stepscope.storage.write import Batch, Writer
from stepscope.trackers.media import Image, Text

DIRECTIONS = [
    "sqlite to sqlite",
    pytest.param("sqlite to postgresql", marks=pytest.mark.postgres),
    pytest.param("postgresql to sqlite", marks=pytest.mark.postgres),
]


class Pair:
    """Two stores, each open for reading and writing."""

    def __init__(self, source: str, destination: str) -> None:
        self.writer, self.there = Writer.open(source), Writer.open(destination)
        self.reader, self.reader_there = Reader.open(source), Reader.open(destination)

    def sync(self, run_id: str) -> Synced:
        return sync_run(self.reader, self.there, self.reader.run(run_id))

    def contents(self, run_id: str) -> tuple[RunContent, RunContent]:
        here, there = (
            reader.ask(lambda connection, reader=reader: content_of(connection, reader.location, run_id))
            for reader in (self.reader, self.reader_there)
        )
        return here, there

    def faults(self) -> list[str]:
        return [str(fault) for fault in verify(self.reader_there).faults]

    def close(self) -> None:
        for one in (self.writer, self.there, self.reader, self.reader_there):
            one.close()


@pytest.fixture(params=DIRECTIONS)
def pair(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Pair]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    urls = [
        request.getfixturevalue("postgres_url") if place == "postgresql" else str(tmp_path / f"{number}.db")
        for number, place in enumerate(request.param.split(" to "))
    ]
    made = Pair(*urls)
    yield made
    made.close()


@pytest.fixture
def sqlite_pair(tmp_path: Path) -> Generator[Pair]:
    made = Pair(str(tmp_path / "a.db"), str(tmp_path / "b.db"))
    yield made
    made.close()


def log_more(feed: Feed, start: int, count: int = 5000) -> None:
    """Log numbers, odd ones among them, texts and an image too large for the database."""
    rng = np.random.default_rng(start)
    steps = np.arange(start, start + count)
    feed.points("noise", rng.normal(size=count), steps=steps)
    feed.points("odd", [np.nan, np.inf, -np.inf, 1e300], steps=range(start, start + 4))
    feed.value("words", start, Text(f"# {start} ä"))
    feed.value("large", start, Image(rng.integers(0, 255, (700, 700, 3), np.uint8)))
    feed.store()


def test_a_run_arrives_whole(pair: Pair) -> None:
    kept = fill(pair.there.location.url, "kept")
    run_id = fill(pair.writer.location.url, "every kind")
    feed = Feed(pair.writer, run_id)
    log_more(feed, 100, 10_000)
    feed.end()
    done = pair.sync(run_id)
    assert done.outcome is Outcome.COPIED
    assert not done.alive
    assert done.source == done.destination
    assert done.source is not None
    assert done.source.points > 10_000
    assert pair.contents(run_id) == (done.source, done.source)
    assert pair.reader_there.run(run_id) == pair.reader.run(run_id)
    counts = [
        {one.series_id: (one.label, one.kind, one.count, one.last_step) for one in reader.series(run_id)}
        for reader in (pair.reader, pair.reader_there)
    ]
    assert counts[0] == counts[1]
    here, there = (
        reader.points(series_of(reader, run_id, "noise"), max_points=100)
        for reader in (pair.reader, pair.reader_there)
    )
    assert np.array_equal(here.mean, there.mean)
    assert pair.faults() == []
    assert len(pair.reader_there.runs()) == 2
    assert pair.reader_there.run(kept).name == "kept"
    assert pair.sync(run_id).outcome is Outcome.EQUAL


def test_a_living_run_is_brought_up_to_date(pair: Pair) -> None:
    run_id = new_run(pair.writer).run_id
    feed = Feed(pair.writer, run_id)
    log_more(feed, 0)
    first = pair.sync(run_id)
    assert first.outcome is Outcome.COPIED
    assert first.alive
    log_more(feed, 5000)
    second = pair.sync(run_id)
    assert second.outcome is Outcome.UPDATED
    assert second.source is not None
    assert second.source.points == 10_008
    feed.end()
    # Merged and ended since; nothing was logged.
    assert pair.sync(run_id).outcome in (Outcome.UPDATED, Outcome.EQUAL)
    later = Feed(pair.writer, run_id)
    log_more(later, 10_000, 200)
    later.end()
    assert pair.sync(run_id).outcome is Outcome.UPDATED
    assert pair.contents(run_id)[0] == pair.contents(run_id)[1]
    assert pair.faults() == []


def test_only_what_is_new_is_written(pair: Pair) -> None:
    run_id = new_run(pair.writer).run_id
    feed = Feed(pair.writer, run_id)
    log_more(feed, 0, 20_000)
    pair.sync(run_id)
    feed.points("noise", [1.0], steps=[20_000])
    feed.store()
    written: dict[str, int] = {}

    def listen(_: object, __: object, statement: str, parameters: object, *___: object) -> None:
        words = statement.split()
        if words[0] == "INSERT":
            many = len(parameters) if isinstance(parameters, list) else 1
            written[words[2]] = written.get(words[2], 0) + many

    sa.event.listen(pair.there.engine, "before_cursor_execute", listen)
    pair.sync(run_id)
    assert "chunks" not in written
    assert "blobs" not in written
    assert "pyramid" not in written
    assert written["tails"] == 1
    feed.end()


def test_a_new_name_travels_and_never_back(pair: Pair) -> None:
    run_id = fill(pair.writer.location.url, "first")
    pair.sync(run_id)
    rename_run(pair.writer, run_id, "second")
    archive_run(pair.writer, run_id)
    assert pair.sync(run_id).outcome is Outcome.UPDATED
    assert pair.reader_there.run(run_id).name == "second"
    assert pair.reader_there.run(run_id).archived_at
    rename_run(pair.there, run_id, "third")
    assert pair.sync(run_id).outcome is Outcome.NEWER_THERE
    rename_run(pair.writer, run_id, "fourth")
    assert pair.sync(run_id).outcome is Outcome.CONFLICT
    assert pair.reader_there.run(run_id).name == "third"


def test_the_store_that_changed_a_run_more_often_names_it_and_tells_the_old_name(sqlite_pair: Pair) -> None:
    run_id = fill(sqlite_pair.writer.location.url, "first")
    assert sqlite_pair.sync(run_id).old_name is None
    rename_run(sqlite_pair.there, run_id, "theirs")
    for name in ("second", "third"):
        rename_run(sqlite_pair.writer, run_id, name)
    done = sqlite_pair.sync(run_id)
    assert (done.outcome, done.old_name) == (Outcome.UPDATED, "theirs")
    assert sqlite_pair.reader_there.run(run_id).name == "third"
    archive_run(sqlite_pair.writer, run_id)
    assert sqlite_pair.sync(run_id).old_name is None


def test_a_run_that_went_on_in_both_stores_is_left_alone(pair: Pair) -> None:
    run_id = fill(pair.writer.location.url)
    pair.sync(run_id)
    there = Feed(pair.there, run_id)
    there.points("loss", [1.0])
    there.end()
    assert pair.sync(run_id).outcome is Outcome.NEWER_THERE
    here = Feed(pair.writer, run_id)
    here.points("loss", [2.0])
    here.end()
    before = pair.contents(run_id)
    assert pair.sync(run_id).outcome is Outcome.CONFLICT
    assert pair.contents(run_id) == before


def test_two_that_copy_one_run_at_once_copy_it_once(pair: Pair) -> None:
    run_id = fill(pair.writer.location.url)

    def copy(_: int) -> Outcome:
        with Reader.open(pair.reader.location.url) as reader, Writer.open(pair.there.location.url) as writer:
            return sync_run(reader, writer, reader.run(run_id)).outcome

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(copy, range(4)))
    assert outcomes == [Outcome.COPIED, Outcome.EQUAL, Outcome.EQUAL, Outcome.EQUAL]
    assert pair.contents(run_id)[0] == pair.contents(run_id)[1]


def test_whoever_writes_the_copy_notices_that_it_changed(pair: Pair) -> None:
    run_id = new_run(pair.writer).run_id
    feed = Feed(pair.writer, run_id)
    log_more(feed, 0, 100)
    pair.sync(run_id)
    info = feed.journal.folder.name
    cursor = pair.there.open_journal(run_id, info, 0)
    rename_run(pair.writer, run_id, "renamed")
    assert pair.sync(run_id).outcome is Outcome.UPDATED
    batch = Batch(cursor.points_position, cursor.values_position)
    with pytest.raises(StoreError, match="Nothing is stored twice"):
        pair.there.commit(cursor, batch)
    pair.there.commit(pair.there.open_journal(run_id, info, 0), batch)
    feed.end()


def test_how_it_is_stored_does_not_matter(sqlite_pair: Pair) -> None:
    run_id = new_run(sqlite_pair.writer).run_id
    feed = Feed(sqlite_pair.writer, run_id)
    for start in range(0, 3000, 300):
        feed.points("noise", np.random.default_rng(start).normal(size=300), steps=range(start, start + 300))
        feed.store()
    feed.journal.close()
    shutil.rmtree(feed.journal.folder)
    quiet = sa.update(runs).values(updated_at=time.time() - 3600)
    sqlite_pair.writer.transact(lambda connection: connection.execute(quiet))
    sqlite_pair.sync(run_id)
    assert compact(sqlite_pair.there).merged == 1
    assert sqlite_pair.contents(run_id)[0] == sqlite_pair.contents(run_id)[1]
    assert sqlite_pair.sync(run_id).outcome is Outcome.EQUAL


def test_a_sync_that_is_interrupted_leaves_no_half_run(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = fill(pair.writer.location.url)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sync, "content_of", interrupt)
        with pytest.raises(KeyboardInterrupt):
            pair.sync(run_id)
    assert pair.reader_there.runs() == []
    for table in metadata.sorted_tables:
        query = sa.select(sa.func.count()).select_from(table)
        assert pair.there.transact(lambda connection, query=query: connection.execute(query).scalar()) == 0
    assert pair.sync(run_id).outcome is Outcome.COPIED
    assert pair.faults() == []


DAMAGE: dict[str, tuple[Callable[[], sa.UpdateBase], str]] = {
    "a blob": (lambda: sa.update(blobs).values(data=b"other"), "is not what was stored"),
    "a record": (
        lambda: sa.update(records).where(records.c.payload.is_not(None)).values(payload=b"other"),
        r"the record of step \d+ is not what was stored",
    ),
    "a chunk": (lambda: sa.update(chunks).values(data=b"rubbish"), "a chunk of 7 bytes cannot be read"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_not_copied(sqlite_pair: Pair, what: str) -> None:
    run_id = fill(sqlite_pair.writer.location.url)
    spoil, message = DAMAGE[what]
    sqlite_pair.writer.transact(lambda connection: connection.execute(spoil()))
    with pytest.raises(StoreDamaged, match=message):
        sqlite_pair.sync(run_id)
    assert sqlite_pair.reader_there.runs() == []


def test_a_copy_that_reads_differently_is_not_kept(
    sqlite_pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = fill(sqlite_pair.writer.location.url)
    # As a disk that loses what is written.
    monkeypatch.setattr(sync, "_TABLES", [table for table in sync._TABLES if table is not chunks])
    with pytest.raises(StoreError, match=rf"run {run_id} reads differently in .* Nothing was copied; run"):
        sqlite_pair.sync(run_id)
    assert sqlite_pair.reader_there.runs() == []


def test_two_stores_are_needed(tmp_path: Path) -> None:
    Writer.open(tmp_path / "a.db").close()
    (tmp_path / "link.db").symlink_to(tmp_path / "a.db")
    with pytest.raises(BadInput, match="a sync needs two stores, but both are"):
        check_places(locate(tmp_path / "a.db"), locate(tmp_path / "link.db"))
    check_places(locate(tmp_path / "a.db"), locate(tmp_path / "b.db"))


def test_what_dead_processes_left_is_stored_before_a_copy(sqlite_pair: Pair, tmp_path: Path) -> None:
    run_id = new_run(sqlite_pair.writer).run_id
    feed = Feed(sqlite_pair.writer, run_id)
    feed.points("loss", [1.0, 2.0])
    feed.journal.close()
    recover_if_possible(sqlite_pair.writer.location)
    done = sqlite_pair.sync(run_id)
    assert done.source is not None
    assert done.source.points == 2
    recover_if_possible(locate(tmp_path / "nothing.db"))
    assert not (tmp_path / "nothing.db").exists()
