"""32 processes log at full speed for five seconds into one store; and one alone, in the same run.

They begin together, once all have opened their run. When all have ended, what is left in journals is stored,
as the next run or the dashboard would do; then what each one logged is compared with what is stored.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from machine import settle
from peers.base import Peer
from peers.registry import OURS, PEERS
from plan import Case, Figure, Goal, Measures, Scale, Settings, Table, number

_PROCESSES, _SECONDS = 32, 5.0
_BLOCK = 1_000
_ALONE, _TOGETHER = f"{OURS}, 1 process", f"{OURS}, {_PROCESSES} processes"
_LOCKED = "database is locked"


def _cases(scale: Scale) -> list[Case]:
    seconds = max(0.2, _SECONDS * min(1.0, scale.share * 10))
    return [
        Case("many_processes", OURS, {"processes": count, "seconds": seconds}, label, scale.rounds)
        for count, label in ((1, _ALONE), (_PROCESSES if scale.share > 0.01 else 2, _TOGETHER))
    ]


def _measure(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    count = settings["processes"]
    # The store is there before: how eight processes create one at the same moment is a test's matter.
    peer(folder).close()
    context = multiprocessing.get_context("spawn")
    barrier, counts = context.Barrier(count), context.Queue()
    said = folder / "said.txt"
    arguments = (peer.module, folder, settings["seconds"], barrier, counts, said)
    processes = [context.Process(target=_log, args=arguments) for _ in range(count)]
    for process in processes:
        process.start()
    found = [counts.get(timeout=300) for _ in processes]
    begun = time.perf_counter()
    for process in processes:
        process.join()
    ended = time.perf_counter()
    stored, dropped = _stored(folder)
    logged, rates = zip(*found, strict=True)
    return {
        "points_s": sum(rates),
        "logged": sum(logged),
        "lost": sum(logged) - stored,
        "dropped": dropped,
        "failed": sum(process.exitcode != 0 for process in processes),
        "locked": said.read_text(errors="replace").count(_LOCKED),
        "ended_s": ended - begun,
        "recovered_s": time.perf_counter() - ended,
    }


def _log(module: str, folder: Path, seconds: float, barrier: Barrier, counts: Any, said: Path) -> None:
    with said.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    (peer,) = (one for one in PEERS.values() if one.module == module)
    tracker: Any = peer(folder)
    settle()
    log, step = tracker.log, 0
    barrier.wait()
    begun = now = time.perf_counter()
    while now < begun + seconds:
        for step in range(step, step + _BLOCK):  # noqa: B020  the next block goes on where this one ended
            log(step, 0.5)
        step += 1
        now = time.perf_counter()
    tracker.close()
    counts.put((step, step / (now - begun)))


def _stored(folder: Path) -> tuple[int, int]:
    """Return how many points are in the store, and how many the store says were dropped."""
    from stepscope.storage.drain import recover_orphans
    from stepscope.storage.read import Reader
    from stepscope.storage.write import Writer

    store = folder / "runs.db"
    with Writer.open(store) as writer:
        recover_orphans(writer)
    with Reader.open(store) as reader:
        runs = reader.runs()
        series = reader.series([run.run_id for run in runs], name="loss")
    return sum(one.count for one in series), sum(sum(run.dropped.values()) for run in runs)


def _goals(table: Table) -> list[Goal]:
    alone, together = table[_ALONE], table[_TOGETHER]
    share = together["points_s"] / alone["points_s"]
    bad = {name: int(together[name]) for name in ("failed", "lost", "dropped", "locked")}
    told = f"of {number(together['logged'])} points: {', '.join(f'{n} {what}' for what, n in bad.items())}"
    return [
        Goal("32 processes into one store: errors and loss", "none", told, not any(bad.values())),
        Goal(
            "32 processes: the sum, beside one alone",
            "at least 70 %",
            f"{share:.0%} of {number(alone['points_s'])} points a second",
            share >= 0.7,
        ),
    ]


FIGURES = (Figure("many_processes", _cases, _measure, _goals),)
