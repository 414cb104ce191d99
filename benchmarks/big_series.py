"""Builds series of any length in seconds, through the Writer as a run's own thread uses it.

python benchmarks/big_series.py STORE POINTS [--float32] [--series N]
"""

from __future__ import annotations

import argparse
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepscope.storage.chunks import Columns
from stepscope.storage.journal_read import Position, SeriesDefinition
from stepscope.storage.model import Run, RunState
from stepscope.storage.write import Batch, Writer
from stepscope.storage.write_points import NewPoints

BATCH = 1 << 18
"""Points a commit: what a drain takes at most."""


def build(
    store: str | Path, points: int, *, series: int = 1, float32: bool = False, batch: int = BATCH
) -> str:
    """Store a finished run with `points` points of noise, spread over `series` series; return its id.

    Steps count up, times are a millisecond apart, give or take a tenth.
    """
    with Writer.open(store) as writer:
        return add_run(writer, points, series=series, float32=float32, batch=batch)


def add_run(
    writer: Writer,
    points: int,
    *,
    series: int = 1,
    float32: bool = False,
    batch: int = BATCH,
    config: Mapping[str, Any] | None = None,
) -> str:
    """Store such a run beside those that are there; return its id."""
    return _store(
        writer, f"{points:,} points", config or {}, _batches(points, series, batch, float32=float32)
    )


def _store(writer: Writer, name: str, config: Mapping[str, Any], batches: Iterator[NewPoints]) -> str:
    now = time.time()
    run_id = "".join(secrets.choice("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(10))
    writer.create_run(Run(run_id, "big", name, RunState.RUNNING, now, now, config=config))
    cursor = writer.open_journal(run_id, f"{run_id}-big", 0)
    for number, new in enumerate(batches, 1):
        writer.commit(cursor, Batch(Position(number), Position(), points=new))
    writer.seal(run_id, cursor.journal_no)
    writer.update_run(run_id, {"state": RunState.FINISHED, "finished_at": time.time()})
    return run_id


def add_curves(writer: Writer, name: str, values: NDArray[np.float64], *, batch: int = BATCH) -> str:
    """Store a finished run of several series, `metric/0` and so on; return its id.

    Args:
        writer: of the store.
        name: the run's.
        values: float64 (series, points).
        batch: points a commit.
    """
    series, points = values.shape
    steps = np.repeat(np.arange(points), series)
    numbers = np.tile(np.arange(series, dtype=np.uint32), points)
    columns = Columns(steps, 1.7e9 + steps * 1e-3, values.T.ravel())
    definitions = {number: SeriesDefinition(f"metric/{number}", "scalar", {}) for number in range(series)}

    def batches() -> Iterator[NewPoints]:
        for start in range(0, len(steps), batch):
            part = slice(start, start + batch)
            yield NewPoints(numbers[part], columns.take(part), definitions)

    return _store(writer, name, {}, batches())


def _batches(points: int, series: int, batch: int, *, float32: bool) -> Iterator[NewPoints]:
    noise = np.random.default_rng(0)
    definitions = {
        number: SeriesDefinition("loss" if series == 1 else f"metric/{number}", "scalar", {})
        for number in range(series)
    }
    began = 1.7e9
    for start in range(0, points, batch):
        at = np.arange(start, min(start + batch, points), dtype=np.int64)
        values = noise.normal(size=len(at))
        if float32:
            values = values.astype(np.float32).astype(np.float64)
        times = began + np.cumsum(noise.uniform(0.9e-3, 1.1e-3, len(at)))
        began = float(times[-1])
        yield NewPoints((at % series).astype(np.uint32), Columns(at // series, times, values), definitions)


def main() -> None:
    """Build one store and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("points", type=int)
    parser.add_argument("--series", type=int, default=1)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--float32", action="store_true")
    given = parser.parse_args()
    started, used = time.perf_counter(), time.process_time()
    run_id = build(given.store, given.points, series=given.series, float32=given.float32, batch=given.batch)
    took, used = time.perf_counter() - started, time.process_time() - used
    size = given.store.stat().st_size
    print(f"run {run_id}: {took:.1f} s, {used / given.points * 1e6:.3f} us of processor time a point")
    print(f"{size:,} bytes, {size / given.points:.2f} a point")


if __name__ == "__main__":
    main()
