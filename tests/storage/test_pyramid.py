"""What the pyramid answers is what a look at every point would answer."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feed import new_run, series_of
from stepscope.storage import pyramid as levels
from stepscope.storage import read_points
from stepscope.storage.chunks import Columns, shown
from stepscope.storage.errors import StoreDamaged
from stepscope.storage.journal_read import Position, SeriesDefinition
from stepscope.storage.model import Points
from stepscope.storage.read import Reader
from stepscope.storage.schema import pyramid
from stepscope.storage.write import Batch, JournalCursor, Writer
from stepscope.storage.write_points import NewPoints

LOSS = SeriesDefinition("loss", "scalar", {})
COUNTS = st.sampled_from([1, 2, 255, 257, 4095, 4096, 4097, 9000, 20_000])
MOST = st.sampled_from([1, 2, 3, 7, 16, 50, 300])
STEP = st.integers(-100, 60_000)
STATE = settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))


class Log(NamedTuple):
    """What one journal logged."""

    new_attempt: bool
    columns: Columns
    flushes: int


@st.composite
def logs(draw: st.DrawFn) -> list[Log]:
    """Draw journals whose steps rise, repeat, go back or lie about at random."""
    seed = draw(st.integers(0, 2**32 - 1))
    noise = np.random.default_rng(seed)
    found: list[Log] = []
    for number in range(draw(st.integers(1, 3))):
        count = draw(COUNTS)
        even = np.arange(count, dtype=np.int64) + draw(st.integers(-50, 20_000))
        steps = {
            "rise": even,
            "stride": even * 3,
            "repeat": even // draw(st.integers(2, 700)),
            "back": np.where(even > even.mean(), even - count // 3, even),
            "disorder": even + noise.integers(-20, 20, count),
            "random": noise.integers(-100, 60_000, count),
            "one": np.full(count, 7),
        }[draw(st.sampled_from(["rise", "stride", "repeat", "back", "disorder", "random", "one"]))]
        values = noise.normal(size=count)
        for odd in (np.nan, np.inf, -np.inf):
            values[noise.random(count) < draw(st.sampled_from([0, 0.001, 0.7]))] = odd
        columns = Columns(steps.astype(np.int64), 1e9 + np.arange(count) / 8, values)
        found.append(Log(number > 0 and draw(st.booleans()), columns, draw(st.integers(1, 5))))
    return found


def commit(writer: Writer, cursor: JournalCursor, columns: Columns) -> None:
    number = np.zeros(len(columns.step), np.uint32)
    position = Position(cursor.points_position.segment + 1)
    writer.commit(cursor, Batch(position, Position(), NewPoints(number, columns, {0: LOSS})))


def store(writer: Writer, run_id: str, given_logs: list[Log], *, seal: bool) -> None:
    """Store journals one after the other."""
    attempt = 0
    for number, log in enumerate(given_logs):
        if log.new_attempt:
            attempt = writer.resume_run(run_id, host="", pid=0)
        cursor = writer.open_journal(run_id, f"{run_id}-{number}", attempt)
        for part in np.array_split(np.arange(len(log.columns.step)), log.flushes):
            if len(part):
                commit(writer, cursor, log.columns.take(part))
        if seal:
            writer.seal(run_id, cursor.journal_no)


def what_counts(given_logs: list[Log]) -> Columns:
    """Return what is to be shown, the slow way."""
    attempts: list[list[Columns]] = []
    for log in given_logs:
        if log.new_attempt or not attempts:
            attempts.append([])
        attempts[-1].append(log.columns)
    kept = Columns.join([])
    for parts in attempts:
        newer = Columns.join(parts)
        kept = Columns.join([kept.take(kept.step < newer.step.min()), newer])
    by_step = dict(zip(kept.step.tolist(), range(len(kept.step)), strict=True))
    return kept.take(np.array([by_step[step] for step in sorted(by_step)], np.intp))


def check(points: Points, whole: Columns, window: tuple[int | None, int | None], most: int) -> None:
    """Compare each bucket with the points between its edges."""
    low = whole.step >= (levels.LOWEST if window[0] is None else window[0])
    inside = whole.take(low & (whole.step <= (levels.HIGHEST if window[1] is None else window[1])))
    assert len(points) <= most
    assert points.total == len(inside.step) == points.count.sum()
    values = inside.value
    assert (points.nan_count, points.posinf_count, points.neginf_count) == (
        np.isnan(values).sum(), np.isposinf(values).sum(), np.isneginf(values).sum()
    )  # fmt: skip
    end = 0
    for at in range(len(points)):
        start, end = end, end + int(points.count[at])
        part = inside.take(slice(start, end))
        assert (points.first_step[at], points.step[at]) == (part.step[0], part.step[-1])
        assert points.time[at] == part.time[-1]
        np.testing.assert_array_equal(points.last[at], part.value[-1])
        finite = part.value[np.isfinite(part.value)]
        if len(finite):
            assert (points.min[at], points.max[at]) == (finite.min(), finite.max())
            assert points.mean[at] == pytest.approx(finite.mean(), rel=1e-9, abs=1e-12)
        else:
            assert np.isnan([points.min[at], points.max[at], points.mean[at]]).all()


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Generator[Writer]:
    with Writer.open(tmp_path_factory.mktemp("pyramid") / "runs.db") as opened:
        yield opened


@pytest.fixture(scope="module")
def reader(writer: Writer) -> Generator[Reader]:
    with Reader.open(writer.location.url) as opened:
        yield opened


@given(logs(), st.tuples(st.none() | STEP, st.none() | STEP), MOST, st.booleans())
@STATE
def test_any_points_in_any_journals(
    writer: Writer,
    reader: Reader,
    given_logs: list[Log],
    window: tuple[int | None, int | None],
    most: int,
    seal: bool,
) -> None:
    run_id = new_run(writer).run_id
    store(writer, run_id, given_logs, seal=seal)
    whole = what_counts(given_logs)
    series = series_of(reader, run_id, "loss")
    for bounds in (window, (None, None)):
        check(
            reader.points(series, first_step=bounds[0], last_step=bounds[1], max_points=most),
            whole,
            bounds,
            most,
        )
        every = reader.points(series, first_step=bounds[0], last_step=bounds[1])
        check(every, whole, bounds, len(whole.step))
        assert not every.bucketed


@pytest.fixture(scope="module")
def long(writer: Writer) -> tuple[str, Columns]:
    """Log enough for all levels: 1.3 million points, resumed once in their midst."""
    noise = np.random.default_rng(0)
    count = 1_300_000
    values = noise.normal(size=count)
    values[noise.random(count) < 0.001] = np.nan
    columns = Columns(np.arange(count, dtype=np.int64) * 2, 1e9 + np.arange(count) / 8, values)
    parts = [columns.take(slice(0, 1_200_000)), columns.take(slice(1_100_001, None))]
    run_id = new_run(writer).run_id
    given_logs = [Log(number > 0, part, 5) for number, part in enumerate(parts)]
    store(writer, run_id, given_logs, seal=True)
    return run_id, columns


@given(
    st.integers(0, 2_600_000), st.sampled_from([500, 9000, 300_000, 10**7]), st.sampled_from([10, 200, 1000])
)
@STATE
def test_any_window_of_a_long_series(
    reader: Reader, long: tuple[str, Columns], low: int, width: int, most: int
) -> None:
    run_id, columns = long
    window = (low, low + width)
    points = reader.points(
        series_of(reader, run_id, "loss"), first_step=low, last_step=low + width, max_points=most
    )
    check(points, columns, window, most)
    inside = int(((columns.step >= low) & (columns.step <= low + width)).sum())
    assert len(points) == min(most, inside)


def test_a_window_decodes_few_points(
    reader: Reader, long: tuple[str, Columns], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    gathering = read_points.decoded

    def counted(*arguments: object) -> Columns:
        found = gathering(*arguments)
        decoded.append(len(found.step))
        return found

    monkeypatch.setattr(read_points, "decoded", counted)
    series = series_of(reader, long[0], "loss")
    for low, high, most in ((None, None, 300), (5001, 2_000_001, 300), (1_000_001, 1_400_001, 300)):
        decoded.clear()
        reader.points(series, first_step=low, last_step=high, max_points=most)
        assert sum(decoded) < 4 * 4096 + 16 * 4096


def test_a_series_of_many_journals(writer: Writer, reader: Reader) -> None:
    noise = np.random.default_rng(0)
    parts: list[Log] = []
    for number in range(12):
        steps = np.arange(5000, dtype=np.int64) * 12 + number
        parts.append(Log(False, Columns(steps, 1e9 + steps / 8, noise.normal(size=5000)), 1))
    run_id = new_run(writer).run_id
    store(writer, run_id, parts, seal=True)
    whole, series = what_counts(parts), series_of(reader, run_id, "loss")
    for window in ((None, None), (1001, 50_000)):
        for most in (5, 100_000):
            points = reader.points(series, first_step=window[0], last_step=window[1], max_points=most)
            check(points, whole, window, most)


def test_overlapping_journals_too_large_to_decode_are_told_of_roughly(
    writer: Writer, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_points, "EXACT_POINTS", 1000)
    steps = np.arange(50_000, dtype=np.int64)
    noise = np.random.default_rng(0)
    ranks = [Columns(steps, 1e9 + steps / 8, noise.normal(size=len(steps)) + rank) for rank in range(2)]
    run_id = new_run(writer).run_id
    store(writer, run_id, [Log(False, columns, 3) for columns in ranks], seal=True)
    points = reader.points(series_of(reader, run_id, "loss"), max_points=20)
    both = np.concatenate([columns.value for columns in ranks])
    assert len(points) == 20
    assert (np.diff(points.step) >= 0).all()
    assert (points.first_step.min(), points.step[-1]) == (0, 49_999)
    assert points.last[-1] == ranks[1].value[-1]
    assert (points.min.min(), points.max.max()) == (both.min(), both.max())
    # What was replaced is counted, but for the ends of the journals, which fill no chunk.
    assert 2 * 48 * 1024 <= points.total <= 100_000


def test_a_node_gives_back_what_was_put_in() -> None:
    columns = Columns(
        np.arange(5000, dtype=np.int64), np.arange(5000.0), np.random.default_rng(0).normal(size=5000)
    )
    entries = levels.summarise(columns, np.arange(0, 5000, 50))
    again = levels.decode([levels.encode(entries[:70]), levels.encode(entries[70:])])
    assert again.tobytes() == entries.tobytes()
    whole = levels.combine(entries, np.array([0]))
    assert whole.tobytes() != b""
    assert whole["count"][0] == 5000
    assert whole["mean"][0] == pytest.approx(columns.value.mean())


def test_damage_of_the_pyramid_is_said(writer: Writer, reader: Reader) -> None:
    node = levels.encode(np.zeros(3, levels.ENTRY))
    with pytest.raises(StoreDamaged, match="a node of 2 bytes cannot be read"):
        levels.decode([node[:2]])
    with pytest.raises(StoreDamaged, match="says version 9; this Stepscope reads 1"):
        levels.decode([b"\x09" + node[1:]])
    with pytest.raises(StoreDamaged, match=rf"a node of {len(node) - 1} bytes cannot be read"):
        levels.decode([node[:-1]])
    run_id = new_run(writer).run_id
    columns = Columns(np.arange(9000, dtype=np.int64), np.full(9000, time.time()), np.zeros(9000))
    store(writer, run_id, [Log(False, columns, 1)], seal=True)
    writer.transact(lambda c: c.execute(pyramid.delete().where(pyramid.c.run_id == run_id)))
    with pytest.raises(StoreDamaged, match="the pyramid of series 'loss' is incomplete in run"):
        reader.points(series_of(reader, run_id, "loss"), max_points=2)
    assert reader.points(series_of(reader, run_id, "loss")).total == 9000


def test_huge_values_have_a_mean() -> None:
    columns = Columns(np.arange(512, dtype=np.int64), np.zeros(512), np.full(512, 1.7e308))
    entries = levels.summarise(columns, np.array([0, 256]))
    assert entries["mean"].tolist() == [1.7e308] * 2
    assert levels.combine(entries, np.array([0]))["mean"][0] == pytest.approx(1.7e308)
    assert len(shown(columns).step) == 512
