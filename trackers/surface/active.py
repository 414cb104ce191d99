"""The active run: what functions without a run in their arguments write to."""

from __future__ import annotations

from typing import Any, NoReturn

from ...storage.errors import BadInput
from ..run import Run

_open_runs: list[Run] = []
"""Runs of stepscope.init that are not finished, the newest last."""


def enter(run: Run) -> Run:
    """Make a run the active one until it is finished; then the one before is active again."""
    _open_runs.append(run)
    run.on_finish(lambda: _open_runs.remove(run))
    return run


def active_run() -> Run | None:
    """Return the newest run that is not finished, or None."""
    return _open_runs[-1] if _open_runs else None


def need_run(what: str) -> Run:
    """Return the active run. Raises BadInput when there is none; `what` is who needs it."""
    run = active_run()
    if run is None:
        raise BadInput(
            f"stepscope.{what} needs a run, but none is open. Call stepscope.init(project=...) first, "
            f"and stepscope.finish() last."
        )
    return run


class NoRun:
    """Stands for config and summary while there is no run; whoever uses it is told what to do."""

    def __init__(self, what: str) -> None:
        """Say that `what` needs a run."""
        object.__setattr__(self, "_what", what)

    def _refuse(self, *_: Any) -> NoReturn:
        need_run(object.__getattribute__(self, "_what"))
        raise BadInput("the run was opened after this was looked up. Look it up again.")

    def __getattr__(self, name: str) -> Any:
        """Refuse; to the questions of copy, pickle and the like say no."""
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse()

    __setattr__ = __getitem__ = __setitem__ = __delitem__ = __iter__ = __len__ = __contains__ = _refuse


def live(name: str) -> Any:
    """Return what `stepscope.run`, `.config` or `.summary` is at this moment."""
    run = active_run()
    if name == "run":
        return run
    return NoRun(name) if run is None else getattr(run, name)
