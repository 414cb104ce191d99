"""Whether a log call and a chart cost more when more is stored: at 10^4, 10^6 and 10^8 points.

A copy of the store is opened, its run is resumed, and 100,000 more points of the same series are logged. Then
the chart of the whole series is read at 1,000 buckets.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from figures.windows import big_store, chart_reader, median_ms
from machine import settle, tree_seconds
from peers.base import Peer
from peers.registry import OURS
from plan import Case, Figure, Goal, Measures, Scale, Settings, Table, number
from values import noisy

_STORED = (10_000, 1_000_000, 100_000_000)
_CALLS = 100_000
_NOISE = 1.5
"""What the median of such short trials may differ by without anything having grown."""


def _label(points: int) -> str:
    return f"{OURS}, {points:,} points stored"


def _cases(scale: Scale) -> list[Case]:
    stores = ((points, big_store(scale.count(points))) for points in _STORED)
    return [
        Case(
            "growth",
            OURS,
            {"points": store.settings["points"], "store": store.folder, "calls": scale.count(_CALLS)},
            _label(points),
            scale.rounds,
            needs=store,
        )
        for points, store in stores
    ]


def _measure(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    del peer
    import stepscope

    shutil.copytree(folder.parent / settings["store"], folder, dirs_exist_ok=True)
    values, first = noisy(settings["calls"]).tolist(), settings["points"]
    run = stepscope.init(store=folder / "runs.db", resume=f"{settings['points']:,} points")
    settle()
    used, begun = tree_seconds(), time.perf_counter()
    for step, value in enumerate(values, first):
        run.log({"loss": value}, step=step)
    looped = time.perf_counter()
    run.finish()
    finished = time.perf_counter()
    cpu = tree_seconds() - used
    with chart_reader(folder) as read:
        chart = median_ms(read, None, None)
    return {
        "call_us": (looped - begun) / len(values) * 1e6,
        "cpu_us": cpu / len(values) * 1e6,
        "finish_s": finished - looped,
        "chart_ms": chart,
    }


def _goals(table: Table) -> list[Goal]:
    found = [table[_label(points)] for points in _STORED]
    where = "at 10^4, 10^6 and 10^8 points stored"
    return [
        _flat(f"a log call {where}", "us", [one["call_us"] for one in found]),
        _flat(f"processor time of everything a point {where}", "us", [one["cpu_us"] for one in found]),
        # A chart of 10^4 points has less to show: what must not grow is the cost from 10^6 on.
        _flat(f"the chart of the whole series {where}", "ms", [one["chart_ms"] for one in found], since=1),
    ]


def _flat(what: str, unit: str, costs: list[float], since: int = 0) -> Goal:
    told = f"{', '.join(number(cost) for cost in costs)} {unit}"
    factor = 3 if since else _NOISE
    return Goal(what, f"does not grow (factor {factor:g})", told, costs[-1] <= factor * costs[since])


FIGURES = (Figure("growth", _cases, _measure, _goals),)
