"""Variants of one training that take turns, so that what else the machine does falls on all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plan import Measures

NONE = "none"


def _nothing() -> None:
    return


@dataclass(frozen=True, slots=True)
class Variant:
    """One training, with a tracker or without."""

    train: Callable[[int], None]
    """Makes so many steps."""
    flush: Callable[[], object] = _nothing
    """Returns when all that was recorded is stored."""


def step_costs(variants: Mapping[str, Variant], blocks: int, block: int, steps: int) -> Measures:
    """Return what each variant takes more than the one without, a step; `steps` in each turn.

    A block has as many steps as lie between two histograms at default settings, 100.

    `<name>_us` is by the clock; `<name>_thread_us` is the processor time of the training thread, which other
    programs on the machine disturb less. Each turn is compared with that of the variant without a tracker
    next to it. Of the turns at one place in their blocks, such as each 100th step, the median counts; the
    mean over all places is the cost: periodic work is in it with its share, a disturbed turn is not.
    """
    turns = block // steps
    took = {name: np.empty((blocks, turns)) for name in variants}
    worked = {name: np.empty((blocks, turns)) for name in variants}
    for number in range(blocks):
        for turn in range(turns):
            for name in _rotated(list(variants), turn + number):
                begun, began = time.perf_counter(), time.thread_time()
                variants[name].train(steps)
                worked[name][number, turn] = (time.thread_time() - began) * 1e6 / steps
                took[name][number, turn] = (time.perf_counter() - begun) * 1e6 / steps
    step = float(np.median(took[NONE]))
    return {"step_us": step, **_more_by_place(took, "us"), **_more_by_place(worked, "thread_us")}


def cpu_costs(variants: Mapping[str, Variant], blocks: int, block: int) -> Measures:
    """Return `<name>_cpu_us`: the processor time of all threads that each takes more, a step."""
    took: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(blocks):
        for name, variant in variants.items():
            begun = time.process_time()
            variant.train(block)
            variant.flush()
            took[name].append((time.process_time() - begun) * 1e6 / block)
    return _more(took, "cpu_us")


def _more_by_place(took: Mapping[str, NDArray[np.float64]], unit: str) -> Measures:
    return {
        f"{name}_{unit}": float(np.median(own - took[NONE], axis=0).mean())
        for name, own in took.items()
        if name != NONE
    }


def _more(took: Mapping[str, list[float]], unit: str) -> Measures:
    return {
        f"{name}_{unit}": statistics.median(ours - none for ours, none in zip(own, took[NONE], strict=True))
        for name, own in took.items()
        if name != NONE
    }


def _rotated(names: list[str], turn: int) -> list[str]:
    first = turn % len(names)
    return names[first:] + names[:first]
