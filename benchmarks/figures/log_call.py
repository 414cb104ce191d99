"""What logging costs the training loop.

A trial opens a run, waits a second, and logs in the loop that the tracker's manual shows. `log_call` keeps
all threads of the process on one core, so that what a tracker's own threads take from the training is in
the number; `log_call_all_cores` leaves them free. Processor time is that of the whole tree of processes until
everything is stored. Memory is what the process itself holds beyond the tracker's import when the loop ends.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from machine import anonymous_mib, one_core, settle, tree_seconds
from peers.base import Peer
from peers.registry import OURS
from plan import (
    FULL,
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
    for_all,
    times_less,
)
from values import dicts_of, noisy

_NAMES = 50


def _cases(figure: str, scale: Scale, *, pinned: bool) -> list[Case]:
    if not pinned:
        if scale != FULL:
            return []
        scale = replace(scale, rounds=1)
    return for_all(figure, scale, lambda peer: {"calls": scale.count(peer.calls), "pinned": pinned})


def _measure(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    values = noisy(settings["calls"]).tolist()
    peer.load()
    bare = anonymous_mib()
    tracker = peer(folder)
    settle()
    with one_core(settings["pinned"]):
        used, thread, begun = tree_seconds(), time.thread_time_ns(), time.perf_counter_ns()
        tracker.log_all(values)
        looped, thread = time.perf_counter_ns(), time.thread_time_ns() - thread
        held = anonymous_mib() - bare
        tracker.close()
        closed = time.perf_counter_ns()
        tracker.rest()
        return {
            "call_us": (looped - begun) / len(values) / 1e3,
            "thread_us": thread / len(values) / 1e3,
            "closed_us": (closed - begun) / len(values) / 1e3,
            "cpu_us": (tree_seconds() - used) / len(values) * 1e6,
            "memory_mib": held,
        }


def _goals(table: Table) -> list[Goal]:
    what = '`run.log({"loss": x}, step=i)`'
    ours, writer = table[OURS]["call_us"], table.get("summary_writer")
    rows = [at_most(what, 0.8, ours, "us")]
    if writer is not None:
        rows += times_less(f"{what}, beside SummaryWriter", 25, ours, ("summary_writer", writer["call_us"]))
    other = cheapest(table, "call_us", but=("summary_writer",))
    return rows + times_less(f"{what}, beside the cheapest other", 10, ours, other)


def _dict_cases(scale: Scale) -> list[Case]:
    return for_all("dict_of_50", scale, lambda peer: {"dicts": scale.count(peer.dicts)})


def _measure_dicts(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    dicts = dicts_of(_NAMES, settings["dicts"])
    tracker = peer(folder)
    settle()
    with one_core(True):
        thread, begun = time.thread_time_ns(), time.perf_counter_ns()
        tracker.log_dicts(dicts)
        looped, thread = time.perf_counter_ns(), time.thread_time_ns() - thread
        tracker.close()
    numbers = len(dicts) * _NAMES * 1e3
    return {"number_us": (looped - begun) / numbers, "thread_us": thread / numbers}


def _dict_goals(table: Table) -> list[Goal]:
    what = f"a number in a dict of {_NAMES}"
    ours = table[OURS]["number_us"]
    other = cheapest(table, "number_us")
    return [at_most(what, 0.2, ours, "us"), *times_less(f"{what}, beside the cheapest other", 5, ours, other)]


FIGURES = (
    Figure(
        "log_call",
        lambda scale: _cases("log_call", scale, pinned=True),
        _measure,
        _goals,
        (
            Shown("call_us", "a log call, on one core, us"),
            Shown("thread_us", "processor time of the calling thread a call, us"),
            Shown("closed_us", "the same until everything is stored, us"),
            Shown("cpu_us", "processor time of everything a point, us"),
            Shown("memory_mib", "memory when the loop ends, MiB"),
        ),
    ),
    Figure(
        "log_call_all_cores",
        lambda scale: _cases("log_call_all_cores", scale, pinned=False),
        _measure,
        shown=(Shown("call_us", "a log call, on all cores, us"),),
    ),
    Figure(
        "dict_of_50",
        _dict_cases,
        _measure_dicts,
        _dict_goals,
        (Shown("number_us", "a number in a dict of 50, us"),),
    ),
)
