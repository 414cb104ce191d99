"""The part that notices numbers gone bad: in which layer, direction and step NaN or infinity came first.

At every step it sums up one gradient, that of the first layer: a NaN of the forward pass reaches the loss and
with it all gradients, one of the backward pass reaches all layers in front of it. Only when that sum is not
finite, the outputs of all layers and all gradients are looked at: in the same step, where they still are.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow

from ..hooks.watchdog import Alarm, Finding
from ..keras.activations import innermost_layers
from ..keras.part import Part, Step, Watched
from ..keras.tap import Probe, Seen
from .bad_numbers import COLUMNS, Suspect, all_finite, first_finding, table, values_of
from .flags import read, shadow
from .tap import TensorFlowTap

tf: Any = tensorflow  # its types say little

_EVERY = 10  # reading a variable takes 10 us, and waits for a GPU


class WatchdogProbe(Probe):
    """Leaves behind what was bad, and at which of the optimizer's steps, at the first step that was."""

    always = True

    def __init__(self, tap: TensorFlowTap, watched: Watched) -> None:
        """Look at the innermost layers and the gradients."""
        self.layers = {} if watched.model is None else innermost_layers(watched.model, lambda _: True)
        self.wanted = True
        self.suspects: list[Suspect] = []
        """What the rows are of."""
        self._tap, self._path_of = tap, watched.path_of
        # The first row begins with the number of the step, 0 while all is well; then one for each suspect.
        # Made here for what is built, since made in a trace they cost a second tracing.
        known = [] if watched.model is None else watched.variables()
        self._rows: Any = self._make_rows(len(known)) if known else None
        self._found: tuple[int, Any] | None = None

    def found(self) -> tuple[int, Any] | None:
        """Return which of the optimizer's steps was bad, and the rows; None if all is well."""
        if self._tap.calls or self._rows is None:
            return self._found
        rows = read(self._tap.strategy, self._rows).numpy()
        return (int(rows[0, 0]), rows[1:]) if rows[0, 0] else None

    def before_apply(self, seen: Seen) -> None:
        """Sum up the first layer's gradient; when that is bad, look at everything."""
        suspects = self._suspects_of(seen)
        sentinel = [values_of(seen.scaled[0])]
        if not tf.executing_eagerly():
            self._trace(suspects, sentinel)
        elif self.wanted and self._found is None and not all_finite(sentinel):
            rows = table([one.tensor for one in suspects]).numpy()
            self.suspects, self._found = suspects, (int(self._tap.optimizer.iterations) + 1, rows)

    def _trace(self, suspects: list[Suspect], sentinel: list[Any]) -> None:
        self.suspects = [Suspect(one.place, one.path, None) for one in suspects]
        if self._rows is None:
            self._rows = self._make_rows(len(suspects))
        rows, free = self._rows, int(self._rows.shape[0]) - 1 - len(suspects)

        def note() -> bool:
            step = tf.cast(self._tap.optimizer.iterations + 1, tf.float32)
            head = tf.pad([[step]], [[0, 0], [0, len(COLUMNS) - 1]])
            found = table([one.tensor for one in suspects])
            rows.assign(tf.pad(tf.concat([head, found], 0), [[0, free], [0, 0]]))
            return True

        clean = tf.equal(rows[0, 0], 0.0)
        tf.cond(tf.logical_and(clean, tf.logical_not(all_finite(sentinel))), note, lambda: False)

    def _suspects_of(self, seen: Seen) -> list[Suspect]:
        """Return the outputs in the order of the calls, then the gradients from the last to the first."""
        outputs = {path: one for path, one in seen.outputs.items() if path in self.layers}
        suspects = [Suspect("forward", path, one) for path, one in outputs.items() if one.dtype.is_floating]
        pairs = list(zip(seen.variables, seen.scaled, strict=True))
        backward = [
            Suspect("backward", self._path_of(v), g) for v, g in pairs
        ]  # in order: paths are numbered
        return suspects + backward[::-1]

    def _make_rows(self, gradients: int) -> Any:
        shape = (1 + len(self.layers) + gradients, len(COLUMNS))
        return shadow(self._tap.strategy, shape, name="bad_numbers")


class Watchdog(Part):
    """Alerts the run of NaN and infinity, once: what is bad from then on was made so by the first."""

    doing = "looking for NaN and infinity"

    def __init__(self, watched: Watched, tap: TensorFlowTap, name: str | None) -> None:
        """Begin to watch for the tracker of that name."""
        self._tap, self._alarm = tap, Alarm(watched.run, name)
        self._probe = tap.probe("watchdog", lambda: WatchdogProbe(tap, watched))
        self._probe.wanted = True
        self._last = 0

    def after_step(self, step: Step) -> None:
        """Read whether a step was bad, now and then."""
        self._last = step.last
        if step.due(_EVERY):
            self._look()

    def close(self) -> None:
        """Look once more."""
        self._look()
        self._probe.wanted = False

    def _look(self) -> None:
        found = self._probe.found() if self._probe.wanted and self._tap.seen else None
        if found is not None:
            made, rows = found
            ago = int(self._tap.optimizer.iterations) - made
            finding = self._finding(rows, self._last - ago)
            if finding is not None:
                self._alarm.give(finding)
            self._probe.wanted = False

    def _finding(self, rows: Any, step: int) -> Finding | None:
        suspects = self._probe.suspects
        return first_finding(suspects, np.asarray(rows)[: len(suspects)], step)
