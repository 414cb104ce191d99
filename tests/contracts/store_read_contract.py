"""What reading promises of every store. A subclass gives a fixture `url`: a store of its kind."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.store_contract import StoreContract
from feed import FIRST_TIME, Feed, new_run, series_of
from stepscope.storage.chunks import CHUNK_POINTS
from stepscope.storage.errors import BadInput, RunNotFound, StoreDamaged
from stepscope.storage.model import Points, RunState, Series
from stepscope.storage.read import Reader
from stepscope.storage.schema import blobs, chunks, records, runs
from stepscope.storage.write import Writer
from stepscope.trackers.media import Image, Text

STEPS = st.integers(-5, 40)
VALUES = st.floats(width=32)
FLUSHES = st.lists(st.lists(st.tuples(STEPS, VALUES), min_size=1, max_size=12), max_size=6)


class StoreReadContract(StoreContract):
    """Reader over a real store."""

    @pytest.fixture
    def run_id(self, writer: Writer) -> str:
        return new_run(writer).run_id

    def resume(self, writer: Writer, run_id: str) -> Feed:
        return Feed(writer, run_id, writer.resume_run(run_id, host="", pid=0))

    # Runs

    def test_runs_are_listed_newest_first(self, writer: Writer, reader: Reader) -> None:
        project = f"listing {time.time()}"
        made = [new_run(writer, project=project, created_at=FIRST_TIME + at) for at in (5, 1, 9)]
        new_run(writer, project="another")
        newest_first = [made[2].run_id, made[0].run_id, made[1].run_id]
        assert [run.run_id for run in reader.runs(project=project)] == newest_first
        ids = [run.run_id for run in made]
        assert [run.run_id for run in reader.runs(run_ids=[*ids, "NOSUCH"])] == newest_first
        assert [run.run_id for run in reader.runs(project="another", run_ids=ids)] == []
        assert reader.runs(run_ids=[]) == []
        assert set(newest_first) <= {run.run_id for run in reader.runs()}

    def test_more_runs_than_fit_into_one_query(self, writer: Writer, reader: Reader) -> None:
        ids = [new_run(writer, tags=("a",)).run_id for _ in range(3)]
        asked = [f"NOSUCH{number}" for number in range(1200)] + ids
        assert {run.run_id for run in reader.runs(run_ids=asked)} == set(ids)
        assert reader.series(asked) == []

    def test_a_run_is_found_by_what_a_person_types(self, writer: Writer, reader: Reader) -> None:
        name = f"a name {time.time()}"
        run, twin = new_run(writer, name=name), new_run(writer)
        assert reader.find_run(run.run_id).run_id == run.run_id
        assert reader.find_run(run.run_id[:9].lower()).run_id == run.run_id
        assert reader.find_run(name).run_id == run.run_id
        with pytest.raises(RunNotFound, match="has the id or name 'NOSUCH RUN'"):
            reader.find_run("NOSUCH RUN")
        with pytest.raises(RunNotFound, match="has the id or name ''"):
            reader.find_run("")
        writer.update_run(twin.run_id, {"name": name})
        with pytest.raises(
            RunNotFound, match=rf"2 runs in .* fit '{name}'\. Give one of the ids: .*{run.run_id}"
        ):
            reader.find_run(name)
        writer.update_run(twin.run_id, {"name": run.run_id})
        assert reader.find_run(run.run_id).run_id == run.run_id
        with pytest.raises(RunNotFound, match=r"there is no run 'NOSUCH' in "):
            reader.run("NOSUCH")

    def test_a_run_that_fell_silent_is_not_running(self, writer: Writer, reader: Reader) -> None:
        long_ago = new_run(writer, updated_at=time.time() - 3600).run_id
        assert reader.run(long_ago).state is RunState.KILLED
        writer.touch_run(long_ago)
        assert reader.run(long_ago).state is RunState.RUNNING

    def test_the_version_changes_whenever_something_did(self, writer: Writer, reader: Reader) -> None:
        def new_version() -> bool:
            before, seen[0] = seen[0], reader.version()
            return seen[0] != before

        seen = [reader.version()]
        assert not new_version()
        run = new_run(writer)
        # A run of a machine whose clock is ahead must not hide what changes in others.
        ahead = new_run(writer, updated_at=time.time() + 3600)
        assert new_version()
        writer.touch_run(run.run_id)
        assert new_version()
        feed = Feed(writer, run.run_id)
        feed.points("loss", [1.0])
        feed.end()
        assert new_version()
        writer.transact(lambda c: c.execute(sa.delete(runs).where(runs.c.run_id == ahead.run_id)))
        assert new_version()
        assert not new_version()

    def test_series_are_listed_by_run_kind_and_name(self, writer: Writer, reader: Reader) -> None:
        ids = sorted(new_run(writer).run_id for _ in range(2))
        for run_id in ids:
            feed = Feed(writer, run_id)
            feed.points("loss", [1.0])
            feed.points("loss", [2.0], context={"rank": 1, "split": "train"})
            feed.points("acc", [3.0])
            feed.value("loss", 0, Text("a text of the same name"))
            feed.end()
        found = reader.series(ids)
        assert [(s.run_id, s.name) for s in found] == [
            (i, n) for i in ids for n in ("acc", "loss", "loss", "loss")
        ]
        assert [s.name for s in reader.series(ids[0], kind="text")] == ["loss"]
        assert [s.last_value for s in reader.series(ids[0], kind="scalar", name="acc")] == [3.0]
        contexts = [s.context for s in reader.series(ids[0], kind="scalar", name="loss")]
        assert sorted(contexts, key=len) == [{}, {"rank": 1, "split": "train"}]
        assert reader.series([]) == reader.series("NOSUCH") == []

    # Points

    def test_points_come_back_sorted_with_the_last_value_of_a_step(
        self, writer: Writer, reader: Reader, run_id: str
    ) -> None:
        feed = Feed(writer, run_id)
        steps = [5, 3, 2**63 - 1, 3, -(2**63), 0, 5]
        feed.points("odd", [1.0, 2.0, math.inf, math.nan, -math.inf, -0.0, 7.0], steps)
        feed.end()
        points = reader.points(series_of(reader, run_id, "odd"))
        assert points.step.tolist() == [-(2**63), 0, 3, 5, 2**63 - 1]
        np.testing.assert_array_equal(points.last, [-math.inf, -0.0, math.nan, 7.0, math.inf])
        np.testing.assert_array_equal(points.min, [math.nan, 0.0, math.nan, 7.0, math.nan])
        assert (points.total, points.bucketed) == (5, False)
        assert (points.nan_count, points.posinf_count, points.neginf_count) == (1, 1, 1)
        assert points.time[1] == FIRST_TIME

    @given(flushes=FLUSHES, window=st.tuples(st.none() | STEPS, st.none() | STEPS), data=st.data())
    @settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
    def test_any_points_in_any_attempts(
        self,
        writer: Writer,
        reader: Reader,
        flushes: list[list[tuple[int, float]]],
        window: tuple[int | None, int | None],
        data: st.DataObject,
    ) -> None:
        run_id = new_run(writer).run_id
        feed = Feed(writer, run_id)
        logged: list[list[tuple[int, float]]] = [[]]
        for flush in flushes:
            if data.draw(st.booleans()):
                feed.end()
                feed = self.resume(writer, run_id)
                logged.append([])
            feed.points("x", [value for _, value in flush], [step for step, _ in flush])
            feed.store()
            logged[-1] += flush
        feed.end()
        if not any(logged):
            assert reader.series(run_id) == []
            return
        expected = visible(logged, window)
        points = reader.points(series_of(reader, run_id, "x"), first_step=window[0], last_step=window[1])
        assert points.step.tolist() == list(expected)
        np.testing.assert_array_equal(points.last, list(expected.values()))
        assert points.total == len(expected)

    def test_the_newest_attempt_wins_from_the_first_step_on_that_it_logged_of_a_series(
        self, writer: Writer, reader: Reader, run_id: str
    ) -> None:
        feed = Feed(writer, run_id)
        feed.points("loss", np.zeros(10))
        feed.points("only old", np.zeros(10))
        feed.points("by epoch", np.zeros(3))
        feed.points("system/cpu", np.zeros(10))
        feed.value("picture", 2, Text("old"))
        feed.value("picture", 8, Text("old"))
        feed.end()
        feed = self.resume(writer, run_id)
        feed.points("system/cpu", np.ones(3), [0, 1, 20])
        feed.store()
        assert [a.first_step for a in reader.attempts(run_id)] == [0, None]
        feed.points("loss", np.ones(7), range(5, 12))
        feed.points("by epoch", [1.0], [2])
        feed.value("picture", 6, Text("new"))
        feed.end()
        assert [a.first_step for a in reader.attempts(run_id)] == [0, 2]

        def last(name: str) -> dict[int, float]:
            points = reader.points(series_of(reader, run_id, name))
            return dict(zip(points.step.tolist(), points.last.tolist(), strict=True))

        assert last("loss") == {step: float(step >= 5) for step in range(12)}
        assert last("only old") == dict.fromkeys(range(10), 0.0)
        assert last("by epoch") == {0: 0.0, 1: 0.0, 2: 1.0}
        assert last("system/cpu") == {0: 1.0, 1: 1.0, **dict.fromkeys(range(2, 10), 0.0), 20: 1.0}
        pictures = series_of(reader, run_id, "picture")
        found = reader.records(pictures)
        assert [(r.step, r.attempt, reader.load(pictures, r).text) for r in found] == [
            (2, 0, "old"),
            (6, 1, "new"),
        ]
        assert reader.count_records(pictures) == 3

    def test_an_attempt_that_begins_at_the_smallest_step_hides_all_before(
        self, writer: Writer, reader: Reader, run_id: str
    ) -> None:
        smallest = -(2**63)
        feed = Feed(writer, run_id)
        feed.points("loss", np.zeros(CHUNK_POINTS + 2), range(smallest, smallest + CHUNK_POINTS + 2))
        feed.points("only old", np.zeros(2), [smallest, 2**63 - 1])
        feed.end()
        feed = self.resume(writer, run_id)
        feed.points("loss", [1.0], [smallest])
        feed.end()
        loss, old = (series_of(reader, run_id, name) for name in ("loss", "only old"))
        for most in (None, 1, 100):
            assert reader.points(loss, max_points=most).last.tolist() == [1.0]
            assert reader.points(old, max_points=most).total == 2

    def test_journals_of_forked_children_are_one_attempt(
        self, writer: Writer, reader: Reader, run_id: str
    ) -> None:
        feed, child = Feed(writer, run_id), Feed(writer, run_id, main=False)
        feed.points("loss", [0.0, 0.0], [0, 2])
        feed.store()
        child.points("loss", [1.0, 1.0, 1.0], [1, 3, 5])
        child.store()
        feed.points("loss", [0.0], [4])
        feed.end()
        child.end()
        points = reader.points(series_of(reader, run_id, "loss"))
        assert points.step.tolist() == [0, 1, 2, 3, 4, 5]
        assert points.last.tolist() == [0, 1, 0, 1, 0, 1]

    @pytest.mark.parametrize("most", [1, 2, 7, 100, 999, 1000, 5000])
    def test_buckets_keep_the_extremes(self, writer: Writer, reader: Reader, run_id: str, most: int) -> None:
        values = np.random.default_rng(0).normal(size=1000)
        values[[5, 500]] = (math.nan, math.inf)
        feed = Feed(writer, run_id)
        feed.points("loss", values, range(0, 3000, 3))
        feed.end()
        points = reader.points(series_of(reader, run_id, "loss"), max_points=most)
        check_buckets(points, np.arange(0, 3000, 3), values, most)

    def test_far_away_the_summaries_say_what_the_points_would(
        self, writer: Writer, reader: Reader, run_id: str
    ) -> None:
        series, values = self.long_series(writer, reader, run_id)
        steps = np.arange(len(values)) * 2
        for most in (1, 3, 10, 17):
            check_buckets(reader.points(series, max_points=most), steps, values, most)

    @pytest.mark.parametrize("most", [1, 3, 5])
    def test_a_window_seen_from_far_holds_nothing_else(
        self, writer: Writer, reader: Reader, run_id: str, most: int
    ) -> None:
        series, values = self.long_series(writer, reader, run_id)
        steps = np.arange(len(values)) * 2
        for low, high in ((100, 120_000), (7, None), (None, 100_001), (-50, 10**12), (16_000, 90_000)):
            inside = (steps >= (-math.inf if low is None else low)) & (steps <= (high or math.inf))
            points = reader.points(series, first_step=low, last_step=high, max_points=most)
            check_buckets(points, steps[inside], values[inside], most)

    def test_an_empty_window(self, writer: Writer, reader: Reader, run_id: str) -> None:
        series, _ = self.long_series(writer, reader, run_id)
        for low, high, most in ((5, 5, 3), (10**9, None, None), (None, -1, 1), (9, 3, 2)):
            points = reader.points(series, first_step=low, last_step=high, max_points=most)
            assert (len(points), points.total, points.bucketed) == (0, 0, False)

    def long_series(self, writer: Writer, reader: Reader, run_id: str) -> tuple[Series, np.ndarray]:
        """Log 17 chunks and a bit, with a chunk of NaN alone."""
        count = 17 * CHUNK_POINTS + 100
        values = np.random.default_rng(0).normal(size=count)
        values[3 * CHUNK_POINTS : 4 * CHUNK_POINTS] = math.nan
        values[[0, 9 * CHUNK_POINTS, -1]] = (math.inf, -math.inf, math.nan)
        feed = Feed(writer, run_id)
        for part in np.array_split(np.arange(count), 5):
            feed.points("long", values[part], part * 2)
            feed.store()
        feed.end()
        return series_of(reader, run_id, "long"), values

    def test_what_grows_while_it_is_read_is_whole(self, writer: Writer, reader: Reader, run_id: str) -> None:
        # Small chunks are merged all the time: a reader sees them before or after, never in between.
        feed = Feed(writer, run_id)
        feed.points("loss", [0.0])
        feed.store()
        series = series_of(reader, run_id, "loss")
        ended = threading.Event()
        seen: list[int] = []
        failures: list[Exception] = []

        def read() -> None:
            try:
                while not ended.is_set():
                    points = reader.points(series)
                    np.testing.assert_array_equal(points.last, np.arange(len(points)))
                    seen.append(len(points))
            except Exception as error:
                failures.append(error)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for thread in readers:
            thread.start()
        for step in range(1, 120):
            feed.points("loss", [step], [step])
            feed.store()
        ended.set()
        for thread in readers:
            thread.join()
        feed.end()
        assert failures == []
        assert len(set(seen)) > 3

    def test_only_numbers_have_points(self, writer: Writer, reader: Reader, run_id: str) -> None:
        feed = Feed(writer, run_id)
        feed.value("words", 0, Text("x"))
        feed.end()
        with pytest.raises(BadInput, match=r"'words' is of kind text\. Use records\(\)"):
            reader.points(series_of(reader, run_id, "words"))

    # Records

    @pytest.mark.parametrize("most", [None, 1, 2, 3, 10, 19, 20, 50])
    def test_records_are_thinned_evenly(
        self, writer: Writer, reader: Reader, run_id: str, most: int | None
    ) -> None:
        feed = Feed(writer, run_id)
        for step in (*range(0, 10), *range(30, 20, -1)):
            feed.value("words", step, Text(f"at {step}"))
        feed.end()
        series = series_of(reader, run_id, "words")
        found = [record.step for record in reader.records(series, max_records=most)]
        whole = [*range(0, 10), *range(21, 31)]
        assert len(found) == min(20, most or 20)
        assert found == sorted(set(found))
        assert set(found) <= set(whole)
        assert found[-1] == 30
        assert most == 1 or found[0] == 0
        assert [r.step for r in reader.records(series, first_step=5, last_step=22)] == [5, 6, 7, 8, 9, 21, 22]
        assert [r.step for r in reader.records(series, first_step=5, last_step=22, max_records=2)] == [5, 22]
        assert (series.count, reader.count_records(series)) == (20, 20)

    @pytest.mark.parametrize(
        ("most", "kept"), [(None, [0, 1, 2, 3]), (9, [0, 1, 2, 3]), (2, [0, 3]), (1, [3])]
    )
    def test_steps_are_thinned_with_all_that_they_have(
        self, writer: Writer, reader: Reader, run_id: str, most: int | None, kept: list[int]
    ) -> None:
        feed = Feed(writer, run_id)
        for step in range(4):
            for word in ("a", "b", "c"):
                feed.value("words", step, Text(word))
        feed.end()
        found = reader.records(series_of(reader, run_id, "words"), max_steps=most)
        assert [record.step for record in found] == [step for step in kept for _ in range(3)]

    def test_several_records_of_one_step_stay_in_order(
        self, writer: Writer, reader: Reader, run_id: str
    ) -> None:
        feed = Feed(writer, run_id)
        for number in range(5):
            feed.value("words", 3, Text(str(number)))
            feed.store()
        feed.end()
        series = series_of(reader, run_id, "words")
        assert [reader.load(series, record).text for record in reader.records(series)] == list("01234")

    # Damage

    def test_damage_is_said_and_confined(self, writer: Writer, reader: Reader, run_id: str) -> None:
        feed = Feed(writer, run_id)
        feed.points("broken", [1.0])
        feed.points("whole", [1.0])
        feed.value("picture", 0, Image(np.zeros((2, 2))))
        feed.value("words", 0, Text("x"))
        feed.end()
        by_name = {series.name: series for series in reader.series(run_id)}

        def damage(table: sa.Table, values: dict[str, Any], name: str | None = None) -> None:
            change = sa.update(table).where(table.c.run_id == run_id).values(values)
            if name is not None:
                change = change.where(table.c.series_id == by_name[name].series_id)
            writer.transact(lambda connection: connection.execute(change))

        damage(chunks, {"data": b"no chunk"}, "broken")
        damage(blobs, {"data": b"no picture"})
        damage(records, {"payload": b"\xff"}, "words")
        with pytest.raises(StoreDamaged, match="a chunk of 8 bytes cannot be read"):
            reader.points(by_name["broken"])
        assert reader.points(by_name["whole"]).last.tolist() == [1.0]
        for name, message in (("picture", "is not what was stored"), ("words", "is not UTF-8")):
            (record,) = reader.records(by_name[name])
            with pytest.raises(StoreDamaged, match=message):
                reader.load(by_name[name], record)
        writer.transact(lambda connection: connection.execute(sa.delete(chunks)))
        with pytest.raises(StoreDamaged, match="chunk 0 of series 'whole' is missing"):
            reader.points(by_name["whole"])

    def test_a_kind_that_is_not_known(self, writer: Writer, reader: Reader, run_id: str) -> None:
        feed = Feed(writer, run_id)
        feed.value("words", 0, Text("x"))
        feed.end()
        series = series_of(reader, run_id, "words")
        unknown = Series(run_id, series.series_id, "words", "hologram")
        with pytest.raises(StoreDamaged, match="is of kind 'hologram', which this Stepscope does not know"):
            reader.load(unknown, reader.records(series)[0])


def visible(
    attempts: list[list[tuple[int, float]]], window: tuple[int | None, int | None]
) -> dict[int, float]:
    """Return step -> value as the store's rules say, the slow way."""
    found: dict[int, float] = {}
    for logged in attempts:
        if logged:
            first = min(step for step, _ in logged)
            found = {step: value for step, value in found.items() if step < first} | dict(logged)
    low = -math.inf if window[0] is None else window[0]
    high = math.inf if window[1] is None else window[1]
    return {step: found[step] for step in sorted(found) if low <= step <= high}


def check_buckets(points: Points, steps: np.ndarray, values: np.ndarray, most: int) -> None:
    """Compare buckets with the points they stand for."""
    finite = values[np.isfinite(values)]
    assert points.total == len(values) == points.count.sum()
    assert len(points) == min(most, len(values))
    assert (points.nan_count, points.posinf_count, points.neginf_count) == (
        np.isnan(values).sum(), np.isposinf(values).sum(), np.isneginf(values).sum()
    )  # fmt: skip
    assert (points.first_step[0], points.step[-1]) == (steps[0], steps[-1])
    assert (np.nanmin(points.min), np.nanmax(points.max)) == (finite.min(), finite.max())
    end = 0
    for at, count in enumerate(points.count.tolist()):
        start, end = end, end + count
        part = values[start:end]
        known = part[np.isfinite(part)]
        assert (points.first_step[at], points.step[at]) == (steps[start], steps[end - 1])
        assert points.time[at] == pytest.approx(FIRST_TIME + steps[end - 1] / 10, abs=1e-6)
        np.testing.assert_array_equal(points.last[at], part[-1] if points.bucketed else values[at])
        if not len(known):
            assert np.isnan([points.min[at], points.max[at], points.mean[at]]).all()
            continue
        assert (points.min[at], points.max[at]) == (known.min(), known.max())
        assert points.mean[at] == pytest.approx(known.mean(), rel=1e-9, abs=1e-12)
