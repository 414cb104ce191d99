"""Whether less or more of a metric is better: as the user defined it, else as its name says. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ...storage.metric_definitions import MetricDefinition
from ..comparison.metrics import higher_is_better

_SPEEDS = ("per_second", "throughput", "fps")


def more_is_better(
    metric: str, logged_as: Iterable[str] = (), definitions: Iterable[MetricDefinition] = ()
) -> bool:
    """Return whether the best value of a metric is its largest.

    Args:
        metric: as it is understood: "accuracy".
        logged_as: the names under which it was logged, which definitions are about.
        definitions: what runs said with `define_metric`; of several about a name, the last one counts.
    """
    names = {metric, *logged_as}
    about = [one for one in definitions if any(one.applies_to(name) for name in names)]
    # Without a goal, "minimize" is stored: only where "best" was asked for, it is what the user meant.
    said = [one.goal for one in about if one.goal == "maximize" or "best" in one.summary]
    if said:
        return said[-1] == "maximize"
    return higher_is_better(metric) or metric.endswith(_SPEEDS)
