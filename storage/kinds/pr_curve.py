"""Precision-recall curves of a binary classifier, at thresholds that lie evenly between 0 and 1.

The counts are those of TensorBoard's pr_curves plugin: a sample is predicted as positive at a threshold
when floor(score * (n - 1)) is at least the threshold's place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StoreDamaged
from .base import EncodedValue, Kind, RawValue, Shape
from .parts import split

_Floats = NDArray[np.float64]
_ROWS = 6
_SMALLEST = 1e-7
"""Instead of a division by nothing, as TensorBoard has it."""


@dataclass(frozen=True, slots=True)
class PrCurveData:
    """A curve of n thresholds; all arrays have the shape (n,)."""

    tp: _Floats
    """Weighted counts of true positives; the next three likewise."""
    fp: _Floats
    tn: _Floats
    fn: _Floats
    precision: _Floats
    recall: _Floats

    @property
    def thresholds(self) -> _Floats:
        """Where each is counted: evenly from 0 to 1."""
        return np.linspace(0.0, 1.0, len(self.tp))

    @property
    def average_precision(self) -> float:
        """The precision at each step of the recall, weighted by how far the recall moves there."""
        # From the highest threshold down, the recall grows from nothing.
        moved = np.diff(self.recall[::-1], prepend=0.0)
        return float((moved * self.precision[::-1]).sum())

    def rows(self) -> _Floats:
        """Return all as one array: float64 (6, n), in TensorBoard's order."""
        return np.stack([self.tp, self.fp, self.tn, self.fn, self.precision, self.recall])


def encode(raw: RawValue) -> EncodedValue:
    """Count scores and labels at meta["thresholds"] places, or keep counts of shape (6, n)."""
    if "parts" in raw.meta:
        parts = split(raw.meta["parts"], raw.data)
        rows = _counted(parts["labels"], parts["scores"], parts.get("weights"), int(raw.meta["thresholds"]))
    else:
        rows = raw.array()
    return EncodedValue(rows.astype("<f8").tobytes(), {"thresholds": rows.shape[1]})


def decode(meta: Mapping[str, Any], data: bytes) -> PrCurveData:
    """Return the curve."""
    try:
        return PrCurveData(*np.frombuffer(data, "<f8").reshape(_ROWS, int(meta["thresholds"])))
    except (KeyError, TypeError, ValueError) as error:
        raise StoreDamaged(f"a PR curve of {len(data)} bytes does not fit {dict(meta)!r}") from error


def _counted(labels: NDArray[Any], scores: NDArray[Any], weights: NDArray[Any] | None, n: int) -> _Floats:
    place = np.floor(scores * (n - 1)).astype(np.int64)
    weight = np.ones(len(scores)) if weights is None else weights
    positive = np.bincount(place, weights=labels * weight, minlength=n)
    negative = np.bincount(place, weights=(1.0 - labels) * weight, minlength=n)
    tp, fp = (np.cumsum(one[::-1])[::-1].astype(np.float64) for one in (positive, negative))
    tn, fn = fp[0] - fp, tp[0] - tp
    precision = tp / np.maximum(_SMALLEST, tp + fp)
    recall = tp / np.maximum(_SMALLEST, tp + fn)
    return np.stack([tp, fp, tn, fn, precision, recall])


KIND = Kind("pr_curve", Shape.ARRAY, "application/octet-stream", encode, decode)
