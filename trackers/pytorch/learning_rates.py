"""The part that records the learning rate of each parameter group."""

from __future__ import annotations

from typing import Any

from .part import Part, Step


class LearningRates(Part):
    """Records `learning_rate`, or `learning_rate/<group>` when there are several groups."""

    doing = "reading the learning rate"

    def __init__(self) -> None:
        """Begin without names: groups may be added while training."""
        self._names: list[str] = []

    def before_step(self, step: Step) -> None:
        """Read the rates that this step uses; a scheduler changes them after it."""
        groups: list[dict[str, Any]] = step.optimizer.param_groups
        if len(groups) != len(self._names):
            self._names = _names(groups)
        for name, group in zip(self._names, groups, strict=True):
            rate = group.get("lr")
            if type(rate) is float:
                step.values[name] = rate
            elif rate is not None:
                step.log({name: rate})  # a tensor, which a scheduler changes in place


def _names(groups: list[dict[str, Any]]) -> list[str]:
    if len(groups) == 1:
        return ["learning_rate"]
    return [f"learning_rate/{group.get('name', i)}" for i, group in enumerate(groups)]
