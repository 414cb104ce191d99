"""How many samples a run was trained on: a counter that charts can have as their horizontal axis."""

from __future__ import annotations

import time
from weakref import WeakKeyDictionary

from ..run import Run
from .output import Output
from .pace import due

_EVERY = 10

_counts: WeakKeyDictionary[Run, dict[str, Samples]] = WeakKeyDictionary()
"""By series: a tracker goes on where another one of the same name ended."""


class Samples:
    """Counts the samples of the steps so far; once those of a step are not known, there is no total."""

    def __init__(self, series: str, before: int | None) -> None:
        """Begin with what was counted before; trackers call `samples_of`."""
        self._series, self._total = series, before
        self._waiting = False
        self.pending = False
        """Whether steps were made whose samples are still to be added, all at once."""

    def add(self, samples: int) -> None:
        """Add those of a step, or of all that were pending; 0 when they are not known."""
        known = self._total is not None and samples > 0
        self._total = self._total + samples if self._total is not None and known else None
        self._waiting, self.pending = known, False

    def at(self, step: int) -> dict[str, float]:
        """Return `samples` where it is due, at the first step and every tenth, and known."""
        return self.now() if due(step, _EVERY) else {}

    def now(self) -> dict[str, float]:
        """Return `samples`, if it is known."""
        self._waiting = False
        return {} if self._total is None else {"samples": float(self._total)}

    def end(self, run: Run, step: int) -> None:
        """Record the total of a training that ended between two steps at which it is due."""
        if self._waiting:
            total, self._waiting = self.now()["samples"], False
            # Values of later steps may have been logged meanwhile.
            run.log_past({self._series: total}, step=step, time=time.time())


def samples_of(run: Run, out: Output) -> Samples:
    """Return what counts the samples of a run's trackers of one name."""
    series, counts = out.name("samples"), _counts.setdefault(run, {})
    if series not in counts:
        counts[series] = Samples(series, run.samples_before(series))
    return counts[series]
