"""How often a hook looks, and how fast the loop goes: shared by the hooks of all frameworks.

Every hook counts steps in the same way: the step of a value is the number of optimizer steps made when it
was logged. So the first step is 1; what is logged before any training counts by itself, from 0.
"""

from __future__ import annotations

import time
from operator import index
from typing import Any

from ...storage.errors import BadInput


def due(step: int, every: int) -> bool:
    """Whether a look is due at this step: at the first, then at every multiple; never if `every` is 0."""
    return every > 0 and (step == 1 or step % every == 0)


def due_within(first: int, last: int, every: int) -> bool:
    """Whether a look is due at any step from `first` to `last`."""
    return every > 0 and (first <= 1 <= last or first + (-first) % every <= last)


def check_every(**given: Any) -> None:
    """Raise BadInput unless each argument is a whole number of steps, 0 or more."""
    for name, value in given.items():
        try:
            valid = not isinstance(value, bool) and index(value) >= 0
        except TypeError:
            valid = False
        if not valid:
            raise BadInput(
                f"{name} must be a whole number of steps, or 0 for never, "
                f"but got {type(value).__name__} {value!r}"
            )


class Pace:
    """Measures steps from the end of one to the end of the next, without what lies between trainings."""

    def __init__(self) -> None:
        """Begin with the clock stopped: what was before the first step is not known."""
        self._since: float | None = None

    def begin(self) -> None:
        """Start the clock if it does not run: the work of a step begins."""
        if self._since is None:
            self._since = time.perf_counter()

    def pause(self) -> None:
        """Stop the clock: what follows, such as validation, is no part of a step."""
        self._since = None

    def end_step(self, *, running: bool = True) -> float | None:
        """Return the seconds of the step that ends now, None if its beginning was not seen."""
        now = time.perf_counter()
        since, self._since = self._since, now if running else None
        return None if since is None else now - since


def rates(seconds: float | None, samples: int, steps: int = 1) -> dict[str, float]:
    """Return `step_time` and `samples_per_second` of some steps, as far as they are known."""
    if not seconds:
        return {}
    found = {"step_time": seconds / steps}
    if samples:
        found["samples_per_second"] = samples / seconds
    return found
