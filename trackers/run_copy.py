"""A run that is sent to another process: a spawned worker logs into it, as a forked child does."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import psutil

from ..storage.model import Run as StoredRun
from .guard import Guard
from .no_recorder import NoRecorder
from .recorder import Recorder
from .settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a run was when it was pickled."""

    run: StoredRun
    settings: Settings | None
    """None when nothing of the run is recorded."""
    stored: bool
    strict: bool
    host: str
    pid: int
    context: Mapping[str, str | int]
    """What every series of that process had, such as its rank."""


def origin_of(run: StoredRun, recorder: Recorder | NoRecorder, guard: Guard) -> Origin:
    """Return what another process needs to log into a run."""
    settings, stored, context = None, False, {}
    if isinstance(recorder, Recorder):
        settings, stored, context = recorder.settings, recorder.stored, recorder.context
    return Origin(run, settings, stored, guard.strict, platform.node(), os.getpid(), context)


def revive(make: Callable[[StoredRun, Recorder | NoRecorder, Guard], T], origin: Origin) -> T:
    """Make the run that logs here into the one that was pickled.

    Only a process that the pickling one started may: what is loaded from a checkpoint, weeks later or
    elsewhere, records nothing.
    """
    guard = Guard(strict=origin.strict)
    if origin.settings is not None and _is_descendant(origin):
        recorder = Recorder(
            origin.run,
            origin.settings,
            guard,
            stored=origin.stored,
            main=False,
            context=origin.context,
        )
        return make(origin.run, recorder, guard)
    guard.say(
        "copy",
        f"run {origin.run.run_id} was loaded by a process that is none of its own, and records nothing here. "
        f'Call stepscope.init(resume="{origin.run.run_id}") to go on with it.',
    )
    return make(origin.run, NoRecorder(guard), guard)


def _is_descendant(origin: Origin) -> bool:
    if platform.node() != origin.host:
        return False
    return origin.pid in (os.getpid(), *(parent.pid for parent in psutil.Process().parents()))
