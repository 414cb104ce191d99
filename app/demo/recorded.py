"""The runs that come with Stepscope, to look at on a machine that has trained nothing yet.

They lie packed in sample_runs/recorded/, in the repository and in the wheel; sample_runs/record.py made them.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import zstandard

from ...storage.model import Run
from ...storage.read import Reader
from ..temporary_folder import TemporaryFolder
from ..views.words import one_of
from . import SAMPLES

PACKED = SAMPLES / "recorded" / "recorded.db.zst"
PREFIX = "stepscope-demo-"


@contextmanager
def recorded_copy() -> Generator[Path]:
    """Yield a store with the recorded runs, in a temporary folder that is removed afterwards.

    What came with Stepscope is never opened, so it stays as it is whatever is done in the dashboard.

    Raises:
        OSError: there is no room for it.
    """
    folder = TemporaryFolder(PREFIX)
    try:
        store = folder.path / PACKED.stem
        with PACKED.open("rb") as packed, store.open("wb") as plain:
            zstandard.ZstdDecompressor().copy_stream(packed, plain)
        yield store
    finally:
        folder.remove()


def description(store: Path) -> str:
    """Return how many recorded runs there are, and when and on which machines they were made."""
    with Reader.open(store) as reader:
        runs = reader.runs()
        machines = {_machine(reader.environment(run.run_id)) for run in runs}
    projects = one_of(len({run.project for run in runs}), "project")
    return f"{one_of(len(runs), 'run')} in {projects}, {_days(runs)} on {' and '.join(sorted(machines))}"


def _days(runs: list[Run]) -> str:
    first, last = min(run.created_at for run in runs), max(run.created_at for run in runs)
    days = [f"{datetime.fromtimestamp(time):%Y-%m-%d}" for time in (first, last)]
    return f"recorded {' to '.join(dict.fromkeys(days))}"


def _machine(environment: dict[str, Any]) -> str:
    cpu = environment["cpu"]
    gpus = ", ".join(environment["gpu"]) or "no GPU"
    return f"{cpu['model']} ({one_of(cpu['usable'], 'core')}, {gpus})"
