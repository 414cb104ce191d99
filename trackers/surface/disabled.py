"""A run of init(mode="disabled"): it takes everything and keeps nothing."""

from __future__ import annotations

import time
from typing import Any

from ...storage.model import Run as StoredRun
from ...storage.model import RunState
from ..guard import Guard
from ..no_recorder import NoRecorder
from ..run import Run
from ..run_id import new_run_id
from ..settings import is_strict
from ..tracked_dict import as_config, text_of


def disabled_run(project: str | None, name: str | None, config: Any) -> Run:
    """Return a run that has config and summary, and whose values go nowhere."""
    guard = Guard(strict=is_strict())
    entries: dict[str, Any] = {}
    with guard("reading config"):
        entries = as_config(config)
    now = time.time()
    stored = StoredRun(
        run_id=new_run_id(),
        project="default" if project is None else text_of(project),
        name="disabled" if name is None else text_of(name),
        state=RunState.RUNNING,
        created_at=now,
        updated_at=now,
        config=entries,
    )
    return Run(stored, NoRecorder(guard), guard)
