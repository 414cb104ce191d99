"""The data that all trackers are given: the same for all, and none that would compress unusually well."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def noisy(count: int, seed: int = 0) -> NDArray[np.float64]:
    """Return a loss that falls and is noisy in all 52 bits, shape (count,)."""
    noise = np.random.default_rng(seed).normal(0.0, 0.1, count)
    return np.exp(-np.arange(count) / max(count / 3, 1)) + noise


def dicts_of(names: int, count: int) -> list[dict[str, float]]:
    """Return `count` dicts of as many numbers."""
    keys = [f"metric/{number:02}" for number in range(names)]
    rows = noisy(names * count).reshape(count, names).tolist()
    return [dict(zip(keys, row, strict=True)) for row in rows]


def weights(count: int, seed: int) -> NDArray[np.float32]:
    """Return weights as a layer has them, shape (count,)."""
    return np.random.default_rng(seed).normal(0.0, 0.05, count).astype(np.float32)


def picture(size: int, seed: int) -> NDArray[np.uint8]:
    """Return an image with smooth parts and grain, shape (size, size, 3): about 60 % of it is left in PNG."""
    slopes = np.linspace(0, 200, size)
    smooth: Any = slopes[:, None, None] * 0.5 + slopes[None, :, None] * 0.5
    grain = np.random.default_rng(seed).integers(0, 32, (size, size, 3))
    return (smooth + grain).astype(np.uint8)
