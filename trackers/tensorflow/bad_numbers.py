"""Whether tensors hold NaN or infinity, found where they lie: a sum of each when all is well.

A sum is finite when all its terms are, or it overflowed; so only when one is not, the tensors are looked at
number by number. All of it has fixed shapes, and works in a session, in a tf.function and under XLA.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow
from numpy.typing import NDArray

from ..hooks.watchdog import Finding, Statistics, which_are_bad

tf: Any = tensorflow  # its types say little

COLUMNS = ("size", "nan", "infinite", "min", "max", "mean")
"""What a row says of its tensor; the last three of its finite numbers."""


@dataclass(frozen=True)
class Suspect:
    """A tensor that is looked at when something is bad."""

    place: str
    """As of Finding: "input", "forward" or "backward"."""
    path: str
    """Of the layer; of the variable when this is its gradient."""
    tensor: Any


def first_finding(
    suspects: Sequence[Suspect], rows: NDArray[Any], step: int, *, loss_is_seen: bool = False
) -> Finding | None:
    """Return which of the suspects, in the order that they were computed in, was bad first; None if none is.

    Args:
        suspects: inputs, then layers from the first to the last, then gradients from the last to the first.
        rows: what `table` gave for them.
        step: the step that it was.
        loss_is_seen: whether the loss is one of the suspects; when it is not, and the layers gave finite
            numbers, gradients that are all bad are blamed on the loss.
    """
    found = [_statistics(row) for row in rows]
    bad = next((place for place, one in enumerate(found) if one.bad), None)
    if bad is None:
        return None
    suspect = suspects[bad]
    if suspect.place == "input":
        return Finding(step, "input", "", found[bad], (f"It was given as {suspect.path}.",))
    if suspect.place != "backward":
        return Finding(step, suspect.place, suspect.path, found[bad])
    gradients = {s.path: one.bad for s, one in zip(suspects, found, strict=True) if s.place == "backward"}
    if all(gradients.values()) and not loss_is_seen and len(gradients) < len(suspects):
        notes = (
            f"What the layers returned was finite. {which_are_bad(gradients)}",
            f"{suspect.path} was first.",
        )
        return Finding(step, "loss", "", found[bad], notes)
    notes = (f"It is the gradient of {suspect.path}.", which_are_bad(dict(reversed(gradients.items()))))
    return Finding(step, "backward", suspect.path.rpartition("/")[0] or suspect.path, found[bad], notes)


def _statistics(row: NDArray[Any]) -> Statistics:
    size, nan, infinite = (int(number) for number in row[:3])
    if nan + infinite == size:
        return Statistics(size, nan, infinite)
    return Statistics(size, nan, infinite, *(float(number) for number in row[3:]))


def table_when_bad(tensors: Sequence[Any], alarms: Sequence[Any]) -> Any:
    """Return a row of COLUMNS for each tensor, float32 (n, 6); all zero while the alarms' sums are finite.

    Args:
        tensors: what is looked at; all of floating point.
        alarms: those that are summed up at every step, such as the loss and the gradients.
    """
    return tf.cond(all_finite(alarms), lambda: tf.zeros((len(tensors), len(COLUMNS))), lambda: table(tensors))


def all_finite(tensors: Sequence[Any]) -> Any:
    """Return whether the sum of each tensor is finite: a boolean scalar."""
    sums = [tf.reduce_sum(tf.cast(one, tf.float32)) for one in map(values_of, tensors)]
    return tf.reduce_all(tf.math.is_finite(tf.stack(sums)))


def table(tensors: Sequence[Any]) -> Any:
    """Return a row of COLUMNS for each tensor, float32 (n, 6).

    All tensors are looked at as one: TensorFlow walks through each operation of a branch that is not taken,
    at every step, so there must be few.
    """
    flats = [tf.reshape(tf.cast(values_of(one), tf.float32), [-1]) for one in tensors]
    numbers, count = tf.concat(flats, 0), len(flats)
    rows = tf.concat([tf.fill(tf.shape(flat), place) for place, flat in enumerate(flats)], 0)
    finite, nan = tf.math.is_finite(numbers), tf.math.is_nan(numbers)
    good = tf.cast(finite, tf.float32)
    columns = tf.stack(
        [tf.ones_like(numbers), tf.cast(nan, tf.float32), good, tf.where(finite, numbers, 0.0)], 1
    )
    size, nans, goods, total = tf.unstack(tf.math.unsorted_segment_sum(columns, rows, count), axis=1)
    low = tf.math.unsorted_segment_min(tf.where(finite, numbers, tf.float32.max), rows, count)
    high = tf.math.unsorted_segment_max(tf.where(finite, numbers, tf.float32.min), rows, count)
    return tf.stack([size, nans, size - nans - goods, low, high, total / tf.maximum(goods, 1.0)], 1)


def values_of(tensor: Any) -> Any:
    """Return the numbers of a tensor, or those that sparse slices hold."""
    return tensor.values if isinstance(tensor, tf.IndexedSlices) else tensor
