"""The same curves for both dashboards: a store, and event files as TensorBoard's own writer makes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peers.summary_writer import without_tensorflow

_BATCH = 1 << 18


def curve(run: int, metric: int, points: int) -> NDArray[np.float64]:
    """Return a falling curve with noise, another one for each run and metric, shape (points,)."""
    noise = np.random.default_rng(1000 * run + metric).normal(0.0, 0.05, points)
    return (1 + 0.1 * run) * np.exp(-np.arange(points) / (0.2 * points)) + 0.01 * metric + noise


def write_store(path: Path, runs: int, metrics: int, points: int) -> None:
    """Store finished runs through the Writer, as runs' own threads use it."""
    from big_series import add_curves
    from stepscope.storage.write import Writer

    with Writer.open(path) as writer:
        for run in range(runs):
            curves = [curve(run, metric, points) for metric in range(metrics)]
            add_curves(writer, f"run{run}", np.stack(curves), batch=_BATCH)


def write_events(folder: Path, runs: int, metrics: int, points: int) -> None:
    """Write an event file for each run, record by record."""
    without_tensorflow()
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    for run in range(runs):
        (folder / f"run{run}").mkdir(parents=True)
        with (folder / f"run{run}" / "events.out.tfevents.1700000000.bench").open("wb") as file:
            writer = RecordWriter(file)
            event = Event(wall_time=1.7e9, file_version="brain.Event:2")
            writer.write(event.SerializeToString())
            for metric in range(metrics):
                event = Event()
                value = event.summary.value.add(tag=f"metric/{metric}")
                for step, number in enumerate(curve(run, metric, points).tolist()):
                    event.step, event.wall_time, value.simple_value = step, 1.7e9 + step * 1e-3, number
                    writer.write(event.SerializeToString())
