"""The Run: what a training loop holds."""

from __future__ import annotations

import atexit
import contextlib
import math
import time
import weakref
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from ..storage.errors import BadInput
from ..storage.lanes import JournalFull
from ..storage.model import SYSTEM_PREFIX, RunState
from ..storage.model import Run as StoredRun
from ..storage.nested import flatten
from . import exceptions
from .alerts import Alerts
from .arguments import MAX_STEP, as_step, check_context
from .device_snapshot import Snapshot
from .guard import Guard
from .no_recorder import NoRecorder
from .recorder import Recorder
from .rules import Extremes, Rules
from .run_copy import Origin, origin_of, revive
from .run_fields import RunFields
from .surface.run import RunSurface
from .tracked_dict import plain, text_of
from .values import number_on_host, prepare

_FINISH_SECONDS = 1.8
"""How long finish() takes at most; a little is left for what ends with the interpreter."""
_CLOSE_SECONDS = 0.3
"""How much of that the store gets at least, when a full disk or a hook took the rest."""
_ROWS_TOGETHER = 10
"""How many steps of a hook's numbers wait for each other."""


class Run(RunFields, RunSurface):
    """One run. Made by `stepscope.init`; safe to use from several threads."""

    def __init__(
        self,
        stored: StoredRun,
        recorder: Recorder | NoRecorder,
        guard: Guard,
        *,
        last_step: int | None = None,
        extremes: Extremes | None = None,
        samples: Mapping[str, int] | None = None,
    ) -> None:
        """Begin to record `stored`; use `stepscope.init` instead."""
        RunFields.__init__(self, stored, recorder, guard)
        self._begun_as = stored
        self._created_at = stored.created_at
        # By a clock that nobody sets; of a run that is resumed, the attempts before are counted in.
        self._began = time.monotonic() - max(0.0, time.time() - stored.created_at)
        self._alerts = Alerts(guard)
        self._samples = samples or {}
        looked = stored.attempt == 0 or samples is not None
        self._untrained = looked and last_step is None
        self._rules = Rules(self._alerts, extremes or {})
        recorder.use_rules(self._rules)
        self._step = -1 if last_step is None else last_step
        # From an attempt before, or with a context: it is no surprise that one without goes on elsewhere.
        self._step_apart = last_step
        self._fixed_step: int | None = None
        self._finished = False
        self._on_finish: list[Callable[[], None]] = []
        self._on_closed: list[Callable[[], None]] = []
        RunSurface.__init__(self)
        exceptions.tell_of_threads(self)
        atexit.register(_finish_at_exit, weakref.ref(self))

    @property
    def step(self) -> int:
        """The newest step; -1 before anything was logged."""
        return self._step

    @property
    def rank(self) -> int:
        """The rank of this process among those that train together; 0 when it trains alone."""
        return self._recorder.rank

    @property
    def cost_budget(self) -> float:
        """Percent of the step time that a hook may take before it looks less often."""
        return self._recorder.cost_budget

    def log(
        self,
        values: Mapping[str, Any],
        step: int | None = None,
        *,
        context: Mapping[str, str | int] | None = None,
        commit: bool | None = None,
    ) -> None:
        """Record values at a step. Returns at once; nothing it took is lost by a crash.

        Args:
            values: name -> number, array, tensor or wrapped value (Image, Audio, Text ...). An
                array or tensor of one element is a number, of more elements a histogram. The entries of
                a dict get its name before their own: `a.b`.
            step: any int64; left out, the last step + 1, or the step that a hook has set.
            context: tells series of one name apart, such as {"rank": 1}.
            commit: False, without a step, records at the step of the next call, which goes on from there.
        """
        now = time.time()
        if commit is False and step is None:
            return self.log_past(values, step=self._next_step(), time=now, context=context)
        recorder = self._recorder
        rest: Collection[Any] = values
        name = None
        try:
            with recorder.lock:
                at = self._next_step() if step is None else step
                if type(at) is not int or not self._step <= at <= MAX_STEP:
                    at = self._odd_step(at, context)
                if context is not None:
                    check_context(context)
                    self._step_apart = at
                # Also when nothing can be taken: later values are not to get the steps of lost ones.
                self._step = at
                journal = recorder.journal
                # The shortest path of all, for what is logged most: floats of known names.
                if journal is not None and context is None:
                    rest = journal.points.append_floats(values, recorder.numbers, at, now)
                if rest:
                    # As in Recorder.turn, which would cost half as much as the rest.
                    depth, recorder.depth = recorder.depth, recorder.depth + 1
                    try:
                        for name in rest:
                            self._log_one(name, values[name], at, now, context or {})
                    finally:
                        recorder.depth = depth
                if recorder.aside and not recorder.depth:
                    recorder.append_aside()
        except Exception as error:
            self._handle(error, values, rest, name)

    def log_soon(self, values: Mapping[str, float | Snapshot], step: int) -> None:
        """Record numbers of a hook that logs at every step, some steps together.

        One call of `log` takes several times longer in the midst of a training step, which leaves nothing of
        it in the processor's caches, than right after another. The writer's thread appends what waits
        once a second or so. Until then it is lost if the process is killed.

        Args:
            values: what does not change any more.
            step: of these, and from now on of values that are logged without a step.
        """
        self._step = self._fixed_step = step
        rows = self._recorder.rows
        rows.append((values, step, time.time()))
        if len(rows) >= _ROWS_TOGETHER:
            self.log_waiting()

    def log_waiting(self) -> None:
        """Record what `log_soon` still holds."""
        with self.guard("logging"), self._recorder.turn():
            self._recorder.append_rows()

    def set_step(self, step: int) -> None:
        """Fix the step of values that are logged without one; hooks that count steps call it."""
        with self.guard("setting the step"):
            self._step = self._fixed_step = as_step(step)

    def samples_before(self, series: str) -> int | None:
        """Return how many samples a series had counted when this attempt began; None if that is not known."""
        return self._samples.get(series, 0 if self._untrained else None)

    def log_system(self, values: Mapping[str, float]) -> None:
        """Record measurements of the machine; their steps are seconds since the run began."""
        now, second = time.time(), int(time.monotonic() - self._began)
        with self.guard("logging system metrics"), self._recorder.turn():
            for name, value in values.items():
                series = SYSTEM_PREFIX + name.removeprefix(SYSTEM_PREFIX)
                self._log_one(series, value, second, now, {})

    def log_past(
        self,
        values: Mapping[str, Any],
        *,
        step: int,
        time: float,
        context: Mapping[str, str | int] | None = None,
    ) -> None:
        """Record values that another program's writer took note of before, at their own step and time.

        It does not change which step comes next, nor is it a surprise when steps go back.

        Args:
            values: as for `log`.
            step: any int64.
            time: seconds since the epoch.
            context: as for `log`.
        """
        with self.guard("logging past values"), self._recorder.turn():
            at = as_step(step)
            for name, value in values.items():
                self._log_one(name, value, at, time, context or {})

    def keep_console(self) -> None:
        """Keep what this program prints from now on with the run; `init` calls it."""
        with self.guard("keeping the console"):
            self._recorder.keep_console()
            self.on_finish(self._recorder.stop_console)

    def on_finish(self, call: Callable[[], None]) -> None:
        """Call something when the run ends, before its journal closes; hooks clean up with it."""
        self._on_finish.append(call)

    def on_closed(self, call: Callable[[], None]) -> None:
        """Call something when the run has ended and its journal is closed."""
        self._on_closed.append(call)

    def flush(self, timeout: float = 30.0) -> bool:
        """Wait until all that was logged is in the store; False when it is not within `timeout`."""
        return self._recorder.flush(timeout)

    def finish(
        self,
        state: str | int = RunState.FINISHED,
        error: str | None = None,
        *,
        exit_code: int | None = None,
        quiet: bool | None = None,  # noqa: ARG002 - nothing is printed anyway
    ) -> None:
        """End the run and store what is left. Calling it again does nothing.

        Args:
            state: "finished", "failed" or "killed"; or a program's exit code, as `exit_code`.
            error: the traceback, if there is one.
            exit_code: not 0 means that it failed.
            quiet: without meaning here.

        It takes two seconds at most, and three more if a mirror is slow. What the store did not take by then
        is safe in the journal: it is stored in the background while this process lives, or else by the next
        run or dashboard.
        In a forked child it stores the child's values; the run goes on in the parent.
        """
        deadline = min(time.monotonic() + _FINISH_SECONDS, _exit_by)
        ended = RunState.FINISHED
        with self.guard("finishing the run"):
            ended = _as_end(state, exit_code)
        # Whatever a hook raises when strict: the rest is stored.
        with contextlib.ExitStack() as last:
            last.callback(self._close, deadline)
            if self._recorder.in_child:
                return
            if self._finished:
                last.pop_all()
                return
            self._finished = True
            # A clock that was set back meanwhile would have it end before it began.
            ended_at = max(time.time(), self._created_at + time.monotonic() - self._began)
            ended_how = {"state": ended, "finished_at": ended_at, "error": error}
            last.callback(self._end, ended_how, deadline)
            calls, self._on_finish = self._on_finish, []
            for call in calls:
                with self.guard("ending a hook"):
                    call()

    def __copy__(self) -> Self:
        """Return the run itself: a model that holds its run may be copied, the run is one."""
        return self

    def __deepcopy__(self, _: object) -> Self:
        """Return the run itself."""
        return self

    def __reduce__(self) -> tuple[Callable[..., Run], tuple[type[Run], Origin]]:
        """Pickle what a spawned worker needs to log into this run (see run_copy.py)."""
        latest = {"config": plain(dict(self._config)), "summary": plain(dict(self._summary))}
        now = replace(self._begun_as, **latest, environment={})
        return revive, (Run, origin_of(now, self._recorder, self.guard))

    def __enter__(self) -> Self:
        """Return the run."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Finish the run; as failed, with the traceback, when the block raised."""
        self.finish_after(error)

    def finish_after(self, error: BaseException | None) -> None:
        """Finish as an exception says: failed, killed by Ctrl-C, or well when there is none."""
        if error is None:
            self.finish()
        else:
            self.finish(exceptions.state_of(error), exceptions.describe(error))

    def _end(self, ended: Mapping[str, Any], deadline: float) -> None:
        # Once more, for changes inside of an entry, such as config["optimizer"]["lr"] = 0.1.
        latest = {"config": dict(self._config), "summary": dict(self._summary)}
        change = {**{key: entries for key, entries in latest.items() if entries}, **ended}
        with self.guard("finishing the run"):
            self._recorder.end(plain(change), deadline - _CLOSE_SECONDS)

    def _close(self, deadline: float) -> None:
        with self.guard("finishing the run"):
            # At the end of the process, all runs together have those seconds.
            least = 0.0 if time.monotonic() > _exit_by else _CLOSE_SECONDS
            self._recorder.close(max(least, deadline - time.monotonic()))
            for call in self._on_closed:
                call()

    def _odd_step(self, step: object, context: object) -> int:
        """Return a step that is no plain int, too large, or smaller than the one before. Raises BadInput."""
        before, at = self._step, as_step(step)
        if at < before and context is None and before != self._step_apart:
            self.guard.say(
                "backwards",
                f"step went back from {before} to {at} in run {self.name}. Both are stored; "
                f"charts sort by step, and of one step show the last value.",
            )
        return at

    def _next_step(self) -> int:
        return self._step + 1 if self._fixed_step is None else self._fixed_step

    def _log_one(
        self, name: str, value: Any, step: int, now: float, context: Mapping[str, str | int]
    ) -> None:
        try:
            number = number_on_host(value)
            if number is not None:
                # A loss, next to always: without a look at all else that it might be.
                value, recorder = number, self._recorder
                journal = None if context else recorder.journal
                if journal and not journal.points.append_floats({name: number}, recorder.numbers, step, now):
                    return
            if isinstance(value, dict) and value:
                for inner, one in flatten({name: value}).items():  # pyright: ignore[reportUnknownVariableType]
                    self._log_one(inner, one, step, now, context)
                return
            for prepared in prepare(name, value):
                self._recorder.append(name, prepared, step, now, context)
        except JournalFull:
            raise
        except Exception as error:
            if self.guard.strict:
                raise
            self.guard.note(error, f"logging {text_of(name)[:80]!r}")

    def _handle(self, error: Exception, values: Any, rest: Collection[Any], name: object) -> None:
        """Count what was not taken: of `rest` all from `name` on, at which logging stopped."""
        if isinstance(values, Mapping):
            names = list(rest)
            taken = names.index(name) if name in names else 0
            self.guard.handle(error, "logging", lost=len(names) - taken)
            return
        wrong = BadInput(
            f"log needs a dict of names and values, but got {type(values).__name__}. "
            f'Write run.log({{"loss": value}}).'
        )
        self.guard.handle(wrong, "logging")


def _as_end(state: str | int, exit_code: int | None) -> RunState:
    if isinstance(state, int):
        state, exit_code = RunState.FINISHED, state
    if exit_code:
        return RunState.FAILED
    if state not in (RunState.FINISHED, RunState.FAILED, RunState.KILLED):
        raise BadInput(f'a run ends as "finished", "failed" or "killed", but got {state!r}.')
    return RunState(state)


_exit_by = math.inf
"""Until when the process may be held at its end, however many runs it has: a time of time.monotonic()."""


def _finish_at_exit(reference: weakref.ref[Run]) -> None:
    global _exit_by
    _exit_by = min(_exit_by, time.monotonic() + _FINISH_SECONDS)
    run = reference()
    if run is not None:
        run.finish_after(exceptions.uncaught())
