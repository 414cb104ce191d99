"""Where a SummaryWriter writes: its run, the folder it is named after, and event files beside."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from ...storage.errors import BadInput, StepscopeError
from ...storage.read import Reader
from ..init import init
from ..run import Run

P = ParamSpec("P")
T = TypeVar("T")
W = TypeVar("W", bound="Target")


def beside(method: Callable[Concatenate[W, P], T]) -> Callable[Concatenate[W, P], T]:
    """Make a method write to the event files first, if there are any: the errors are theirs."""

    @functools.wraps(method)
    def both(self: W, *args: P.args, **kwargs: P.kwargs) -> T:
        if self.event_files is not None:
            getattr(self.event_files, method.__name__)(*args, **kwargs)
        return method(self, *args, **kwargs)

    return both


class Target:
    """A run that is begun when the writer is made, finished by `close`, and resumed by what comes after."""

    def __init__(self, log_dir: Any, run: Run | None, purge_step: int | None) -> None:
        """Begin a run that is named after `log_dir`, or write to `run`.

        With a `purge_step`, the newest run of that name goes on; its values from that step on give way
        to what is logged again.

        Raises:
            BadInput: `run` is no run.
        """
        if run is not None and not isinstance(run, Run):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise BadInput(
                f"SummaryWriter needs run= as stepscope.init returned it, but got {type(run).__name__}. "
                f"Left out, the writer begins a run of its own."
            )
        self.log_dir = log_dir
        self.event_files: Any = None
        self._own = run is None
        self._open: Run | None = run
        self._counts: dict[tuple[str, str], int] = {}
        if run is None:
            # Programs keep checkpoints in the writer's folder.
            os.makedirs(log_dir, exist_ok=True)
            self._open = init(name=self._name, resume=None if purge_step is None else _newest(self._name))
        assert self._open is not None  # noqa: S101 - for the type checker
        self._run = self._open

    @property
    def run(self) -> Run:
        """The run that takes the values; after `close` a run of the writer's own is resumed."""
        if self._open is None:
            self._open = self._run = init(name=self._name, resume=self._run.id)
        return self._open

    @property
    def _name(self) -> str:
        return str(self.log_dir)

    def put(
        self,
        tag: str,
        value: Any,
        global_step: Any = None,
        walltime: float | None = None,
        context: Mapping[str, str] | None = None,
    ) -> None:
        """Record one value.

        Args:
            tag: the series.
            value: as for `run.log`.
            global_step: anything that int() takes; None for one more than the tag's last one without.
            walltime: seconds since the epoch; None for now.
            context: as for `run.log`.

        Raises:
            TypeError: the tag is no string.
            TypeError, ValueError: int() does not take the step.
        """
        if not isinstance(tag, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a tag must be a string, but got {type(tag).__name__} {tag!r}")
        step = self._next(tag, context) if global_step is None else int(global_step)
        now = time.time() if walltime is None else float(walltime)
        self.run.log_past({tag: value}, step=step, time=now, context=context)

    def flush(self) -> None:
        """Wait until all that was added is stored."""
        if self.event_files is not None:
            self.event_files.flush()
        if self._open is not None:
            self._open.flush()

    def end(self, error: BaseException | None) -> None:
        """Finish a run of the writer's own, as `error` says; another one is only flushed."""
        if self.event_files is not None:
            self.event_files.close()
        if self._own and self._open is not None:
            self._open.finish_after(error)
            self._open = None
        elif self._open is not None:
            self._open.flush()

    def _next(self, tag: str, context: Mapping[str, str] | None) -> int:
        key = (tag, str(context or ""))
        step = self._counts[key] = self._counts.get(key, -1) + 1
        return step


def default_log_dir(comment: str) -> str:
    """Return the folder that the original would take: runs/<time>_<host><comment>."""
    moment = datetime.now().strftime("%b%d_%H-%M-%S")
    return os.path.join("runs", f"{moment}_{socket.gethostname()}{comment}")


def _newest(name: str) -> str | None:
    """Return the id of the newest run of that name; None when there is none, or no store."""
    with contextlib.suppress(StepscopeError), Reader.open() as reader:
        found = [run for run in reader.runs() if run.name == name]
        return max(found, key=lambda run: run.created_at).run_id if found else None
    return None
