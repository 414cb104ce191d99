"""The part that notices numbers gone bad: in which layer, direction and step NaN or infinity came first.

At every step it sums up one gradient, that of the first layer: a NaN of the forward pass reaches the loss and
with it all gradients, one of the backward pass reaches all layers in front of it. Only when that sum is not
finite, the outputs of all layers and all gradients are looked at: in the same step, where they still are.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from functools import partial
from math import isfinite
from typing import Any

import numpy as np
import tensorflow

from ..hooks.watchdog import Alarm, Finding
from ..keras.activations import innermost_layers
from ..keras.model import raw_value
from ..keras.part import Part, Step, Watched
from ..keras.tap import Probe, Seen
from .bad_numbers import COLUMNS, Suspect, all_finite, first_finding, table, values_of
from .flags import is_on_host, read, run_when, shadow
from .later import Later
from .tap import TensorFlowTap

tf: Any = tensorflow  # its types say little

_EVERY = 10  # reading a variable takes 10 us
_NOT_WAITED = (
    "The device was not waited for, so the layer is not known. In a tf.function it is found in the same step."
)


class WatchdogProbe(Probe):
    """Leaves behind what was bad, and at which of the optimizer's steps, at the first step that was."""

    always = True

    def __init__(self, tap: TensorFlowTap, watched: Watched) -> None:
        """Look at the innermost layers and the gradients."""
        self.layers = {} if watched.model is None else innermost_layers(watched.model, lambda _: True)
        self.suspects: list[Suspect] = []
        """What the rows are of."""
        self.found: Any = None
        """Rows, as `table` gives them, of an eager step that was bad."""
        self.sums: list[Any] = []
        """Of eager steps on a device: a tensor each, not finite where the step was bad."""
        self.rows: Any = None
        """A variable. Its first row begins with the optimizer's step that was bad, 0 while all is well."""
        self._tap, self._path_of = tap, watched.path_of
        # Made here for what is built, since made in a trace they cost a second tracing.
        known = [] if watched.model is None else watched.variables()
        if known:
            self.rows = self._make_rows(len(known))

    def begin(self) -> None:
        """Look from now on, and forget what was found for another tracker."""
        if not self.wanted:
            self.forget()
        self.wanted = True

    def forget(self) -> None:
        """Leave behind what is found from now on."""
        self.found = None
        if self.rows is not None:
            with self._tap.strategy.scope():
                self.rows.assign(tf.zeros(self.rows.shape))

    def before_apply(self, seen: Seen) -> None:
        """Sum up the first layer's gradient; when that is bad, look at everything."""
        if not tf.executing_eagerly():
            self._trace(self._suspects_of(seen), seen.scaled[0])
        elif self.wanted and self.found is None:
            self._look(seen)

    def _look(self, seen: Seen) -> None:
        sentinel = values_of(seen.scaled[0])
        if not is_on_host(sentinel):
            self.sums.append(tf.cast(tf.reduce_sum(sentinel * 0), tf.float32))  # NaN, but never an overflow
        elif not isfinite(tf.reduce_sum(sentinel)):
            self.suspects = self._suspects_of(seen)
            self.found = table([one.tensor for one in self.suspects]).numpy()

    def _trace(self, suspects: list[Suspect], sentinel: Any) -> None:
        self.suspects = [Suspect(one.place, one.path, None) for one in suspects]
        if self.rows is None:
            self.rows = self._make_rows(len(suspects))
        rows, free = self.rows, int(self.rows.shape[0]) - 1 - len(suspects)

        def note() -> None:
            step = tf.cast(self._tap.optimizer.iterations + 1, tf.float32)
            head = tf.pad([[step]], [[0, 0], [0, len(COLUMNS) - 1]])
            found = tf.concat([head, table([one.tensor for one in suspects])], 0)
            first = tf.equal(rows[0, 0], 0.0)
            rows.assign(tf.where(first, tf.pad(found, [[0, free], [0, 0]]), rows))

        run_when(tf.logical_not(all_finite([sentinel])), note)

    def _suspects_of(self, seen: Seen) -> list[Suspect]:
        """Return the outputs in the order of the calls, then the gradients from the last to the first."""
        outputs = {path: one for path, one in seen.outputs.items() if path in self.layers}
        suspects = [Suspect("forward", path, one) for path, one in outputs.items() if one.dtype.is_floating]
        # The paths of several variables of one name are numbered in the order in which they are asked for.
        paths = map(self._path_of, seen.variables)
        backward = [Suspect("backward", path, g) for path, g in zip(paths, seen.scaled, strict=True)]
        return suspects + backward[::-1]

    def _make_rows(self, gradients: int) -> Any:
        shape = (1 + len(self.layers) + gradients, len(COLUMNS))
        return shadow(self._tap.strategy, shape, name="bad_numbers")


class Watchdog(Part):
    """Alerts the run of NaN and infinity, once: what is bad from then on was made so by the first."""

    doing = "looking for NaN and infinity"

    def __init__(self, watched: Watched, tap: TensorFlowTap, name: str | None) -> None:
        """Begin to watch for the tracker of that name."""
        self._run, self._tap, self._alarm = watched.run, tap, Alarm(watched.run, name)
        self._probe = tap.probe("watchdog", lambda: WatchdogProbe(tap, watched))
        self._probe.begin()
        self._later = Later(watched.run.guard, self.doing)
        self._last = 0

    def after_step(self, step: Step) -> None:
        """Read whether a step was bad, now and then."""
        self._last = step.last
        if self._probe.found is not None and self._probe.wanted:
            self._give(self._probe.found, step.last)
        elif step.due(_EVERY):
            self._look()

    def close(self) -> None:
        """Look once more."""
        self._look()
        self._later.close()
        self._probe.wanted = False

    def _look(self) -> None:
        probe = self._probe
        sums, probe.sums = probe.sums, []
        if not probe.wanted:
            return
        if sums:
            self._later.read([tf.stack(sums)], partial(self._judge_sums, self._last))
        elif probe.rows is not None and self._tap.seen and not self._tap.calls:
            rows = read(self._tap.strategy, probe.rows)
            if not is_on_host(rows):
                self._later.read([rows, self._steps_made()], partial(self._judge_rows, self._last))
            elif (found := rows.numpy())[0, 0]:
                self._judge_rows(self._last, found, self._steps_made())

    def _steps_made(self) -> Any:
        return read(self._tap.strategy, raw_value(self._tap.optimizer.iterations))

    def _judge_sums(self, last: int, sums: Any) -> None:
        bad = np.flatnonzero(~np.isfinite(sums))
        if bad.size and self._probe.wanted:
            self._tell(Finding(last + 1 - len(sums) + int(bad[0]), "gradients", notes=(_NOT_WAITED,)))

    def _judge_rows(self, last: int, rows: Any, made: Any) -> None:
        if rows[0, 0] and self._probe.wanted:
            self._give(rows[1:], last - (int(made) - int(rows[0, 0])))

    def _give(self, rows: Any, step: int) -> None:
        suspects = self._probe.suspects
        finding = first_finding(suspects, rows[: len(suspects)], step)
        if finding is None:  # a sum overflowed
            self._probe.forget()
        else:
            self._tell(finding)

    def _tell(self, finding: Finding) -> None:
        self._probe.wanted = False
        # All processes have the same bad gradients; the one whose batch it was knows more than that.
        if not self._run.rank or finding.place != "gradients":
            self._alarm.give(finding)
