"""What runs cost: time, memory, and what it took to watch them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from .measures import (
    Measured,
    first_step_s,
    in_summary,
    median_of,
    memory_mib,
    start_to_first_step_s,
    step_ms,
    wall_s,
    watching_percent,
)
from .spread import SIDES, Spread, number, spread_of
from .tables import Measure, Table, Twins, beside_table, told, twins_of

_Key = TypeVar("_Key", tuple[int, int, str], tuple[str, str])

STARTS_PROCESSES = ("execution", "distributed")
"""Pairs whose programs only start others: what the program as a whole took says nothing of a run."""
DOES_OTHER_WORK = ("deployment", "goes-wrong", "model-styles")
"""Pairs whose twins end with unlike work: other serving forms, one debugger or one style more."""
_ALONE = "one-device"
_MODES = ("eager", "graph", "xla", "session")


def speed(runs: Sequence[Measured]) -> list[Table]:
    """Return the tables of what is often called performance."""
    twins = twins_of(runs)
    alone = _without(twins, STARTS_PROCESSES)
    alike = _without(twins, DOES_OTHER_WORK)
    return [
        beside_table("**One step**, the median after the first ten (less is better).", "ms", twins, step_ms),
        beside_table(
            "**Until the first step is done**, from `stepscope.init` on; in execution the first step alone "
            "(less is better).", "s", twins, first_step_s,
        ),
        beside_table(
            "**Until the first step is done, from the start of the program**: imports and data too (less is "
            "better).", "s", alone, start_to_first_step_s,
        ),
        beside_table(
            "**The whole program**, from start to end, where both twins do the same work (less is better).",
            "s", _without(alike, STARTS_PROCESSES), wall_s,
        ),
        beside_table(
            "**Memory**: the most that a process of the program held, where both twins do the same work; in "
            "execution what the process of the mode held, without the tracker (less is better).", "MiB",
            alike, memory_mib,
        ),
    ]  # fmt: skip


def execution(runs: Sequence[Measured]) -> list[Table]:
    """Return one row for each way to run the same step, beside the same framework's eager one."""
    ways = _grouped(runs, lambda one: (one.side, _mode_order(one.what), one.what))
    eager = {
        side: spread_of(map(step_ms, group)) for (side, _, what), group in ways.items() if what == "eager"
    }
    rows = [
        [
            f"{SIDES[side]}: {what}",
            told(spread_of(map(first_step_s, group)), "s"),
            told(spread_of(map(step_ms, group)), "ms"),
            told(spread_of(map(memory_mib, group)), "MiB"),
            told(spread_of(map(in_summary("seconds_for_4_new_lengths"), group)), "s"),
            "" if what == "eager" else _against(spread_of(map(step_ms, group)), eager.get(side)),
        ]
        for (side, _, what), group in ways.items()
    ]
    columns = [
        "how it runs",
        "first step",
        "step",
        "memory",
        "four batches of new lengths",
        "step beside eager",
    ]
    caption = "**One model, run in each way** that the pair shows (less is better)."
    below = ["An eager step has no last cell: it is what the others stand beside."]
    return [Table(caption, columns, rows, below)]


def training(runs: Sequence[Measured]) -> list[Table]:
    """Return how fast data go through a training."""
    twins = twins_of(runs)
    # A GAN's discriminator is given real and drawn pictures in a step, and waits for the generator besides:
    # of the two networks, the one with fewer samples and shorter waits tells of the data.
    unseen = "An empty cell: the hook of that side cannot see it, since a step is one traced function there."
    return [
        beside_table(
            "**Samples a second**, the median (more is better).", "", twins,
            median_of("samples_per_second", of_several=min),
            "An empty cell: the hook cannot know how many samples a step of that program takes.",
        ),
        beside_table(
            "**Waiting for data**, of each step (less is better).", "ms", _seen(runs, "data_time"),
            median_of("data_time", 1000, of_several=min), unseen,
        ),
    ]  # fmt: skip


def distribution(runs: Sequence[Measured]) -> list[Table]:
    """Return a row for each way to share a training between processes or devices."""
    ways = _grouped(runs, lambda one: (one.side, one.what != _ALONE, one.run.name))
    alone = {
        side: spread_of(map(_whole_step_s, group)) for (side, shared, _), group in ways.items() if not shared
    }
    rows = [
        [
            name,
            ", ".join(sorted({str(_ranks(one)) for one in group})),
            *(told(spread_of(map(measure, group)), unit) for measure, unit in _OF_SHARED),
            _against(spread_of(map(_whole_step_s, group)), alone.get(side)) if shared else "",
        ]
        for (side, shared, name), group in ways.items()
    ]
    columns = ["run", "ranks", "step", "steps a second", "accuracy, test", "whole run", "beside one device"]
    below = (
        "Steps a second are those of the median epoch, with all that lies between two steps; the last column "
        "compares them, and is empty for one device itself."
    )
    return [Table("**One training on several processes or devices** of one machine.", columns, rows, [below])]


def watching(runs: Sequence[Measured]) -> list[Table]:
    """Return what the hooks took of the training's time, by their own clock."""
    caption = (
        "**What it costs to be watched**: the part of the steps' time that Stepscope's hooks took, as they "
        "measure it themselves, after the first steps (less is better)."
    )
    empty = "An empty cell: the run has too few steps for the hooks to measure themselves."
    table = beside_table(caption, "%", twins_of(runs), watching_percent, empty, more="points")
    dropped = sum(sum(one.run.dropped.values()) for one in runs)
    said = f"Of {len(runs)} runs, {number(dropped)} values were not stored."
    return [Table(table.caption, table.columns, table.rows, [*table.below, said])]


def all_runs(runs: Sequence[Measured]) -> list[Table]:
    """Return a row for each name of a run, also of those that have no twin."""
    rows = [
        [
            *key,
            str(len(group)),
            *(told(spread_of(map(measure, group)), unit) for _, measure, unit in _OF_ALL),
        ]
        for key, group in _grouped(runs, lambda one: (one.pair, _without_seed(one))).items()
    ]
    columns = ["pair", "run", "runs", *(title for title, _, _ in _OF_ALL)]
    below = "An empty cell: the sample does not log it, or the run is not the first one of its program."
    return [Table("**Every run**, twins or not.", columns, rows, [below])]


def _without(twins: Twins, pairs: Sequence[str]) -> Twins:
    return {task: sides for task, sides in twins.items() if sides[0][0].run.project not in pairs}


def _without_seed(one: Measured) -> str:
    return re.sub(r"^seed-\d+-", "seeds-", one.run.name)


def _seen(runs: Sequence[Measured], name: str) -> Twins:
    measure = median_of(name)
    return {
        task: sides
        for task, sides in twins_of(runs).items()
        if any(measure(one) is not None for side in sides for one in side)
    }


def _grouped(runs: Sequence[Measured], key: Callable[[Measured], _Key]) -> dict[_Key, list[Measured]]:
    found: dict[_Key, list[Measured]] = {}
    for one in sorted(runs, key=key):
        found.setdefault(key(one), []).append(one)
    return found


def _mode_order(what: str) -> int:
    return _MODES.index(what) if what in _MODES else len(_MODES)


def _against(one: Spread | None, eager: Spread | None) -> str:
    if one is None or eager is None:
        return ""
    if min(one.count, eager.count) > 1 and one.overlaps(eager):
        return "the spreads overlap"
    word = "as fast" if one.median <= eager.median else "as slow"
    factor = max(one.median, eager.median) / min(one.median, eager.median)
    return f"{number(factor)} times {word}"


def _ranks(one: Measured) -> int:
    return max(
        1, len({series.context.get("rank", 0) for series in one.run.series(kind="scalar", metric="loss")})
    )


def _whole_step_s(one: Measured) -> float | None:
    steps = in_summary("steps_a_second")(one)
    return None if steps is None else 1 / steps


def _percent(one: Measured) -> float | None:
    return in_summary("test_accuracy", 100)(one)


_OF_SHARED: Sequence[tuple[Measure, str]] = (
    (step_ms, "ms"),
    (in_summary("steps_a_second"), ""),
    (_percent, "%"),
    (lambda one: one.run.duration, "s"),
)
_OF_ALL: Sequence[tuple[str, Measure, str]] = (
    ("whole program", wall_s, "s"),
    ("whole run", lambda one: one.run.duration, "s"),
    ("first step", first_step_s, "s"),
    ("step", step_ms, "ms"),
    ("accuracy, train", in_summary("train_accuracy", 100), "%"),
    ("accuracy, test", _percent, "%"),
    ("memory", memory_mib, "MiB"),
)
