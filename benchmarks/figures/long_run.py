"""A run at full speed for millions of points: finish, memory and processor time at any length.

Memory is looked at every 100,000 calls, beyond the import of Stepscope: what is held that belongs to no file,
and the mapped journal; in one case four images and a histogram of a million float32 come with each 100,000
calls. Processor time is that of the whole process until the
writer's thread has ended too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from machine import anonymous_mib, mapped_mib, settle, tree_seconds
from peers.base import Peer
from peers.registry import OURS
from plan import Case, Figure, Goal, Measures, Scale, Settings, Table, at_most, number
from values import noisy, picture, weights

_BLOCK = 100_000
_IMAGES, _PIXELS, _WEIGHTS = 4, 256, 1_000_000
_LENGTHS = (1_000_000, 5_000_000, 20_000_000)


def _label(points: int) -> str:
    return f"{OURS}, {points:,} points"


_MEDIA = f"{_label(_LENGTHS[1])} with media"


def _cases(scale: Scale) -> list[Case]:
    points = _LENGTHS[1]
    media = Case("long_run", OURS, {"points": scale.count(points), "media": True}, _MEDIA)
    return [media] + [
        Case("long_run", OURS, {"points": scale.count(points), "media": False}, _label(points), rounds)
        for points, rounds in zip(_LENGTHS, (1, scale.rounds, 1), strict=True)
    ]


def _measure(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    points = settings["points"]
    values = noisy(_BLOCK).tolist()
    pictures = [picture(_PIXELS, seed) for seed in range(_IMAGES)] if settings["media"] else []
    arrays = [weights(_WEIGHTS, 0)] if settings["media"] else []
    peer.load()
    bare = anonymous_mib()
    tracker: Any = peer(folder)
    settle()
    held = journal = spent = 0.0
    used = tree_seconds()
    for first in range(0, points, _BLOCK):
        begun = time.perf_counter()
        _log(tracker.run, values[: points - first], first)
        spent += time.perf_counter() - begun
        for pixels in pictures:
            tracker.image(first, np.roll(pixels, first // _BLOCK, axis=1))  # equal ones are stored once
        for array in arrays:
            tracker.histogram(first, array)
        held, journal = max(held, anonymous_mib() - bare), max(journal, mapped_mib(".spool/"))
    begun = time.perf_counter()
    tracker.close()
    finish = time.perf_counter() - begun
    tracker.rest()
    cpu = tree_seconds() - used
    return {
        "call_us": spent / points * 1e6,
        "finish_s": finish,
        "cpu_us": cpu / points * 1e6,
        "memory_mib": max(held, anonymous_mib() - bare),
        "journal_mib": journal,
    }


def _log(run: Any, values: list[float], first: int) -> None:
    for step, value in enumerate(values, first):
        run.log({"loss": value}, step=step)


def _goals(table: Table) -> list[Goal]:
    small, large, largest = (table[_label(points)] for points in _LENGTHS)
    every = (small, large, largest, table[_MEDIA])
    return [
        at_most("processor time of everything a point", 1.5, large["cpu_us"], "us"),
        at_most("`run.finish()` after 5,000,000 points", 2, large["finish_s"], "s"),
        at_most("`run.finish()` after 20,000,000 points", 2, largest["finish_s"], "s"),
        _memory(
            "memory beyond the import, at 1, 5, 20 million points and 5 with media", 30, every, "memory_mib"
        ),
        _memory("mapped journal, in the same runs", 32, every, "journal_mib"),
    ]


def _memory(what: str, limit: float, every: Sequence[Measures], measure: str) -> Goal:
    values = [found[measure] for found in every]
    told = f"{', '.join(number(value) for value in values)} MiB"
    return Goal(what, f"at most {limit:g} MiB", told, max(values) <= limit)


FIGURES = (Figure("long_run", _cases, _measure, _goals),)
