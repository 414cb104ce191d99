"""What the original makes of its arguments that are numbers, with the errors it raises."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..arrays import is_torch_tensor
from ..media import Histogram
from ..raw import Payload


def as_numpy(value: Any) -> NDArray[Any]:
    """Return a tensor, array or plain number as an array. Raises NotImplementedError for all else."""
    if isinstance(value, np.ndarray):
        return cast("NDArray[Any]", value)
    if np.isscalar(value):
        return np.array([value])
    if is_torch_tensor(value):
        tensor = value.detach().cpu()
        # numpy has no bfloat16.
        return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
    # The error and the words of torch.utils.tensorboard, which scripts may catch.
    raise NotImplementedError(f"Got {type(value)}, but numpy array or torch tensor are expected.")


def on_device(value: Any) -> bool:
    """Whether this is a tensor that to read would mean to wait for its device."""
    return is_torch_tensor(value) and value.device.type != "cpu"


def as_number(value: Any) -> Any:
    """Return a value of one element as a float; a tensor on a device as it is.

    Raises:
        AssertionError, NotImplementedError, ValueError: as the original's add_scalar.
    """
    if type(value) is float:
        return value
    later = on_device(value)
    array = value.detach().squeeze() if later else as_numpy(value).squeeze()
    if array.ndim != 0:
        raise AssertionError(
            f"Tensor should contain one element (0 dimensions). "
            f"Was given size: {math.prod(array.shape)} and {array.ndim} dimensions."
        )
    return array if later else float(array)


class StatedHistogram(Histogram):
    """Ready-made bins whose moments are known better than the bins tell."""

    def __init__(self, counts: NDArray[Any], edges: NDArray[Any], moments: dict[str, float]) -> None:
        """Wrap bins with `min`, `max`, `mean`, `std`, `count`, or as many of these as are known."""
        super().__init__(counts=counts, edges=edges)
        self._moments = moments

    def payload(self) -> Payload:
        """Return bins and moments. Raises BadInput when counts and edges do not fit."""
        binned = super().payload()
        return Payload(binned.kind, binned.data, {**binned.facts, **self._moments})


def histogram(values: Any, bins: Any, max_bins: int | None) -> Histogram:
    """Return what add_histogram takes.

    `bins` "tensorflow" means Stepscope's own grid, which is as fine and is binned by the writer's thread.

    Raises:
        ValueError, NotImplementedError: as the original's.
    """
    own_grid = isinstance(bins, str) and bins == "tensorflow"
    later = own_grid and on_device(values)
    array = values.detach() if later else as_numpy(values)
    if math.prod(array.shape) == 0:
        raise ValueError("The input has no element.")
    if later:
        return Histogram(array)
    # A number that is logged by itself would not be a histogram.
    array = array.reshape(-1).astype(float)
    if own_grid:
        return Histogram(array)
    counts, edges = np.histogram(array, bins=bins)
    if not counts.any():
        raise ValueError("The histogram is empty, please file a bug report.")
    if max_bins is not None and len(counts) > max_bins:
        counts, edges = _fewer(counts, edges, max_bins)
    return StatedHistogram(counts, edges, _moments(array))


def raw_histogram(
    low: float,
    high: float,
    num: float,
    total: float,
    squares: float,
    limits: Sequence[float] | NDArray[Any],
    counts: Sequence[float] | NDArray[Any],
) -> Histogram:
    """Return buckets as event files have them: upper limits, empty ones at both ends cut off."""
    kept = np.asarray(counts, float)
    filled = np.flatnonzero(kept)
    if not len(filled):
        return Histogram(np.empty(0))
    first, last = int(filled[0]), int(filled[-1])
    upper = np.asarray(limits, float)[first : last + 1]
    below = float(np.asarray(limits, float)[first - 1]) if first else -np.inf
    edges = np.append(_lowest(below, float(low), float(upper[0])), upper)
    if edges[-1] > high > edges[-2]:
        edges[-1] = high
    mean = total / num if num else 0.0
    spread = max(0.0, squares / num - mean * mean) if num else 0.0
    moments = {"min": float(low), "max": float(high), "mean": float(mean), "std": float(spread**0.5)}
    return StatedHistogram(kept[first : last + 1], edges, {**moments, "count": int(num)})


def _lowest(below: float, low: float, first: float) -> float:
    """Return the left edge of the first bucket: the least number when it lies inside of it."""
    if below < low < first:
        return low
    return below if np.isfinite(below) else first - max(1.0, abs(first))


def _fewer(counts: NDArray[Any], edges: NDArray[Any], most: int) -> tuple[NDArray[Any], NDArray[Any]]:
    together = len(counts) // most
    starts = np.arange(0, len(counts), together)
    return np.add.reduceat(counts, starts), np.append(edges[:-1][starts], edges[-1])


def _moments(values: NDArray[np.float64]) -> dict[str, float]:
    finite = values[np.isfinite(values)]
    odd = {
        "nan": int(np.isnan(values).sum()),
        "posinf": int(np.isposinf(values).sum()),
        "neginf": int(np.isneginf(values).sum()),
    }
    known = {"min": finite.min(), "max": finite.max(), "mean": finite.mean(), "std": finite.std()}
    return {**{key: float(value) for key, value in known.items()}, "count": len(finite), **odd}
