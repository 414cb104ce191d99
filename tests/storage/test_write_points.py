"""How points reach their chunks: by way of tails and parts, never lost, never twice, always few."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feed import new_run, series_of
from stepscope.storage import tails, write_points, write_seal
from stepscope.storage.chunks import CHUNK_POINTS, Columns
from stepscope.storage.errors import StoreDamaged
from stepscope.storage.journal_read import Position, SeriesDefinition
from stepscope.storage.journal_state import JournalState, load_state
from stepscope.storage.read import Reader
from stepscope.storage.schema import chunks
from stepscope.storage.schema import tails as tails_table
from stepscope.storage.tails import Tail
from stepscope.storage.totals import read_totals
from stepscope.storage.write import Batch, JournalCursor, Writer
from stepscope.storage.write_points import NewPoints
from stepscope.storage.write_series import series_id_of

FLUSHES = st.lists(
    st.dictionaries(
        st.integers(0, 5), st.sampled_from([1, 2, 5, 40, 700, 3000, 9000]), min_size=1, max_size=6
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Generator[Writer]:
    with Writer.open(tmp_path_factory.mktemp("points") / "runs.db") as opened:
        yield opened


@pytest.fixture(scope="module")
def reader(writer: Writer) -> Generator[Reader]:
    with Reader.open(writer.location.url) as opened:
        yield opened


class Log:
    """One journal of a run, filled by hand."""

    def __init__(self, writer: Writer, series: int) -> None:
        self.writer = writer
        self.run_id = new_run(writer).run_id
        self.cursor: JournalCursor = writer.open_journal(self.run_id, self.run_id, 0)
        self.definitions = {n: SeriesDefinition(f"metric/{n}", "scalar", {}) for n in range(series)}
        self.counts = np.zeros(series, np.int64)

    def flush(self, counts: dict[int, int], noise: np.random.Generator) -> None:
        """Store so many points of each series in one commit, mixed up; their values are their steps."""
        number = noise.permutation(np.repeat(list(counts), list(counts.values())).astype(np.uint32))
        step = np.empty(len(number), np.int64)
        for series, count in counts.items():
            step[number == series] = np.arange(count) + self.counts[series]
            self.counts[series] += count
        new = NewPoints(number, Columns(step, 1e9 + step / 8, step / 2), self.definitions)
        position = Position(self.cursor.points_position.segment + 1)
        self.writer.commit(self.cursor, Batch(position, Position(), new))

    def check(self, reader: Reader) -> None:
        """Compare what a reader gets with what was logged."""
        for series, count in enumerate(self.counts.tolist()):
            if count:
                found = series_of(reader, self.run_id, f"metric/{series}")
                points = reader.points(found)
                np.testing.assert_array_equal(points.step, np.arange(count))
                np.testing.assert_array_equal(points.last, np.arange(count) / 2)
                assert (found.count, found.last_step, found.max_value) == (count, count - 1, (count - 1) / 2)

    def state(self) -> JournalState:
        assert self.cursor.state is not None
        return self.cursor.state


def assert_same(kept: JournalState, stored: JournalState) -> None:
    """Compare what a writer knows with what the store says."""
    used = len(kept.totals.places)
    assert kept.totals.places == stored.totals.places
    for name in ("logged", "stored", "full"):
        np.testing.assert_array_equal(getattr(kept, name)[:used], getattr(stored, name)[:used], name)
    assert (kept.parts, kept.batches, kept.next_seq) == (stored.parts, stored.batches, stored.next_seq)


@given(FLUSHES, st.sampled_from([500, 20_000, 1 << 18]), st.integers(0, 99))
@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
def test_any_flushes_of_any_series(
    writer: Writer, reader: Reader, flushes: list[dict[int, int]], most: int, seed: int
) -> None:
    noise = np.random.default_rng(seed)
    log = Log(writer, 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write_points, "TAIL_POINTS", most)
        patch.setattr(write_points, "_POINTS_AT_ONCE", 2000)
        for counts in flushes:
            log.flush(counts, noise)
            stored = writer.transact(lambda connection: load_state(connection, log.run_id, 0))
            assert_same(log.state(), stored)
            if noise.random() < 0.3:
                log.cursor.state = stored
        log.check(reader)
        assert writer.seal(log.run_id, 0)
    log.check(reader)
    sealed = writer.transact(lambda connection: load_state(connection, log.run_id, 0))
    assert sealed.batches == []
    assert all(len(parts) == 1 for parts in sealed.parts.values())
    for number, definition in log.definitions.items():
        if log.counts[number]:
            place = sealed.totals.places[series_id_of(definition)]
            assert sealed.full[place] == log.counts[number] // CHUNK_POINTS


def test_a_flush_of_a_thousand_series_is_a_few_rows(writer: Writer, reader: Reader) -> None:
    log = Log(writer, 1000)
    noise = np.random.default_rng(0)
    every = dict.fromkeys(range(1000), 1)
    for _ in range(100):
        log.flush(every, noise)
        assert len(log.state().batches) < 30
    with writer.engine.connect() as connection:
        assert not connection.execute(sa.select(chunks.c.chunk_no).where(chunks.c.run_id == log.run_id)).all()
        rows = connection.execute(sa.select(tails_table.c.data).where(tails_table.c.run_id == log.run_id))
        assert len(rows.all()) == len(log.state().batches)
    assert reader.points(series_of(reader, log.run_id, "metric/500")).step.tolist() == list(range(100))


def test_a_series_has_few_parts_however_long_it_is_logged(
    writer: Writer, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_points, "TAIL_POINTS", 50)
    log = Log(writer, 3)
    noise = np.random.default_rng(0)
    for _ in range(600):
        log.flush({0: 3, 1: 8, 2: int(noise.integers(1, 30))}, noise)
        assert max(map(len, log.state().parts.values()), default=0) < 30
    log.check(reader)


def test_sealing_takes_what_time_it_is_given(
    writer: Writer, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_seal, "_SERIES_AT_ONCE", 2)
    log = Log(writer, 6)
    noise = np.random.default_rng(0)
    for _ in range(3):
        log.flush(dict.fromkeys(range(6), 10), noise)
    assert not writer.seal(log.run_id, 0, seconds=0)
    log.check(reader)
    log.cursor = writer.open_journal(log.run_id, log.run_id, 0)
    log.flush({0: 1}, noise)
    assert writer.seal(log.run_id, 0)
    assert writer.seal(log.run_id, 0)
    log.check(reader)


def test_sealing_beside_a_writer_that_goes_on(
    writer: Writer, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_seal, "_SERIES_AT_ONCE", 1)
    log = Log(writer, 3)
    noise = np.random.default_rng(0)
    log.flush(dict.fromkeys(range(3), 10), noise)
    sealing = write_seal.Sealing(log.run_id, 0)
    for count in (10, CHUNK_POINTS, 10):
        assert writer.transact(sealing.step)
        # As a writer does whose commit was refused.
        log.cursor = writer.open_journal(log.run_id, log.run_id, 0)
        log.flush(dict.fromkeys(range(3), count), noise)
    while writer.transact(sealing.step):
        pass
    log.check(reader)


def test_what_merging_left_empty_goes_back_to_the_disk(writer: Writer) -> None:
    log = Log(writer, 500)
    noise = np.random.default_rng(0)
    for _ in range(4):
        log.flush(dict.fromkeys(range(500), 100), noise)
    assert writer.seal(log.run_id, 0)
    with writer.engine.connect() as connection:
        empty = connection.exec_driver_sql("PRAGMA freelist_count").scalar()
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    assert empty is not None
    assert pages is not None
    assert empty * 10 <= pages


def test_totals_of_several_journals_are_added_up(writer: Writer) -> None:
    log = Log(writer, 2)
    noise = np.random.default_rng(0)
    log.flush({0: 5, 1: 7}, noise)
    log.cursor = writer.open_journal(log.run_id, "another", 0)
    log.flush({0: 3}, noise)
    other = new_run(writer).run_id
    run, found = writer.transact(lambda connection: read_totals(connection, [other, log.run_id]))
    assert run.tolist() == [1, 1]
    assert sorted(found["count"].tolist()) == [7, 8]
    assert sorted(found["last_value"].tolist()) == [3.0, 3.5]
    assert found["min_value"].tolist() == [0.0, 0.0]


def test_a_tail_gives_back_what_was_put_in() -> None:
    steps = np.arange(5, dtype=np.int64)
    tail = Tail(np.array([9, 4]), np.array([10, 0]), np.array([3, 2]), Columns(steps, steps / 2, steps / 4))
    again = tails.decode(tail.encode())
    assert again.of_series(9, 0).step.tolist() == [0, 1, 2]
    assert again.of_series(9, 12).step.tolist() == [2]
    assert again.of_series(4, 1).value.tolist() == [1.0]
    assert again.of_series(4, 99).step.tolist() == again.of_series(5, 0).step.tolist() == []
    both = tails.merge([again, Tail(np.array([4]), np.array([2]), np.array([1]), again.of_series(9, 12))])
    assert both.of_series(4, 0).step.tolist() == [3, 4, 2]
    for damaged in (b"", tail.encode()[:-1], b"\x09" + tail.encode()[1:]):
        with pytest.raises(StoreDamaged, match="a tail of "):
            tails.decode(damaged)
