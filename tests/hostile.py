"""What the tests of hostile circumstances share. Imported as `hostile`: pytest puts tests/ on the path."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import stepscope
from stepscope.storage.model import SYSTEM_PREFIX, Run, RunState
from stepscope.storage.read import Reader
from support import ROOT, wait_until

if TYPE_CHECKING:
    import pytest

LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


@contextmanager
def locked_by_another(store: str | Path) -> Generator[None]:
    """Let another process hold the whole store."""
    command = [sys.executable, "-c", LOCKER, str(store)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "locked\n"
        yield
    finally:
        process.stdin.close()
        assert process.wait(60) == 0
        process.stdout.close()


def until_ended(store: str | Path, run_id: str) -> Run:
    """Return a run that ended by itself, once the next run has stored what it left in its journal."""
    with stepscope.init(store=store), Reader.open(store) as reader:

        def ended() -> list[Run]:
            found = reader.runs(run_ids=[run_id])
            return [run for run in found if run.state is not RunState.RUNNING and not left(store, run_id)]

        return wait_until(ended, 60, "the end of the run")[0]


def left(store: str | Path, run_id: str) -> list[Path]:
    """Return the journals of a run."""
    return list(Path(f"{store}.spool").glob(f"{run_id}-*"))


def stored(store: str | Path, run_id: str) -> dict[str, int]:
    """Return how many values of each name are stored, those about the machine left out."""
    with Reader.open(store) as reader:
        found: dict[str, int] = {}
        for series in reader.series(run_id):
            if not series.name.startswith(SYSTEM_PREFIX):
                found[series.name] = found.get(series.name, 0) + series.count
        return found


def lost(store: str | Path, run_id: str) -> int:
    """Return how many values the run shows as dropped, those about the machine left out."""
    with Reader.open(store) as reader:
        dropped = reader.run(run_id).dropped
    return sum(count for reason, count in dropped.items() if "system" not in reason)


def points(store: str | Path, run_id: str, name: str = "loss") -> dict[int, float]:
    """Return a series without a context: step -> value; fail if a point is there twice."""
    with Reader.open(store) as reader:
        (series,) = [one for one in reader.series(run_id, name=name) if not one.context]
        found = reader.points(series)
        assert series.count == found.total, "a point is there twice"
        return dict(zip(found.step.tolist(), found.last.tolist(), strict=True))


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the user was told."""
    return [record.getMessage().removeprefix("stepscope: ") for record in caplog.records]
