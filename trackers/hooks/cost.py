"""What a tracker itself costs: measured, shown with the run, and halved when it is too much.

A share is taken over a window of many steps, so that one slow step decides nothing. The first steps are left
out: they compile, allocate and find the graph. A tracker that takes more than its budget looks half as often
from then on; it never looks more often again, so it cannot go back and forth.
"""

from __future__ import annotations

from ..run import Run
from .output import Output

_WARM_UP_STEPS = 20
_WINDOW_STEPS = 100
_WINDOW_SECONDS = 2.0
_MOST_FACTOR = 1024


class Cost:
    """Adds up the seconds of a tracker's hooks, and of the steps that they belong to.

    Call `spend` with what each hook took and `end_step` once a step. Multiply every period by `factor`.
    """

    def __init__(self, run: Run, out: Output, longest_every: int) -> None:
        """Begin to measure; a window holds at least two of the longest period, in steps."""
        self.factor = 1
        """By how much the tracker looks less often than it was asked to; a power of 2."""
        self._run, self._out = run, out
        self._budget = run.cost_budget
        self._shortest = max(_WINDOW_STEPS, 2 * longest_every)
        self._warm_up = _WARM_UP_STEPS
        self.now = 0.0
        """Seconds that hooks took since the last step's end. Hooks at every step add without a call."""
        self._spent = self._seconds = 0.0
        self._steps = 0

    def spend(self, seconds: float) -> None:
        """Add what a hook took, with what it logged."""
        self.now += seconds

    def end_step(self, seconds: float | None, steps: int = 1) -> None:
        """End a step, or some, that took `seconds` in all; None when that is not known."""
        spent, self.now = self.now, 0.0
        if self._warm_up > 0:
            self._warm_up -= steps
        elif seconds is not None:
            self._spent += spent
            self._seconds += seconds
            self._steps += steps
            if self._steps >= self._shortest * self.factor and self._seconds >= _WINDOW_SECONDS:
                self._end_window()

    def close(self) -> None:
        """Record what is known at the end, if no window was full before."""
        if self._seconds:
            self._record(100 * self._spent / self._seconds)

    def _end_window(self) -> None:
        percent = 100 * self._spent / self._seconds
        self._spent = self._seconds = 0.0
        self._steps = 0
        self._record(percent)
        if percent > self._budget and self.factor < _MOST_FACTOR:
            self.factor *= 2
            self._run.guard.say(
                f"cost {id(self)}",
                f"the tracker took {percent:.1f} % of the step time, more than its budget of "
                f"{self._budget:g} %: it looks half as often from now on, and again whenever that is not "
                f"enough. Ask for less (histogram_every, gradient_norm_every), or set "
                f"STEPSCOPE_COST_BUDGET, in percent.",
            )

    def _record(self, percent: float) -> None:
        self._run.log_system({self._out.name("stepscope/cost_percent"): percent})
