"""Which metrics are shown together, and in which order. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

ABOUT_TRAINING = frozenset(
    {
        "learning_rate", "gradient_norm", "update_ratio", "samples_per_second", "samples", "epoch",
        "global_step", "memory", "step_time", "data_time", "forward_time", "backward_time", "optimizer_time",
    }
)  # fmt: skip
"""What hooks log about the training itself, apart from what the model achieves."""
_FIRST_METRICS = ("loss", "accuracy")
FIRST, LAST = ("metrics", *_FIRST_METRICS, "training"), ("system",)
"""The sections at the beginning and at the end of a page: the losses of a GAN come before its times."""
_NUMBERS = re.compile(r"(\d{1,15})", re.ASCII)


def sections(metrics: Iterable[str]) -> dict[str, list[str]]:
    """Group metrics by prefix: those without one first, the machine's own last."""
    found: dict[str, list[str]] = {}
    for metric in sorted(metrics, key=order_of):
        found.setdefault(section_of(metric), []).append(metric)
    order = (*FIRST, *sorted(set(found) - {*FIRST, *LAST}), *LAST)
    return {section: found[section] for section in order if section in found}


def section_of(metric: str) -> str:
    """Return the section of a metric: its prefix, or one of the two that are ours."""
    prefix, slash, _ = metric.partition("/")
    if prefix in ABOUT_TRAINING:
        return "training"
    return prefix if slash else "metrics"


def order_of(metric: str) -> tuple[int, list[tuple[int, str]]]:
    """Return what metrics are sorted by: layer 2 comes before layer 10."""
    head = metric.partition("/")[0]
    # At odd places of the list, there are digits; so numbers are compared with numbers.
    parts = [(int(part), "") if part.isdecimal() else (0, part) for part in _NUMBERS.split(metric)]
    return (_FIRST_METRICS.index(head) if head in _FIRST_METRICS else len(_FIRST_METRICS), parts)
