"""The functions of `import stepscope` that write to the active run.

They do what the methods of Run do. Without a run, they say so once and the program goes on; with
STEPSCOPE_STRICT=1 it is an error. What returns something raises in any case.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from ...storage.artifacts import Artifact as StoredArtifact
from ..guard import Guard
from ..settings import is_strict
from .active import active_run, need_run
from .artifact import Artifact

_guards: dict[str, Guard] = {}


def log(data: Mapping[str, Any], step: int | None = None, commit: bool | None = None, **options: Any) -> None:
    """Record values at a step of the active run; see Run.log.

    Args:
        data: name -> number, array, tensor or wrapped value; a dict in it is one level of names: `a.b`.
        step: any int64; left out, the last step + 1.
        commit: False leaves the step open: the next call still logs to it.
        options: `context`, as for Run.log.
    """
    run = active_run()
    if run is not None:
        run.log(data, step, commit=commit, **options)
    else:
        _say_no_run("log")


def finish(exit_code: int | None = None, quiet: bool | None = None) -> None:  # noqa: ARG001 - nothing is printed
    """Finish the active run, as failed when `exit_code` is not 0; without a run do nothing."""
    run = active_run()
    if run is not None:
        run.finish(exit_code=exit_code)


def watch(
    models: Any,
    criterion: Any = None,
    log: str | None = "gradients",
    log_freq: int = 1000,
    idx: int | None = None,
    log_graph: bool = False,
) -> None:
    """Record what the hooks see of models that are trained; see Run.watch."""
    run = active_run()
    if run is not None:
        run.watch(models, criterion, log, log_freq, idx, log_graph)
    else:
        _say_no_run("watch")


def unwatch(models: Any = None) -> None:
    """Take the hooks off models, or off all that are watched; see Run.unwatch."""
    run = active_run()
    if run is not None:
        run.unwatch(models)


def define_metric(name: str, step_metric: str | None = None, **options: Any) -> None:
    """Say what stands for a metric in the summary, and what it is drawn over; see Run.define_metric."""
    run = active_run()
    if run is not None:
        run.define_metric(name, step_metric, **options)
    else:
        _say_no_run("define_metric")


def alert(
    title: str, text: str = "", level: str = "info", wait_duration: float | timedelta | None = None
) -> None:
    """Tell people something about the active run; see Run.alert."""
    run = active_run()
    if run is not None:
        run.alert(title, text, level or "info", wait_duration=wait_duration)
    else:
        _say_no_run("alert")


def save(
    glob_str: str | os.PathLike[str] | None = None, base_path: Any = None, policy: str = "live"
) -> list[str]:
    """Keep files that match a pattern with the active run; see Run.save."""
    return need_run("save").save(glob_str, base_path, policy)


def log_artifact(
    artifact_or_path: Artifact | str | os.PathLike[str],
    name: str | None = None,
    type: str | None = None,
    aliases: Iterable[str] | None = None,
) -> StoredArtifact:
    """Keep files with the active run; see Run.log_artifact."""
    return need_run("log_artifact").log_artifact(artifact_or_path, name, type=type, aliases=aliases or ())


def use_artifact(artifact_or_name: Artifact | str, type: str | None = None) -> StoredArtifact:
    """Return an artifact of the active run's project; see Run.use_artifact."""
    return need_run("use_artifact").use_artifact(artifact_or_name, type)


def login(*_: Any, **__: Any) -> bool:
    """There is nothing to log in to: everything stays on this machine, or in your own database."""
    return True


def _say_no_run(what: str) -> None:
    # Its own guard, since guards belong to runs; strictness is asked for anew, as init does.
    strict = is_strict()
    guard = _guards.setdefault(f"{what} {strict}", Guard(strict=strict))
    with guard(f"calling stepscope.{what}"):
        need_run(what)


__all__: Sequence[str] = [
    "alert",
    "define_metric",
    "finish",
    "log",
    "log_artifact",
    "login",
    "save",
    "unwatch",
    "use_artifact",
    "watch",
]
