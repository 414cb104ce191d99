"""What layers give inside of a traced function: binned there, since its size is not known before.

A row of numbers for each layer is all that it needs: the range, and how many values lie in each of 64 equal
parts of it.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow

from ..keras.activations import ActivationProbe
from ..keras.tap import Seen
from ..media import Histogram
from .flags import read, shadow
from .tap import TensorFlowTap

tf: Any = tensorflow  # its types say little
_BINS = 64


class TracedActivationProbe(ActivationProbe):
    """Bins the outputs of layers in the function that makes them."""

    def __init__(self, tap: TensorFlowTap, layers: dict[str, Any]) -> None:
        """Look at these layers."""
        super().__init__(layers)
        self._tap, self._paths = tap, list(layers)
        self._flag = tap.wishes.flag()
        self._rows = shadow(tap.strategy, (len(layers), 2 + _BINS), name="activations")

    def ask(self, wanted: bool) -> None:
        """Say whether the next steps are to leave histograms behind."""
        super().ask(wanted)
        self._flag.set(wanted)

    def before_apply(self, seen: Seen) -> None:
        """Bin the outputs that can be seen from here."""
        if tf.executing_eagerly():
            super().before_apply(seen)
            return
        if any(path not in seen.outputs for path in self._paths):
            missing = [path for path in self._paths if path not in seen.outputs]
            self._tap.guard.say(
                f"tf-activations {missing[0]}",
                f"activations of {', '.join(missing)} are not recorded: they are called in another function "
                f"or loop than the optimizer, or not in this step.",
            )
        self._flag.when(lambda: self._rows.assign(tf.stack([_row(seen.outputs.get(p)) for p in self._paths])))

    def histograms(self) -> Iterator[tuple[str, Histogram]]:
        """Yield the path of each layer with what it gave at the last step that was asked."""
        if self._tap.calls:
            yield from super().histograms()
            return
        for path, row in zip(self._paths, read(self._tap.strategy, self._rows).numpy(), strict=True):
            low, high, counts = float(row[0]), float(row[1]), row[2:]
            if counts.sum() > 0:
                yield path, _histogram(low, high, counts)


def _row(output: Any) -> Any:
    """Return the smallest and largest finite number, and the counts between them, float32 (2 + 64,)."""
    if output is None or not (output.dtype.is_floating or output.dtype.is_integer):
        return tf.zeros(2 + _BINS)
    values = tf.reshape(tf.cast(output, tf.float32), [-1])
    finite = tf.math.is_finite(values)
    low = tf.reduce_min(tf.where(finite, values, values.dtype.max))
    high = tf.reduce_max(tf.where(finite, values, values.dtype.min))
    place = (tf.where(finite, values, low) - low) / tf.maximum(high - low, 1e-30) * _BINS
    index = tf.clip_by_value(tf.cast(place, tf.int32), 0, _BINS - 1)
    counts = tf.math.unsorted_segment_sum(tf.cast(finite, tf.float32), index, _BINS)
    return tf.concat([[low, high], counts], 0)


def _histogram(low: float, high: float, counts: Any) -> Histogram:
    edges = np.linspace(low, high, _BINS + 1)
    if (np.diff(edges) > 0).all():
        return Histogram(counts=counts, edges=edges)
    width = max(abs(low), abs(high)) * 1e-6 or 1e-6  # all alike: one bin around them
    return Histogram(counts=[counts.sum()], edges=[low - width, high + width])
