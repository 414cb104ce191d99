"""What a histogram of a million float32 and an image of 256x256x3 cost the training loop.

Each call is timed; the median counts. First there is a pause after each, as a training loop makes one by its
steps: the goal is on these. Then as many follow one after the other: there, what a tracker leaves to a thread
of its own competes for the cores with the next call. Arrays differ from call to call.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from machine import settle
from peers.base import Peer
from peers.registry import OURS
from plan import Case, Figure, Goal, Measures, Scale, Settings, Shown, Table, at_most, for_all, number
from values import picture, weights

_WEIGHTS, _PIXELS = 1_000_000, 256
Log = Callable[[int, Any], None]
_HISTOGRAM_PAUSE, _IMAGE_PAUSE = 0.08, 0.02


def _histogram_cases(scale: Scale) -> list[Case]:
    return for_all(
        "histogram", scale, lambda peer: {"calls": scale.count(30, 5)} if peer.histograms else None
    )


def _image_cases(scale: Scale) -> list[Case]:
    return for_all("image", scale, lambda peer: {"calls": scale.count(50, 10)} if peer.images else None)


def _measure_histograms(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    arrays = [weights(_WEIGHTS, seed) for seed in range(4)]
    tracker = peer(folder)
    given = [arrays[call % len(arrays)] for call in range(2 * settings["calls"])]
    return _both(tracker, tracker.histogram, given, _HISTOGRAM_PAUSE)


def _measure_images(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    given = [picture(_PIXELS, seed) for seed in range(2 * settings["calls"])]
    tracker = peer(folder)
    return _both(tracker, tracker.image, given, _IMAGE_PAUSE)


def _both(tracker: Peer, log: Log, given: Sequence[Any], pause: float) -> Measures:
    settle()
    half = len(given) // 2
    paced = _timed(log, given[:half], 0, pause)
    begun = time.perf_counter()
    busy = _timed(log, given[half:], half, 0.0)
    tracker.close()
    closed = (time.perf_counter() - begun) * 1e3 / len(busy)
    return {"call_ms": statistics.median(paced), "busy_ms": statistics.median(busy), "closed_ms": closed}


def _timed(log: Log, given: Sequence[Any], first: int, pause: float) -> list[float]:
    spent: list[float] = []
    for step, value in enumerate(given, first):
        begun = time.perf_counter()
        log(step, value)
        spent.append((time.perf_counter() - begun) * 1e3)
        time.sleep(pause)
    return spent


def _histogram_goals(table: Table) -> list[Goal]:
    return [_goal("a histogram of 1,000,000 float32", 1.5, table[OURS])]


def _image_goals(table: Table) -> list[Goal]:
    return [_goal("an image of 256x256x3", 0.2, table[OURS])]


def _goal(what: str, limit: float, ours: Measures) -> Goal:
    row = at_most(f"{what}, in a training loop", limit, ours["call_ms"], "ms")
    return replace(row, measured=f"{row.measured} (back to back {number(ours['busy_ms'])})")


FIGURES = (
    Figure(
        "histogram",
        _histogram_cases,
        _measure_histograms,
        _histogram_goals,
        (
            Shown("call_ms", "a histogram of 1,000,000 float32, ms"),
            Shown("busy_ms", "the same, back to back, ms"),
            Shown("closed_ms", "the same, back to back, until it is stored, ms"),
        ),
    ),
    Figure(
        "image",
        _image_cases,
        _measure_images,
        _image_goals,
        (
            Shown("call_ms", "an image of 256x256x3, ms"),
            Shown("busy_ms", "the same, back to back, ms"),
            Shown("closed_ms", "the same, back to back, until it is stored, ms"),
        ),
    ),
)
