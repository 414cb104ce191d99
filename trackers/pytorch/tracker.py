"""The hook for PyTorch loops: one line, and the loop stays as it is.

    tracker = TorchTracker(run, model, optimizer)

Everything is read around `optimizer.step()`, after backward and outside of any compiled code, so that
torch.compile sees one graph with the tracker as without. Device tensors are handed on as they are; nothing
here waits for a device. What is recorded is the work of parts (see part.py), which this calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from time import perf_counter
from typing import Any, cast

import torch
from torch import nn

from ...storage.errors import BadInput
from ..hooks.cost import Cost
from ..hooks.layers import check_histograms, wanted_layers
from ..hooks.output import Output
from ..hooks.pace import check_every
from ..hooks.watchdog import check_watchdog
from ..media import Graph
from ..run import Run
from .activations import Activations
from .gradients import Gradients
from .graph import capture_graph
from .learning_rates import LearningRates
from .memory import Memory
from .part import Calls, Part, Schedule, Step, Watched
from .timing import Timing
from .twin import is_sharded, layers_of_wrapping, unwrap
from .watchdog import Watchdog
from .weights import RATIO_NORMS, Weights


class TorchTracker:
    """Records what a training loop does, from the optimizer's steps.

    At every step: `learning_rate` (`learning_rate/<group>` when there are several parameter groups; a group's
    "name" or number), `step_time` in seconds, `samples_per_second`, and where they can be known `data_time`,
    `forward_time`, `backward_time`, `optimizer_time`. Every 10 steps: `samples`, how many the model was given
    so far. Every `gradient_norm_every` steps: `gradient_norm`, of all gradients as one vector; every tenth
    time, `update_ratio` too, the norm of the update over that of the weights. Every `histogram_every` steps:
    `gradients/<path>` and `weights/<path>` of every trained parameter, and `activations/<path>` when asked
    for. Once, after the first step: the graph, "model". Gradients are those that the optimizer is given:
    after unscaling by a GradScaler and after clipping. Weights are those after the step.

    Steps: the tracker counts optimizer steps, from 1 (or on from `run.step` in a resumed run; call
    `run.set_step(n)` before to start elsewhere). `run.log` without a step lands on the same count: after
    `optimizer.step()` it is the step just made; before it, the one before, since the weights are still those.
    Until the first step, `run.log` counts by itself, as without a tracker. Of several trackers on one run
    (each with a `name`), that count is of the one whose optimizer stepped last.
    With gradient accumulation one step is one `optimizer.step()`, and its samples are those of all its
    forwards. A step that a GradScaler skips is not counted.

    What it cannot see: parameters that are changed without a torch optimizer; epochs (log them yourself).
    samples_per_second takes the first dimension of the first tensor given to the model as the batch, and
    needs the model to be called itself (not only its parts). step_time leaves out validation when the model
    is called in eval mode for it.
    """

    def __init__(
        self,
        run: Run,
        model: nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        *,
        histogram_every: int = 100,
        gradient_norm_every: int = 10,
        memory_every: int = 100,
        histograms: Sequence[str] = ("weights", "gradients"),
        layers: str | Sequence[str] = "*",
        graph: bool = True,
        watchdog: bool | str = True,
        example_input: Any = None,
        name: str | None = None,
    ) -> None:
        """Begin to watch; call it before the first step, before or after torch.compile.

        Args:
            run: from stepscope.init.
            model: the module that is trained; wrapped by torch.compile or DataParallel, or not.
            optimizer: what trains it. Left out, the first optimizer that steps with one of the model's
                parameters is taken; of several, the others are not seen.
            histogram_every: steps between histograms; 0 for none.
            gradient_norm_every: steps between gradient norms, a tenth of those between update ratios; 0 for
                none.
            memory_every: steps between looks at the memory of each GPU; 0 for none.
            histograms: what to make histograms of: "weights", "gradients", "activations".
            layers: a pattern such as "encoder/*", or several: the layers whose histograms are made. Their
                paths are written with slashes, as in the names of the series.
            graph: whether to find the model's graph. It runs no training code, but takes about a second.
            watchdog: whether to alert the run of NaN and infinity, with the layer, direction and step where
                they came first; "layers" looks at every layer at every step, which costs more.
            example_input: what the model takes (a tuple for several arguments); the graph is then found
                now and not after the first step.
            name: tells several trackers of one run apart; it comes behind the first part of every name that
                the tracker writes: name="generator" gives `gradient_norm/generator`,
                `weights/generator/<path>`, `model/generator`.

        Raises:
            BadInput: `run` is no run. Whatever else is wrong is told once, and the loop goes on.
        """
        self._out = Output(run, name, "TorchTracker")
        self._run = run
        self._step = max(run.step, 0)
        self._steps_seen = 0
        self._handles: list[Any] = []
        self._parts: list[Part] = []
        self._graph_wanted = graph
        with run.guard("attaching to a PyTorch model"):
            check_every(
                histogram_every=histogram_every,
                gradient_norm_every=gradient_norm_every,
                memory_every=memory_every,
            )
            every = dict.fromkeys(check_histograms(histograms), histogram_every)
            wanted, by_layer = wanted_layers(layers), check_watchdog(watchdog)
            self._model, self._optimizer = _checked(model, optimizer)
            if run.rank > 0 and not is_sharded(self._model):
                # What rank 0 records of the model holds for all.
                every, self._graph_wanted = {}, False
            self._out.claim(self._model if self._optimizer is None else self._optimizer)
            self._cost = Cost(run, self._out, max(histogram_every, gradient_norm_every, memory_every))
            watched = Watched(run, self._out, self._model, _called(model), wanted, self._cost)
            self._timing = Timing(watched)
            self._clock_stands = self._timing.clock.stands
            self._take(
                self._timing,
                LearningRates(),
                Gradients(watched, gradient_norm_every, every.get("gradients", 0)),
                Weights(watched, RATIO_NORMS * gradient_norm_every, every.get("weights", 0)),
                Memory(watched, memory_every),
            )
            if watchdog:
                self._take(*self._parts, Watchdog(watched, name, layers=by_layer))
            if every.get("activations"):
                self._take(*self._parts, Activations(watched, histogram_every))
            self._attach()
            run.set_framework("torch")
            run.on_finish(self.close)
            if self._graph_wanted and example_input is not None:
                is_tuple = isinstance(example_input, tuple)
                self._find_graph(cast("Any", example_input) if is_tuple else (example_input,), {})

    @property
    def step(self) -> int:
        """How many optimizer steps were made; the step of values that are logged now.

        A loop that counts by itself sets it before a step: the next one is then this + 1.
        """
        return self._step

    @step.setter
    def step(self, made: int) -> None:
        self._step = made

    def close(self) -> None:
        """Remove every hook. The end of the run calls it too."""
        handles, self._handles = self._handles, []
        if not handles:
            return
        for handle in handles:
            handle.remove()
        for part in self._parts:
            part.close()
        self._cost.close()
        self._out.release()
        if not self._steps_seen:
            self._run.guard.say(
                "torch-no-steps",
                "TorchTracker saw no optimizer step. It needs a torch.optim.Optimizer that trains this model "
                "and whose step() is called after the tracker was made.",
            )

    def _take(self, *parts: Part) -> None:
        self._parts = list(parts)
        self._schedule = Schedule(self._parts)
        self._making = Step(self._cost, self._log)

    def _attach(self) -> None:
        # Without an optimizer, every optimizer of the process is asked whether it trains this model.
        everywhere: Any = import_module("torch.optim.optimizer")
        before, after = (
            (everywhere.register_optimizer_step_pre_hook, everywhere.register_optimizer_step_post_hook)
            if self._optimizer is None
            else (self._optimizer.register_step_pre_hook, self._optimizer.register_step_post_hook)
        )
        self._handles += [before(_outside(self._before_step)), after(_outside(self._after_step))]

    def _is_mine(self, optimizer: torch.optim.Optimizer) -> bool:
        if self._optimizer is None:
            mine = {id(parameter) for parameter in self._model.parameters()}
            if any(id(parameter) in mine for parameter in _parameters_of(optimizer)):
                self._optimizer = optimizer
        return optimizer is self._optimizer

    def _before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if optimizer is not self._optimizer and not self._is_mine(optimizer):
            return
        if self._clock_stands is not None and self._clock_stands():
            self._run.guard.drop("steps inside of a CUDA graph capture")
            return
        began = perf_counter()
        step = self._making
        step.number, step.optimizer, step.values = self._step + 1, optimizer, {}
        self._calls = calls = self._schedule.at(step.number, self._cost.factor)
        self._call(calls.before, step)
        # A closure computes the gradients inside of step(): then they are read after it.
        if (len(args) == 1 and not kwargs) or not _has_closure(args, kwargs):
            self._call(calls.gradients, step)
            self._timing.begin_update()
        self._cost.now += perf_counter() - began

    def _after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if optimizer is not self._optimizer or (self._clock_stands is not None and self._clock_stands()):
            return
        step, calls = self._making, self._calls
        step.now = perf_counter()
        if not (len(args) == 1 and not kwargs) and _has_closure(args, kwargs):
            self._call(calls.gradients, step)
        self._call(calls.after, step)
        self._step = step.number
        self._steps_seen += 1
        if calls.due and not all(type(value) is float for value in step.values.values()):
            self._log(step.values, step.number)
        else:
            self._out.log_soon(step.values, step.number)
        self._cost.now += perf_counter() - step.now
        self._cost.end_step(step.seconds)
        if self._graph_wanted and step.called is not None:
            with self._run.guard("finding the model's graph"):
                self._find_graph(*step.called)

    def _call(self, calls: Calls, step: Step) -> None:
        for call, part in calls:
            try:
                call(step)
            except Exception as error:
                self._run.guard.handle(error, part.doing)

    def _log(self, values: Mapping[str, Any], step: int) -> None:
        # The newest value may be at a later step: of another tracker, or from before the first step.
        self._run.set_step(self._step)
        self._out.log_waiting()
        self._out.log(values, step)

    def _find_graph(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._graph_wanted = False
        graph = capture_graph(self._model, args, kwargs)
        self._timing.reset()  # a twin was called, whose hooks are the model's; and the time is not the loop's
        self._out.log({"model": Graph(graph)}, self._step)


def _outside(hook: Callable[..., None]) -> Callable[..., None]:
    """Return an optimizer's hook that is not traced when the optimizer's step is compiled."""
    untraced: Callable[..., None] = cast("Any", torch.compiler).disable(hook)

    def call(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        # Outside of compiled code, the wrapper would cost more than all that the hook does.
        if torch.compiler.is_compiling():
            untraced(optimizer, args, kwargs)
        else:
            hook(optimizer, args, kwargs)

    return call


def _checked(model: Any, optimizer: Any) -> tuple[nn.Module, torch.optim.Optimizer | None]:
    if not isinstance(model, nn.Module):
        raise BadInput(f"TorchTracker needs a torch.nn.Module to watch, but got {type(model).__name__}")
    if not (optimizer is None or isinstance(optimizer, torch.optim.Optimizer)):
        came = type(optimizer).__name__
        hint = (
            "Make one tracker for each optimizer and its model, each with a name=."
            if came in ("list", "tuple")
            else "Leave it out if a library wraps it: the optimizer is then found at its first step."
        )
        raise BadInput(f"TorchTracker needs a torch.optim.Optimizer, but got {came}. {hint}")
    return unwrap(model), optimizer


def _called(model: nn.Module) -> nn.Module:
    """Return the module whose hooks are not traced: what torch.compile returned, else the user's own."""
    wrapping = layers_of_wrapping(model)
    return next((module for module in wrapping if "_orig_mod" in module.__dict__["_modules"]), wrapping[-1])


def _parameters_of(optimizer: torch.optim.Optimizer) -> Iterator[torch.Tensor]:
    for group in optimizer.param_groups:
        yield from group["params"]


def _has_closure(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    return (args[1] if len(args) > 1 else kwargs.get("closure")) is not None
