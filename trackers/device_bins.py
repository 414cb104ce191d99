"""Histograms of tensors on a device, binned there: what travels are the counts, and not the numbers.

Plain tensor operations of a fixed number and of fixed shapes, none of which asks the device for a value. The
bins are those of storage/kinds/histogram.py. Torch is not imported here: whoever has a tensor has it.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..storage.kinds.histogram import BINS_PER_OCTAVE, KEY_OFFSET
from .raw import Payload

FEWEST = 4096
"""Of fewer numbers, the numbers themselves are less to carry than the counts."""
_BLOCK = 1 << 22
"""Numbers that are looked at together: what the work needs of the device's memory is bounded by them."""
_MOMENTS = ("count", "min", "max", "mean", "std", "nan", "posinf", "neginf")
_WHOLE = ("count", "nan", "posinf", "neginf")


def count_on_device(values: Any) -> Any:
    """Return a float64 tensor, on the device of `values`: the counts of all bins, then the moments.

    Args:
        values: a dense tensor of real numbers, of any shape.
    """
    torch = sys.modules["torch"]
    low, high = _octaves(values)
    center = (high - low + 1) * BINS_PER_OCTAVE
    counts = torch.zeros(2 * center + 1, dtype=torch.int64, device=values.device)
    steps = torch.arange(1, BINS_PER_OCTAVE, dtype=torch.float64, device=values.device)
    edges = torch.exp2(steps / BINS_PER_OCTAVE)
    blocks = values.reshape(-1).split(_BLOCK)
    for block in blocks:
        numbers, finite = _finite(torch, block)
        mantissa, exponent = torch.frexp(numbers.abs())
        within = torch.bucketize(2 * mantissa, edges, right=True)
        place = (exponent.long() - 1 - low) * BINS_PER_OCTAVE + within + 1
        # Zeros, and what is so small that its bin would be narrower than two floats lie apart.
        place = torch.where(place > 0, place, 0).mul(numbers.sign().long()) + center
        counts.scatter_add_(0, place, finite.long())
    return torch.cat([counts.double(), _moments(torch, blocks)])


def payload_of(found: NDArray[np.float64]) -> Payload:
    """Return the histogram that `count_on_device` made, once it is in host memory."""
    counts, moments = found[: -len(_MOMENTS)], found[-len(_MOMENTS) :]
    center = len(counts) // 2
    low = _lowest_octave(center)
    filled = np.flatnonzero(counts)
    side = filled - center
    magnitude = np.abs(side) - 1 + low * BINS_PER_OCTAVE + KEY_OFFSET
    keys = np.where(side == 0, 0, np.sign(side) * magnitude)
    facts = dict(zip(_MOMENTS, moments.tolist(), strict=True))
    facts |= {name: int(facts[name]) for name in _WHOLE}
    binned = np.stack([keys, counts[filled].astype(np.int64)]).astype("<i8")
    return Payload("histogram", binned, {"keyed": True, **facts})


def _octaves(values: Any) -> tuple[int, int]:
    """Return the exponents that numbers of this type may have, but for zeros."""
    return (-1022, 1023) if values.dtype == sys.modules["torch"].float64 else (-149, 127)


def _lowest_octave(center: int) -> int:
    return -1022 if center == 2046 * BINS_PER_OCTAVE else -149


def _finite(torch: Any, block: Any) -> tuple[Any, Any]:
    numbers = block.double()
    finite = torch.isfinite(numbers)
    return torch.where(finite, numbers, 0.0), finite


def _moments(torch: Any, blocks: Any) -> Any:
    """Return what is in _MOMENTS; in two passes, as numpy's std: the mean first, then what lies around it."""
    zero = torch.zeros((), dtype=torch.float64, device=blocks[0].device)
    count, nan, above, below = zero, zero, zero, zero
    low, high = zero + torch.inf, zero - torch.inf
    for block in blocks:
        finite = torch.isfinite(block)
        count, nan = count + finite.sum(), nan + torch.isnan(block).sum()
        above, below = above + torch.isposinf(block).sum(), below + torch.isneginf(block).sum()
        low = torch.minimum(low, torch.where(finite, block.double(), torch.inf).min())
        high = torch.maximum(high, torch.where(finite, block.double(), -torch.inf).max())
    some, least = count > 0, count.clamp(min=1)
    low, high = torch.where(some, low, 0.0), torch.where(some, high, 0.0)
    largest = torch.maximum(-low, high)
    # So that the squares of huge numbers do not overflow.
    unit = torch.where(largest > 1e100, largest, 1.0)
    mean = sum((_finite(torch, block)[0] / unit).sum() for block in blocks) / least
    spread = zero
    for block in blocks:
        numbers, finite = _finite(torch, block)
        spread = spread + torch.where(finite, numbers / unit - mean, 0.0).square().sum()
    std = (spread / least).sqrt()
    return torch.stack([count, low, high, mean * unit, std * unit, nan, above, below])
