"""How long single calls take: the clock is read before and after each one.

The clock costs about 0.1 us a call, which is in the numbers. The longest call of a trial is mostly another
thread's turn with Python's lock.
"""

from __future__ import annotations

import time
from array import array
from dataclasses import replace
from pathlib import Path

import numpy as np

from machine import settle
from peers.base import Peer
from peers.registry import OURS
from plan import Case, Figure, Goal, Measures, Scale, Settings, Shown, Table, at_most, for_all, number
from values import noisy

_LONG = "stepscope, 2,000,000 calls"


def _cases(scale: Scale) -> list[Case]:
    cases = for_all("latency", replace(scale, rounds=1), lambda peer: {"calls": scale.count(peer.calls)})
    return [*cases, Case("latency", OURS, {"calls": scale.count(2_000_000)}, _LONG, scale.rounds)]


def _measure(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    values = noisy(settings["calls"]).tolist()
    spent = array("q", bytes(8 * len(values)))
    tracker = peer(folder)
    settle()
    now, log = time.perf_counter_ns, tracker.log
    for step, value in enumerate(values):
        begun = now()
        log(step, value)
        spent[step] = now() - begun
    tracker.close()
    micros = np.frombuffer(spent, np.int64) / 1e3
    shares = {"p50_us": 50, "p99_us": 99, "p999_us": 99.9}
    return {name: float(np.percentile(micros, share)) for name, share in shares.items()} | {
        "max_us": float(micros.max())
    }


def _goals(table: Table) -> list[Goal]:
    long = table[_LONG]
    also = f"p99.9 {number(long['p999_us'])}, longest {number(long['max_us'])}"
    short = at_most("99.9 % of 100,000 calls", 50, table[OURS]["p999_us"], "us")
    return [
        Goal(short.what, short.goal, f"{short.measured}, longest {number(table[OURS]['max_us'])}", short.met),
        Goal("99.9 % of 2,000,000 calls", "at most 50 us", also, long["p999_us"] <= 50),
    ]


FIGURES = (
    Figure(
        "latency",
        _cases,
        _measure,
        _goals,
        (Shown("p999_us", "99.9 % of calls take at most, us"), Shown("max_us", "the longest call, us")),
    ),
)
