"""How long the list of 2,000 runs takes, each with its config and the last values of 50 metrics.

The store stays open; every reading asks it anew and looks at every value. The median of five counts.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from peers.base import Peer
from peers.registry import OURS
from plan import Case, Figure, Goal, Measures, Scale, Settings, Table, at_most

_RUNS, _METRICS, _POINTS = 2_000, 50, 20
_READS = 5


def _cases(scale: Scale) -> list[Case]:
    runs = scale.count(_RUNS)
    store = Case("many_runs", OURS, {"runs": runs}, f"{runs:,} runs", folder=f"runs-{runs}")
    return [Case("listing", OURS, {"runs": runs}, "", scale.rounds, store.folder, store)]


def _build(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    del peer
    from big_series import add_run
    from stepscope.storage.write import Writer

    begun = time.perf_counter()
    with Writer.open(folder / "runs.db") as writer:
        for number in range(settings["runs"]):
            config = {"lr": 0.001 * number, "layers": 4, "optimizer": {"name": "adam", "betas": [0.9, 0.999]}}
            add_run(writer, _POINTS * _METRICS, series=_METRICS, config=config)
    return {"build_s": time.perf_counter() - begun}


def _measure(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    del peer
    import stepscope

    spent: list[float] = []
    rows: list[Any] = []
    with stepscope.open(folder / "runs.db") as store:
        for _ in range(_READS):
            begun = time.perf_counter()
            rows = [(run.name, dict(run.config), dict(run.last)) for run in store.runs()]
            spent.append((time.perf_counter() - begun) * 1e3)
        begun = time.perf_counter()
        table = store.runs().pandas()
        as_table = (time.perf_counter() - begun) * 1e3
    assert len(rows) == len(table) == settings["runs"]
    assert all(len(last) == _METRICS for _, _, last in rows)
    return {"list_ms": statistics.median(spent), "first_ms": spent[0], "pandas_ms": as_table}


def _goals(table: Table) -> list[Goal]:
    what = "listing 2,000 runs with config and last values of 50 metrics"
    return [at_most(what, 150, table[OURS]["list_ms"], "ms")]


FIGURES = (Figure("many_runs", lambda _: [], _build), Figure("listing", _cases, _measure, _goals))
