"""What a series takes on disk, and how long it takes to read it back.

Size: all files of a store of 100,000 points after finish, less those of a store with one point. Logged at
full speed, wall times are as good as even; so ours are also logged at the pace of a training loop, 50 to
150 us apart, where every time takes more than a byte.

Reading: in a fresh process, what stays open between readings (a connection, an index) is opened before; then
the whole series is read into numpy until it was read five times or three seconds have passed; the median
counts.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from machine import size_of
from peers.base import Peer
from peers.registry import OURS, PEERS
from plan import (
    Case,
    Figure,
    Goal,
    Measures,
    Scale,
    Settings,
    Shown,
    Table,
    at_most,
    cheapest,
    number,
    rounds_of,
    times_less,
)
from values import noisy

_POINTS, _MANY = 100_000, 1_000_000
_READS, _READ_SECONDS = 5, 3.0


def _filled(peer: str, points: int, *, single: bool = False, paced: bool = False) -> Case:
    folder = f"series-{peer}-{points}{'-float32' if single else ''}{'-paced' if paced else ''}"
    settings = {"points": points, "single": single, "paced": paced}
    return Case("size_on_disk", peer, settings, folder, folder=folder)


def _size_cases(scale: Scale) -> list[Case]:
    points = scale.count(_POINTS)
    cases = [_filled(peer, count) for count in (1, points) for peer in PEERS]
    paced = [_filled(OURS, points, single=single, paced=True) for single in (False, True)]
    return [*cases, *paced, _filled(OURS, scale.count(_MANY))]


def _measure_size(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    values = _values(settings)
    tracker = peer(folder)
    if settings["paced"]:
        _log_paced(tracker, values.tolist())
    else:
        tracker.fill(values.tolist())
    tracker.close()
    tracker.rest()
    return {"points": len(values), "bytes": size_of(folder)}


def _log_paced(tracker: Peer, values: Sequence[float]) -> None:
    chance = random.Random(0)
    due = time.perf_counter()
    for step, value in enumerate(values):
        tracker.log(step, value)
        due += chance.uniform(50e-6, 150e-6)
        while time.perf_counter() < due:
            pass


def _values(settings: Settings) -> np.ndarray:
    values = noisy(settings["points"])
    return values.astype(np.float32).astype(np.float64) if settings["single"] else values


def _derive_size(table: Table) -> None:
    """Enter the net size of a point, and that of the first long series under the peer's name too."""
    for peer in PEERS:
        mine = {label: found for label, found in table.items() if label.startswith(f"series-{peer}-")}
        one = mine.pop(f"series-{peer}-1", None)
        for label, found in mine.items():
            if one is not None:
                net = (found["bytes"] - one["bytes"]) / (found["points"] - 1)
                found["net_bytes"] = net
                if not label.endswith(("float32", "paced")):
                    table.setdefault(peer, {"net_bytes": net})


def _size_goals(table: Table) -> list[Goal]:
    single = next(found for label, found in table.items() if label.endswith("-float32-paced"))
    double = next(found for label, found in table.items() if label.endswith("0-paced"))
    ours, what = table[OURS]["net_bytes"], "a point on disk"
    return [
        at_most(f"{what}, float64 noise with wall times", 10, double["net_bytes"], "bytes"),
        at_most(f"{what}, values from float32", 6.5, single["net_bytes"], "bytes"),
        *times_less(f"{what}, beside the smallest other", 2, ours, cheapest(table, "net_bytes")),
    ]


def _read_cases(scale: Scale) -> list[Case]:
    counts = {peer: [scale.count(_POINTS)] for peer in PEERS}
    # A million only where writing it takes seconds, and where the goal compares.
    counts[OURS].append(scale.count(_MANY))
    counts["dvclive"].append(scale.count(_MANY))
    cases: list[Case] = []
    for peer, several in counts.items():
        for place, count in enumerate(several):
            needs = _filled(peer, count)
            label = f"{peer}, 1,000,000" if place else peer
            cases.append(
                Case("read_back", peer, needs.settings, label, rounds_of(peer, scale), needs.folder, needs)
            )
    return cases


def _measure_read(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    begun = time.perf_counter()
    read = peer.reader(folder)
    opened = time.perf_counter()
    steps, values = read("loss")
    first = time.perf_counter()
    spent: list[float] = []
    while len(spent) < _READS and (not spent or time.perf_counter() - first < _READ_SECONDS):
        start = time.perf_counter()
        steps, values = read("loss")
        spent.append((time.perf_counter() - start) * 1e3)
    # Event files keep float32.
    assert len(steps) == settings["points"], f"read {len(steps)} points of {settings['points']}"
    assert np.allclose(values, _values(settings), atol=1e-6), "what was read is not what was logged"
    return {
        "open_ms": (opened - begun) * 1e3,
        "first_ms": (first - opened) * 1e3,
        "read_ms": statistics.median(spent),
    }


def _read_goals(table: Table) -> list[Goal]:
    many, table_many = table[f"{OURS}, 1,000,000"]["read_ms"], table.get("dvclive, 1,000,000")
    rows = [
        at_most("reading 100,000 points into numpy", 5, table[OURS]["read_ms"], "ms"),
        at_most("reading 1,000,000 points into numpy", 35, many, "ms"),
    ]
    for what, ours, other in (
        ("100,000", table[OURS]["read_ms"], table.get("dvclive")),
        ("1,000,000", many, table_many),
    ):
        if other is not None:
            theirs = other["read_ms"]
            measured = f"{number(ours)} ms, pandas {number(theirs)} ms"
            rows.append(Goal(f"reading {what} points", "faster than pandas on TSV", measured, ours < theirs))
    return rows


FIGURES = (
    Figure(
        "size_on_disk",
        _size_cases,
        _measure_size,
        _size_goals,
        (Shown("net_bytes", "a point on disk, bytes"),),
        _derive_size,
    ),
    Figure(
        "read_back",
        _read_cases,
        _measure_read,
        _read_goals,
        (Shown("read_ms", "reading 100,000 points back, ms"),),
    ),
)
