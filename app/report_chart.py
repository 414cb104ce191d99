"""A chart of a report: a picture in SVG that needs no script, in the page's own colours. Pure text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from .comparison.strokes import Mark, Stroke
from .views.compared import is_wide
from .views.words import valid

WIDTH, HEIGHT = 560, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 40
LARGEST = 8e307
"""What lies beyond is drawn at the edge: the distance of two such values has no number any more."""
FEW_POINTS = 40
"""Up to here, points are marked and tell their value to a mouse."""


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    first: float
    """Where `low` lies, in pixels."""
    last: float
    log: bool = False

    def at(self, value: float) -> float:
        if self.log:
            low = math.log(self.low)
            part = (math.log(value) - low) / (math.log(self.high) - low)
            return self.first + part * (self.last - self.first)
        return self.first + (value - self.low) / (self.high - self.low) * (self.last - self.first)


def drawing(
    title: str,
    strokes: Sequence[Stroke],
    x_title: str,
    *,
    marks: Sequence[Mark] = (),
    target: float | None = None,
    upwards: bool = False,
) -> str:
    """Return an SVG element.

    Args:
        title: what the chart shows, for screen readers.
        strokes: at least one, none of them empty.
        x_title: under the horizontal axis.
        marks: places of the horizontal axis that are pointed out.
        target: a value that is pointed out.
        upwards: whether more is better, as of an accuracy: then small values are not what is looked at.
    """
    log = is_wide(strokes) and not upwards
    if log and target is not None and target <= 0:
        target = None  # it has no place on a logarithmic axis
    x, y = _scales(strokes, target, log=log)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{_safe(title)}">',
        f"<title>{_safe(title)}</title>",
        *_grid(x, y),
        f'<text class="axis" x="{(x.first + x.last) / 2}" y="{HEIGHT - 4}" text-anchor="middle">'
        f"{_safe(x_title)}</text>",
    ]
    if target is not None:
        at = y.at(target)
        parts.append(f'<line class="mark" x1="{x.first}" x2="{x.last}" y1="{at:.1f}" y2="{at:.1f}"/>')
    parts += [piece for stroke in strokes for piece in _stroke(stroke, x, y)]
    for number, mark in enumerate(marks):
        at = x.at(mark.at)
        side, gap = ("end", -5) if at > (x.first + x.last) / 2 else ("start", 5)
        parts += [
            f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{y.last}" y2="{y.first}"/>',
            f'<text class="word" x="{at + gap:.1f}" y="{y.last + 12 + 14 * number}" text-anchor="{side}">'
            f"{_safe(mark.word)}</text>",
        ]
    return "".join([*parts, "</svg>"])


def swatch(colour: str, dash: str) -> str:
    """Return a small piece of a line, for a legend."""
    line = f'stroke="{_safe(colour)}" stroke-dasharray="{dash}"'
    inner = f'<line x1="1" x2="29" y1="5" y2="5" {line}/>'
    size = 'viewBox="0 0 30 10" width="30" height="10" stroke-width="3"'
    return f'<svg class="swatch" {size} aria-hidden="true">{inner}</svg>'


def log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten from low to high, and what lies between where they are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 3 else (1,)
    found = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    return [value for value in found if low <= value <= high]


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers from low to high, at most `most` and at least two of them, for an axis."""
    raw = (high - low) / max(1, most - 1)
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10, 20) if size * factor >= raw)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _scales(strokes: Sequence[Stroke], target: float | None, *, log: bool) -> tuple[_Scale, _Scale]:
    xs = np.concatenate([stroke.curve.x for stroke in strokes])
    ys = np.concatenate([stroke.curve.y for stroke in strokes])
    values = np.clip(ys if target is None else np.append(ys, target), -LARGEST, LARGEST)
    low, high = float(values.min()), float(values.max())
    ends = (low * 0.9, high * 1.1) if log else _ends(low, high, 0.05)
    return (
        _Scale(*_ends(float(xs.min()), float(xs.max()), 0.0), _LEFT, WIDTH - _RIGHT),
        _Scale(*ends, HEIGHT - _BOTTOM, _TOP, log),
    )


def _ends(low: float, high: float, room: float) -> tuple[float, float]:
    size = max(abs(low), abs(high), 1e-300)
    if high - low <= 1e-9 * size:
        return low - 0.5 * size, high + 0.5 * size
    return low - room * (high - low), high + room * (high - low)


def _grid(x: _Scale, y: _Scale) -> list[str]:
    parts: list[str] = []
    for value in log_ticks(y.low, y.high) if y.log else ticks(y.low, y.high):
        at = y.at(value)
        parts.append(f'<line class="grid" x1="{x.first}" x2="{x.last}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{x.first - 6}" y="{at + 4:.1f}" text-anchor="end">{_number(value)}</text>')
    for value in ticks(x.low, x.high, 7):
        at = x.at(value)
        parts.append(f'<text x="{at:.1f}" y="{y.first + 16}" text-anchor="middle">{_number(value)}</text>')
    return parts


def _stroke(stroke: Stroke, x: _Scale, y: _Scale) -> list[str]:
    points = [
        (x.at(one), y.at(two))
        for one, two in zip(
            stroke.curve.x.tolist(), np.clip(stroke.curve.y, -LARGEST, LARGEST).tolist(), strict=True
        )
    ]
    path = " ".join(f"{one:.1f},{two:.1f}" for one, two in points)
    colour = _safe(stroke.colour)
    line = f'<polyline points="{path}" stroke="{colour}" stroke-dasharray="{stroke.dash}"/>'
    if len(points) > FEW_POINTS:
        return [line]
    told = zip(points, stroke.curve.x.tolist(), stroke.curve.y.tolist(), strict=True)
    dots = [
        f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="2.5" fill="{colour}">'
        f"<title>{_safe(stroke.name)}: {value:.5g} at {_number(place)}</title></circle>"
        for at, place, value in told
    ]
    return [line, *dots]


def _number(value: float) -> str:
    if abs(value) >= 10_000 or value == round(value):
        return f"{value:,.0f}" if abs(value) < 1e7 else f"{value:.3g}"
    return f"{value:.4g}"


def _safe(text: str) -> str:
    return escape(valid(text))
