"""What a histogram of a million float32 and an image of 256x256x3 cost the training loop.

Each call is timed, one after the other without a pause; the median counts. Arrays differ from call to call.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from machine import settle
from peers.base import Peer
from peers.registry import OURS
from plan import Case, Figure, Goal, Measures, Scale, Settings, Shown, Table, at_most, for_all
from values import picture, weights

_WEIGHTS, _PIXELS = 1_000_000, 256


def _histogram_cases(scale: Scale) -> list[Case]:
    return for_all(
        "histogram", scale, lambda peer: {"calls": scale.count(30, 5)} if peer.histograms else None
    )


def _image_cases(scale: Scale) -> list[Case]:
    return for_all("image", scale, lambda peer: {"calls": scale.count(100, 10)} if peer.images else None)


def _measure_histograms(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    arrays = [weights(_WEIGHTS, seed) for seed in range(4)]
    tracker = peer(folder)
    given = [arrays[call % len(arrays)] for call in range(settings["calls"])]
    return _timed(tracker, tracker.histogram, given)


def _measure_images(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    given = [picture(_PIXELS, seed) for seed in range(settings["calls"])]
    tracker = peer(folder)
    return _timed(tracker, tracker.image, given)


def _timed(tracker: Peer, log: Callable[[int, Any], None], given: Sequence[Any]) -> Measures:
    settle()
    spent: list[float] = []
    first = time.perf_counter()
    for step, value in enumerate(given):
        begun = time.perf_counter()
        log(step, value)
        spent.append((time.perf_counter() - begun) * 1e3)
    tracker.close()
    closed = (time.perf_counter() - first) * 1e3
    return {"call_ms": statistics.median(spent), "max_ms": max(spent), "closed_ms": closed / len(given)}


def _histogram_goals(table: Table) -> list[Goal]:
    return [at_most("a histogram of 1,000,000 float32", 1.5, table[OURS]["call_ms"], "ms")]


def _image_goals(table: Table) -> list[Goal]:
    return [at_most("an image of 256x256x3", 0.2, table[OURS]["call_ms"], "ms")]


FIGURES = (
    Figure(
        "histogram",
        _histogram_cases,
        _measure_histograms,
        _histogram_goals,
        (
            Shown("call_ms", "a histogram of 1,000,000 float32, ms"),
            Shown("closed_ms", "the same until it is stored, ms"),
        ),
    ),
    Figure(
        "image",
        _image_cases,
        _measure_images,
        _image_goals,
        (
            Shown("call_ms", "an image of 256x256x3, ms"),
            Shown("closed_ms", "the same until it is stored, ms"),
        ),
    ),
)
