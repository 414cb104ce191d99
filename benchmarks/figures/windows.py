"""How long a chart takes: any window of a long series at about 1,000 buckets.

The store is built through the Writer as a run's own thread uses it. 60 windows at random places, their
lengths spread evenly over the orders of magnitude, are each read three times in a process that keeps the
store open; the median of the three counts, and of the windows the slowest.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from machine import size_of
from peers.base import Peer
from peers.registry import OURS
from plan import Case, Figure, Goal, Measures, Scale, Settings, Table, at_most, number

BUCKETS = 1_000
_WINDOWS, _READS = 60, 3
ReadWindow = Callable[[int | None, int | None], Any]
_SHORT, _LONG = 10_000_000, 100_000_000


def big_store(points: int) -> Case:
    """Return the case that builds a store with one series of so many points."""
    folder = f"big-{points}"
    return Case("big_store", OURS, {"points": points}, f"{points:,} points", folder=folder)


def _build(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    del peer
    from big_series import build

    begun = time.perf_counter()
    build(folder / "runs.db", settings["points"])
    return {"build_s": time.perf_counter() - begun, "bytes": size_of(folder) / settings["points"]}


def _cases(scale: Scale) -> list[Case]:
    stores = ((points, big_store(scale.count(points))) for points in (_SHORT, _LONG))
    return [
        Case("windows", OURS, store.settings, _label(points), scale.rounds, store.folder, store)
        for points, store in stores
    ]


def _label(points: int) -> str:
    return f"{OURS}, {points:,} points"


def _measure(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    del peer
    points: int = settings["points"]
    chance = np.random.default_rng(1)
    shortest = min(2 * BUCKETS, points)
    lengths = np.exp(chance.uniform(np.log(shortest), np.log(points), _WINDOWS)).astype(np.int64)
    firsts = (chance.uniform(size=_WINDOWS) * (points - lengths + 1)).astype(np.int64)
    windows = zip(firsts.tolist(), (firsts + lengths - 1).tolist(), strict=True)
    with chart_reader(folder) as read:
        whole = median_ms(read, None, None)
        spent = [median_ms(read, *window) for window in windows]
    return {
        "whole_ms": whole,
        "median_ms": statistics.median(spent),
        "worst_ms": max(spent),
    }


@contextmanager
def chart_reader(folder: Path) -> Generator[ReadWindow]:
    """Open the one series of a store; yield what reads a window of it."""
    import stepscope

    with stepscope.open(folder / "runs.db") as store:
        (run,) = store.runs()
        yield lambda first, last: run.scalars(
            "loss", first_step=first, last_step=last, max_points=BUCKETS
        ).numpy()


def median_ms(read: ReadWindow, first: int | None, last: int | None) -> float:
    """Return how long one window takes, the median of a few readings."""
    spent: list[float] = []
    points: dict[str, Any] = {}
    for _ in range(_READS):
        begun = time.perf_counter()
        points = read(first, last)
        spent.append((time.perf_counter() - begun) * 1e3)
    if first is not None and last is not None:
        low, high = points["first_step"][0], points["step"][-1]
        assert low <= first <= last <= high, f"asked {first} to {last}, got {low} to {high}"
        assert points["count"].sum() == high - low + 1, "points are missing, or there twice"
        assert len(points["step"]) <= BUCKETS
    return statistics.median(spent)


def _goals(table: Table) -> list[Goal]:
    short, long = (table[_label(points)]["worst_ms"] for points in (_SHORT, _LONG))
    told = f"{number(long)} ms, {number(long / short)} times"
    medians = [number(table[_label(points)]["median_ms"]) for points in (_SHORT, _LONG)]
    first = at_most("any window of 10,000,000 points at 1,000 buckets", 20, short, "ms")
    return [
        Goal(first.what, first.goal, f"{first.measured} (median {medians[0]})", first.met),
        Goal(
            "any window of 100,000,000 points",
            "within a factor of 3",
            f"{told} (median {medians[1]})",
            long <= 3 * short,
        ),
    ]


FIGURES = (Figure("big_store", lambda _: [], _build), Figure("windows", _cases, _measure, _goals))
