"""How fast TensorBoard's event files are read: into a store, beside TensorBoard's own EventAccumulator.

The files are written as torch and as TensorFlow write numbers, ten tags at each step, and one has images and
histograms besides. Both readers get the same file, each in a process of its own; EventAccumulator as it is
where TensorFlow is installed (its reader is then in C++), and without it; it keeps as much as it does by
itself. Ours also stores what it read, in a store that is there. The seconds of the processor are compared:
each reads in one thread. A gigabyte of numbers tells whether the memory grows.
"""

from __future__ import annotations

import sys
import time
from importlib import util
from pathlib import Path
from types import ModuleType

from machine import anonymous_mib, settle, tree_seconds
from peers.base import Peer
from peers.registry import OURS
from plan import Case, Figure, Goal, Measures, Scale, Settings, Table, number

_NUMBERS, _LARGE, _MIXED_BYTES = 2_000_000, 20_000_000, 100_000_000
_LEAST_SHARE = 0.1
_TITLES = {
    "torch": "numbers of torch",
    "tensorflow": "numbers of TensorFlow",
    "mixed": "images and histograms",
}
_IMPORT, _THEIRS, _ALONE = "import", "EventAccumulator", "EventAccumulator without TensorFlow"
_LARGEST = f"{OURS}, a large file"


def _logs(form: str, size: int) -> Case:
    return Case(
        "event_logs", OURS, {"form": form, "size": size}, f"{form} {size:,}", folder=f"logs-{form}-{size}"
    )


def _build(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    del peer
    from event_logs import write_mixed, write_numbers

    begun = time.perf_counter()
    if settings["form"] == "mixed":
        path = write_mixed(folder / "logs", settings["size"])
    else:
        path = write_numbers(folder / "logs", settings["size"], settings["form"])
    return {"write_s": time.perf_counter() - begun, "bytes": path.stat().st_size}


def _cases(scale: Scale) -> list[Case]:
    sizes = {"torch": scale.count(_NUMBERS), "tensorflow": scale.count(_NUMBERS)}
    sizes["mixed"] = scale.count(_MIXED_BYTES)
    # To load TensorFlow takes longer than to read what a test of this figure writes.
    with_tensorflow = scale.share >= _LEAST_SHARE and util.find_spec("tensorflow") is not None
    readers = [_IMPORT, _ALONE, *([_THEIRS] if with_tensorflow else [])]
    cases = [
        _case(form, size, reader, _label(form, reader), scale.rounds)
        for form, size in sizes.items()
        for reader in readers
    ]
    return [*cases, _case("torch", scale.count(_LARGE), _IMPORT, _LARGEST, 1)]


def _case(form: str, size: int, reader: str, label: str, rounds: int) -> Case:
    logs = _logs(form, size)
    settings = {"logs": logs.folder, "reader": reader}
    return Case("event_files", OURS, settings, label, rounds, needs=logs)


def _label(form: str, reader: str) -> str:
    return f"{OURS if reader == _IMPORT else reader}, {_TITLES[form]}"


def _measure(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    del peer
    logs = folder.parent / settings["logs"] / "logs"
    size = sum(path.stat().st_size for path in logs.iterdir())
    read = _import if settings["reader"] == _IMPORT else _accumulate
    measures = read(logs, folder, settings["reader"])
    return {**measures, "mb_s": size / 1e6 / measures["read_s"]}


def _import(logs: Path, folder: Path, _: str) -> Measures:
    from stepscope.storage.write import Writer
    from stepscope.trackers.imports import import_runs
    from stepscope.trackers.sources.tensorboard.source import TensorBoardSource

    store = str(folder / "runs.db")
    # The store is made before the clock runs, with what that loads, as TensorFlow is loaded for the others.
    with Writer.open(store):
        settle()
    memory = [anonymous_mib()]
    begun, used = time.perf_counter(), tree_seconds()
    done = import_runs(TensorBoardSource(logs), store, progress=lambda _: memory.append(anonymous_mib()))
    spent, cpu = time.perf_counter() - begun, tree_seconds() - used
    assert not done.problems, done.problems
    values = done.points + done.records
    grown = max(memory) - memory[0]
    return {"read_s": spent, "cpu_s": cpu, "values_s": values / spent, "grown_mib": grown}


def _accumulate(logs: Path, _: Path, reader: str) -> Measures:
    if reader == _ALONE:
        sys.modules["tensorboard.compat.notf"] = ModuleType("tensorboard.compat.notf")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.compat import tf

    assert tf.__version__  # loaded before the clock runs
    settle()
    begun, used = time.perf_counter(), tree_seconds()
    EventAccumulator(str(logs)).Reload()
    return {"read_s": time.perf_counter() - begun, "cpu_s": tree_seconds() - used}


def _goals(table: Table) -> list[Goal]:
    goals = [_times(table, form) for form in _TITLES]
    grown, speed = table[_LARGEST]["grown_mib"], table[_LARGEST]["values_s"]
    size = table[_LARGEST]["mb_s"] * table[_LARGEST]["read_s"]
    told = f"{number(grown)} MiB ({number(size)} MB, {number(speed / 1e6)} million numbers a second)"
    return [*goals, Goal("memory of importing a large event file", "at most 150 MiB", told, grown <= 150)]


def _times(table: Table, form: str) -> Goal:
    ours = table[_label(form, _IMPORT)]["cpu_s"]
    theirs = {reader: table.get(_label(form, reader)) for reader in (_THEIRS, _ALONE)}
    ratios = {reader: found["cpu_s"] / ours for reader, found in theirs.items() if found is not None}
    told = ", ".join(f"{number(ratio)} times ({reader})" for reader, ratio in ratios.items())
    met = min(ratios.values(), default=0.0) >= 4
    return Goal(f"importing event files: {_TITLES[form]}", "at least 4 times as fast", told, met)


FIGURES = (
    Figure("event_logs", lambda _: [], _build),
    Figure("event_files", _cases, _measure, _goals),
)
