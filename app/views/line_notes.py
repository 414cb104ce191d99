"""What a chart says under its title: how much it sums up, and what it cannot show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .lines import MOST_BANDS, Line, Look, seen_of
from .words import TIMES, count, number, one_of


def note(lines: Sequence[Line], look: Look | None = None) -> str:
    """Return what a reader must know: how much is summed up in buckets, and what is not a number."""
    look = look or Look()
    parts = [_summed_up(lines, look)]
    odd = (
        (sum(line.points.nan_count for line in lines), "NaN"),
        (sum(line.points.posinf_count for line in lines), "∞"),
        (sum(line.points.neginf_count for line in lines), "-∞"),
    )
    parts += [f"{count(many)} {TIMES} {word}" for many, word in odd if many]
    return "  ·  ".join(part for part in parts if part)


def _summed_up(lines: Sequence[Line], look: Look) -> str:
    pairs = zip(lines, seen_of(lines, look), strict=True)
    bucketed = [(line.points, seen) for line, seen in pairs if line.points.bucketed and not line.banded]
    if not bucketed:
        return ""
    many = sum(int(seen.sum()) for _, seen in bucketed)
    total = sum(int(points.count[seen].sum()) for points, seen in bucketed)
    where = " in view" if look.view else ""
    if not total:
        return "no points in view"
    if many == total:
        return f"all {count(total)} points{where}"
    band = ", all in the band" if len(lines) <= MOST_BANDS else ", means of buckets"
    return f"{count(many)} of {count(total)} points{where}{band}"


def unplaced(lines: Sequence[Line], look: Look) -> str:
    """Return what the axes cannot show: points without an x, and what has no logarithm."""
    parts: list[str] = []
    full = [line for line in lines if len(line.points)]
    placed = [line for line in full if np.isfinite(line.x).any()]
    if len(placed) < len(full):
        parts.append(f"{one_of(len(full) - len(placed), 'line')} without {look.axis.word}")
    nowhere = sum(_many(line, ~np.isfinite(line.x)) for line in placed)
    if nowhere:
        parts.append(f"{one_of(nowhere, 'point')} without {look.axis.word}")
    below = sum(_many(line, line.points.mean <= 0) for line in placed) if look.log_y else 0
    left = sum(_many(line, line.x <= 0) for line in placed) if look.axis.log else 0
    parts += [
        f"{one_of(many, 'point')} ≤ 0 cannot be on a log {which} axis"
        for many, which in ((below, "vertical"), (left, "horizontal"))
        if many
    ]
    return "  ·  ".join(parts)


def _many(line: Line, which: NDArray[np.bool_]) -> int:
    """Return how many points some entries stand for; of a group's line, how many entries."""
    return int(which.sum() if line.banded else line.points.count[which].sum())


def beyond(
    lines: Sequence[Line], views: Sequence[NDArray[np.bool_]], ends: tuple[float, float] | None
) -> str:
    """Return how many visible entries lie beyond the ends of the vertical axis, and how far."""
    if ends is None:
        return ""
    pairs = list(zip(lines, views, strict=True))
    above = [part for line, seen in pairs if len(part := line.points.max[seen & (line.points.max > ends[1])])]
    below = [part for line, seen in pairs if len(part := line.points.min[seen & (line.points.min < ends[0])])]
    parts: list[str] = []
    if above:
        many, most = sum(map(len, above)), max(float(part.max()) for part in above)
        parts.append(f"{count(many)} above the axis, up to {number(most)}")
    if below:
        many, least = sum(map(len, below)), min(float(part.min()) for part in below)
        parts.append(f"{count(many)} below the axis, down to {number(least)}")
    return "  ·  ".join(parts)
