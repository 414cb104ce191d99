"""The part that notices numbers gone bad: in which layer, direction and step NaN or infinity came first.

At every step it looks at one gradient, that of the first layer: a NaN of the forward pass reaches the loss
and with it all gradients, one of the backward pass reaches all layers in front of it. The gradient norm,
where it is due, covers the rest. When something is bad, it finds the layer, once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from math import isfinite
from typing import Any

import torch

from ..hooks.watchdog import Alarm, Finding, which_are_bad
from .later import Later, is_on_host, later
from .part import Part, Step, Watched
from .paths import local_part
from .probes import Probes, Seen
from .replay import can_replay, is_bad, replay, statistics_of

_LARGEST = 1 << 14
"""Numbers of a gradient that are summed at every step; larger ones are left to the norm."""
_BATCH = 10
"""Steps whose sums are read from a device together."""
_MOST_WAITING = 100
"""Batches that wait for a device; a queue that long is no queue any more."""


class Watchdog(Part):
    """Alerts the run of NaN and infinity."""

    doing = "looking for NaN and infinity"

    def __init__(self, watched: Watched, name: str | None, *, layers: bool) -> None:
        """Begin to watch for the tracker of that name; with `layers`, look at each layer at every step."""
        self._watched = watched
        self._alarm = Alarm(watched.run, name)
        self._probes = Probes(watched.model) if layers else None
        self._is_bad = self._is_well = False
        self._sentinel: torch.nn.Parameter | None = None
        self._on_host = True
        self._sums: list[tuple[int, list[Seen], torch.Tensor]] = []
        self._waiting: deque[tuple[list[tuple[int, list[Seen]]], Later]] = deque()

    def with_gradients(self, step: Step) -> None:
        """Look at the step."""
        sentinel = self._sentinel
        gradient = None if sentinel is None else sentinel.grad
        # The shortest path, for what nearly every step is: on the host, and well.
        if gradient is not None and self._is_well and isfinite(gradient.sum().item()):
            norm = step.values.get("gradient_norm")
            if norm is None or isfinite(norm):
                return
        if gradient is None:
            gradient = self._choose(step.number)
        if gradient is not None and not self._alarm.silent:
            seen = [] if self._probes is None else self._probes.take()
            if self._on_host:
                self._look(step, gradient, seen)
            elif getattr(step.optimizer, "found_inf", None) is None:
                self._look_later(step, gradient, seen)
            self._is_well = self._on_host and self._probes is None and not self._is_bad

    def close(self) -> None:
        """Remove the hooks, and look at what waits."""
        if self._probes is not None:
            self._probes.close()
        if self._sums:
            self._send()
        self._receive(wait=True)

    def _choose(self, step: int) -> torch.Tensor | None:
        """Take the gradient of the first layer; of its weights, which what it is given makes bad as well."""
        for named in self._watched.parameters.at(step):
            gradient = named.parameter.grad
            if gradient is None or gradient.layout is not torch.strided or gradient.is_complex():
                continue  # their sums are not read as one number: the norm stands for them
            if local_part(gradient).numel() <= _LARGEST:
                self._sentinel = named.parameter
                self._on_host = is_on_host(named.parameter)
                return gradient
        return None

    # Where the host does the work: at once.

    def _look(self, step: Step, gradient: torch.Tensor, seen: list[Seen]) -> None:
        norm = step.values.get("gradient_norm", 0.0)
        if isfinite(gradient.sum().item()) and isfinite(norm) and not seen:
            # A norm that is bad every tenth step says nothing new in between.
            if self._is_bad and "gradient_norm" in step.values:
                self._is_bad = False
            return
        # An optimizer that unscales by itself skips steps with bad gradients: they belong to its search.
        if self._is_bad or getattr(step.optimizer, "found_inf", None) is not None:
            return
        bad = self._bad_gradients(step.number)
        if any(bad.values()):  # or a sum overflowed
            self._is_bad = True
            self._give(self._find(step, bad, seen))

    def _bad_gradients(self, step: int) -> dict[str, bool]:
        return {
            named.path: is_bad(_values(gradient))
            for named in self._watched.parameters.at(step)
            if (gradient := named.parameter.grad) is not None
        }

    def _find(self, step: Step, bad: dict[str, bool], seen: list[Seen]) -> Finding:
        found, why = self._replayed(step)
        first = first_bad(seen)
        if found is None and first is not None:
            found = Finding(step.number, first.place, first.layer, first.statistics)
        if found is None:
            found = self._by_gradients(step, bad, why)
        return replace(found, notes=(*found.notes, which_are_bad(bad)))

    def _give(self, finding: Finding) -> None:
        # All processes get the same bad gradients; the one whose batch it was knows more than that.
        if not self._watched.run.rank or finding.place in ("forward", "backward", "input"):
            self._alarm.give(finding)

    def _replayed(self, step: Step) -> tuple[Finding | None, str]:
        if step.called is None:
            return None, "No call of the model was seen, so it was not called again to find the layer."
        if not can_replay(self._watched.model):
            return None, "The model cannot be called again by one process alone to find the layer."
        try:
            found = replay(self._watched.model, step.called, step.number)
        except Exception as error:  # a model may raise anything, when it is called once more than it expects
            return None, f"Calling the model again to find the layer raised {type(error).__name__}."
        return found, "Called again with the last inputs of the step, the model gave finite numbers."

    def _by_gradients(self, step: Step, bad: dict[str, bool], why: str) -> Finding:
        """Name the last layer in the model, the first in the backward pass, whose gradients are bad."""
        if all(bad.values()):
            place = "gradients" if step.called is None else "loss"
            return Finding(step.number, place, notes=(why,))
        path = [path for path, is_bad in bad.items() if is_bad][-1]
        gradients = [n.parameter.grad for n in self._watched.parameters.at(step.number) if n.path == path]
        values = [statistics_of(_values(gradient)) for gradient in gradients if gradient is not None]
        return Finding(step.number, "backward", path.rpartition("/")[0], values[0], (why,))

    # Where a device does it: sums are queued, and read some steps later, when it has come to them.

    def _look_later(self, step: Step, gradient: torch.Tensor, seen: list[Seen]) -> None:
        sums = [local_part(gradient).sum(dtype=torch.float32), *(one.sum for one in seen)]
        norm: Any = step.values.get("gradient_norm")
        if isinstance(norm, torch.Tensor):
            sums[0] = sums[0] + norm
        self._sums.append((step.number, seen, torch.stack(sums) if seen else sums[0].reshape(1)))
        if len(self._sums) >= _BATCH:
            self._send()
        self._receive()

    def _send(self) -> None:
        sums, self._sums = self._sums, []
        if len(self._waiting) < _MOST_WAITING:
            labels = [(number, seen) for number, seen, _ in sums]
            self._waiting.append((labels, later(torch.cat([values for _, _, values in sums]))))

    def _receive(self, *, wait: bool = False) -> None:
        while self._waiting and (wait or self._waiting[0][1].ready()):
            labels, values = self._waiting.popleft()
            numbers = values.read()
            for number, seen in labels:
                own, numbers = numbers[: 1 + len(seen)], numbers[1 + len(seen) :]
                self._judge(number, seen, own)

    def _judge(self, number: int, seen: list[Seen], numbers: list[float]) -> None:
        passed = list(zip(seen, numbers[1:], strict=True))
        if isfinite(numbers[0]) and all(isfinite(n) for s, n in passed if s.place == "backward"):
            self._is_bad = False
        elif not self._is_bad:
            self._is_bad = True
            first = next((s for s, n in passed if not isfinite(n)), None)
            self._give(_told_later(number, first, known=bool(seen)))


def _told_later(step: int, first: Seen | None, *, known: bool) -> Finding:
    if first is not None:
        return Finding(step, first.place, first.layer)
    if known:
        return Finding(step, "loss", notes=("What the layers returned and passed back was finite.",))
    note = (
        'The device was not waited for, so the layer is not known. TorchTracker(watchdog="layers") tells it.'
    )
    return Finding(step, "gradients", notes=(note,))


def first_bad(seen: list[Seen]) -> Seen | None:
    """Return what was bad first; waits for the device."""
    return next((one for one in seen if not isfinite(one.sum.item())), None)


def _values(gradient: torch.Tensor) -> torch.Tensor:
    gradient = local_part(gradient)
    return gradient if gradient.layout is torch.strided else gradient.coalesce().values()
