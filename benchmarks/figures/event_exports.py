"""How fast runs leave as TensorBoard's event files, beside torch's SummaryWriter writing the same numbers.

The run has ten scalars. Ours reads them from a store and writes its files to the disk, whole; torch's writer
gets numbers that are in memory already. Each is a process of its own. A run of ten million tells whether the
memory grows.
"""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path

import numpy as np

from machine import anonymous_mib, settle
from peers.base import Peer
from peers.registry import OURS
from plan import Case, Figure, Goal, Measures, Scale, Settings, Table, number

_NUMBERS, _LARGE, _TAGS = 1_000_000, 10_000_000, 10
_LARGEST, _THEIRS = f"{OURS}, a large run", "SummaryWriter"


def _store(size: int) -> Case:
    return Case("event_runs", OURS, {"size": size}, f"a run of {size:,}", folder=f"run-{size}")


def _build(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    del peer
    from big_series import build

    build(folder / "runs.db", settings["size"], series=_TAGS, float32=True)
    return {"bytes": (folder / "runs.db").stat().st_size}


def _cases(scale: Scale) -> list[Case]:
    size = scale.count(_NUMBERS)
    theirs = Case("event_exports", OURS, {"size": size, "store": ""}, _THEIRS, scale.rounds)
    return [
        _export(size, OURS, scale.rounds),
        theirs,
        _export(scale.count(_LARGE), _LARGEST, 1),
    ]


def _export(size: int, label: str, rounds: int) -> Case:
    made = _store(size)
    return Case("event_exports", OURS, {"size": size, "store": made.folder}, label, rounds, needs=made)


def _measure(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    del peer
    if settings["store"]:
        return _ours(folder.parent / settings["store"] / "runs.db", folder / "logs")
    return _theirs(settings["size"], folder / "logs")


def _ours(store: Path, logs: Path) -> Measures:
    from stepscope.storage.read import Reader
    from stepscope.trackers.exports import export_tensorboard

    # What is loaded once and for all is loaded before the clock runs.
    import_module("stepscope.trackers.sinks.tensorboard.sink")
    with Reader.open(str(store)) as reader:
        settle()
        memory = [anonymous_mib()]
        begun = time.perf_counter()
        runs = [run.run_id for run in reader.runs()]
        done = export_tensorboard(reader, runs, logs, lambda *_: memory.append(anonymous_mib()))
        spent = time.perf_counter() - begun
    return {**_written(logs, done.points, spent), "grown_mib": max(memory) - memory[0]}


def _theirs(size: int, logs: Path) -> Measures:
    from torch.utils.tensorboard.writer import SummaryWriter

    values = np.random.default_rng(0).standard_normal(size).tolist()
    tags = [f"metric/{tag}" for tag in range(_TAGS)]
    settle()
    begun = time.perf_counter()
    with SummaryWriter(str(logs)) as writer:
        for place, value in enumerate(values):
            writer.add_scalar(tags[place % _TAGS], value, place // _TAGS)
    return _written(logs, size, time.perf_counter() - begun)


def _written(logs: Path, points: int, spent: float) -> Measures:
    size = sum(path.stat().st_size for path in logs.rglob("*") if path.is_file())
    return {"write_s": spent, "values_s": points / spent, "bytes_a_value": size / points}


def _goals(table: Table) -> list[Goal]:
    ours, theirs, large = table[OURS], table[_THEIRS], table[_LARGEST]
    speed, ratio = ours["values_s"], ours["values_s"] / theirs["values_s"]
    told = (
        f"{number(speed)} scalars a second, {number(ratio)} times SummaryWriter's "
        f"({number(ours['bytes_a_value'])} bytes each; SummaryWriter {number(theirs['bytes_a_value'])})"
    )
    grown = large["grown_mib"]
    return [
        Goal("exporting event files", "at least 100,000 scalars a second", told, speed >= 100_000),
        Goal("memory of exporting a long run", "at most 100 MiB", f"{number(grown)} MiB", grown <= 100),
    ]


FIGURES = (
    Figure("event_runs", lambda _: [], _build),
    Figure("event_exports", _cases, _measure, _goals),
)
