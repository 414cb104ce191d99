"""What a run tells of its machine and its speed: which series say it, in which unit, on which device.

Pure: no Streamlit, no store.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...storage.model import SYSTEM_PREFIX, Points, Series

GB = 1e-9
SLOWER = 0.05
"""A rank that takes so much longer than the median one holds the others up."""
PARTS = ("data_time", "forward_time", "backward_time", "optimizer_time")
"""What a step is made of, in the order in which it happens."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is measured, on any number of devices."""

    section: str
    title: str
    unit: str
    pattern: str
    """A regular expression for the whole name of a series; its groups name the device."""
    scale: float = 1.0
    """From what is logged to the unit."""
    percent: bool = False
    """Whether it lies between 0 and 100."""
    headline: bool = False
    """Whether its median and peak stand on top of the page."""

    @property
    def label(self) -> str:
        """The title with the unit."""
        return f"{self.title}, {self.unit}" if self.unit else self.title

    @property
    def is_duration(self) -> bool:
        """Whether it is a time that something took."""
        return self.unit == "s"

    @property
    def chart_title(self) -> str:
        """The title with the unit, written so that views/outliers.py knows a duration."""
        return f"{self.title} in seconds" if self.is_duration else self.label


_TIMED = "(?:(.+)/)?{}(?:/(.+))?"
_GPU = r"system/(gpu\d+)/"
MEASURES = (
    Measure("speed", "Samples a second", "", _TIMED.format("samples_per_second"), headline=True),
    Measure("speed", "Step time", "s", _TIMED.format("step_time"), headline=True),
    Measure("speed", "Waiting for data", "s", _TIMED.format("data_time")),
    Measure("speed", "Forward", "s", _TIMED.format("forward_time")),
    Measure("speed", "Backward", "s", _TIMED.format("backward_time")),
    Measure("speed", "Optimizer", "s", _TIMED.format("optimizer_time")),
    Measure("gpu", "GPU use", "%", _GPU + "utilization_percent", percent=True, headline=True),
    Measure("gpu", "GPU memory", "GB", _GPU + "memory_used_gb", headline=True),
    Measure("gpu", "GPU power", "W", _GPU + "power_w", headline=True),
    Measure("gpu", "GPU temperature", "°C", _GPU + "temperature_c"),
    Measure("gpu", "Allocated by the framework", "GB", "memory/(.+)/allocated", GB),
    Measure("gpu", "Reserved by the framework", "GB", "memory/(.+)/reserved", GB),
    Measure("gpu", "Peak of the framework", "GB", "memory/(.+)/peak", GB),
    Measure("machine", "Processor", "%", "system/cpu_percent", percent=True, headline=True),
    Measure("machine", "Memory of the machine", "GB", "system/memory_used_gb", headline=True),
    Measure("machine", "Memory of the process", "GB", "system/process_memory_gb", headline=True),
    Measure("machine", "Disk read", "MB/s", "system/disk_read_mb_per_second"),
    Measure("machine", "Disk written", "MB/s", "system/disk_written_mb_per_second"),
    Measure("machine", "Network received", "MB/s", "system/network_received_mb_per_second"),
    Measure("machine", "Network sent", "MB/s", "system/network_sent_mb_per_second"),
    Measure("tracker", "Cost of the tracker", "%", "system/stepscope/(?:(.+)/)?cost_percent", headline=True),
)  # fmt: skip
"""In the order of the page."""
SECTIONS = {
    "speed": "Speed",
    "gpu": "GPU",
    "machine": "Processor, memory, disk, network",
    "tracker": "What Stepscope itself costs",
    "other": "Other",
}
ABSENT = {
    "speed": "No speed was recorded. The hooks log it: `stepscope.watch(model)`, or the callbacks.",
    "gpu": "No GPU was seen. On a machine with NVIDIA GPUs: `pip install 'stepscope[gpu]'`.",
    "machine": "No readings of the machine. The first ones come five seconds after a run begins.",
    "tracker": "No cost was recorded. The hooks measure their own.",
}
"""What to say of a section without series."""
_PATTERNS = [(one, re.compile(one.pattern)) for one in MEASURES]


@dataclass(frozen=True, slots=True)
class Reading:
    """One series that measures something."""

    series: Series
    device: str
    """"gpu0", or "" where there is only one."""
    rank: int | None
    """None where the run has no ranks."""

    @property
    def words(self) -> str:
        """What tells it from the others of its run; "" for nothing."""
        parts = [self.device, "" if self.rank is None else f"rank {self.rank}"]
        return " · ".join(part for part in parts if part)


def readings(series: Iterable[Series]) -> dict[Measure, list[Reading]]:
    """Return what the scalars of some runs measure, in the order of the page; all else is left out."""
    found: dict[Measure, list[Reading]] = {}
    for one in series:
        measure, device = _measure_of(one.name)
        if measure is not None:
            rank = one.context.get("rank")
            found.setdefault(measure, []).append(
                Reading(one, device, int(rank) if isinstance(rank, int) else None)
            )
    order = {one: at for at, one in enumerate(MEASURES)}
    for members in found.values():
        members.sort(key=lambda one: (one.series.run_id, one.rank or 0, one.device))
    return {one: found[one] for one in sorted(found, key=lambda one: (order.get(one, 99), one.title))}


def _measure_of(name: str) -> tuple[Measure | None, str]:
    for measure, pattern in _PATTERNS:
        match = pattern.fullmatch(name)
        if match:
            return measure, " ".join(part for part in match.groups() if part)
    if name.startswith(SYSTEM_PREFIX):
        return Measure("other", name.removeprefix(SYSTEM_PREFIX), "", re.escape(name)), ""
    return None, ""


def scaled(points: Points, scale: float) -> Points:
    """Return points in another unit."""
    if scale == 1.0:
        return points
    parts = {name: getattr(points, name) * scale for name in ("min", "max", "mean", "last")}
    return replace(points, **parts)


def median(points: Points) -> float:
    """Return the median of what was logged, of buckets by their means; NaN without any number."""
    known = np.isfinite(points.mean)
    if not known.any():
        return float("nan")
    order = np.argsort(points.mean[known], kind="stable")
    values, counts = points.mean[known][order], np.cumsum(points.count[known][order])
    return float(values[np.searchsorted(counts, counts[-1] / 2)])


def straggler(step: Mapping[int, float], own: Mapping[int, float]) -> str:
    """Return which rank holds the others up, as a sentence; "" for fewer than two ranks.

    Args:
        step: rank -> the median of its step time in seconds.
        own: rank -> what it does before it meets the others, data and forward pass, as far as that is known:
            where ranks wait for each other in the backward pass, their steps take the same time.
    """
    if len(step) < 2:
        return ""
    typical = float(np.median(list(step.values())))
    rank, share = _slowest(step)
    many = len(step)
    if share >= SLOWER:
        return (
            f"Rank {rank} is the slowest: {step[rank]:.3g} s a step, {share:.0%} more than the median of "
            f"{many} ranks."
        )
    if len(own) == len(step):
        rank, share = _slowest(own)
        if share >= SLOWER:
            return (
                f"The {many} ranks wait for each other, so that all take {typical:.3g} s a step. "
                f"Before they meet, rank {rank} is the slowest: {own[rank]:.3g} s for data and forward pass, "
                f"{share:.0%} more than the median."
            )
    return f"No rank is slower than the others: all {many} take {typical:.3g} s a step, within {SLOWER:.0%}."


def _slowest(seconds: Mapping[int, float]) -> tuple[int, float]:
    rank = max(seconds, key=lambda one: seconds[one])
    typical = float(np.median(list(seconds.values())))
    return rank, seconds[rank] / typical - 1 if typical > 0 else 0.0


def shared_range(lines: Sequence[Points]) -> tuple[float, float] | None:
    """Return the ends of an axis that shows all lines from zero; None without any number."""
    highest = [float(np.nanmax(one.max)) for one in lines if np.isfinite(one.max).any()]
    lowest = [float(np.nanmin(one.min)) for one in lines if np.isfinite(one.min).any()]
    return (min(0.0, *lowest, 0.0), 1.05 * max(highest) or 1.0) if highest else None
