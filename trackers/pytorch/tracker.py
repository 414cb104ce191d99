"""The hook for PyTorch loops: one line, and the loop stays as it is.

    tracker = TorchTracker(run, model, optimizer)

Everything is read around `optimizer.step()`, after backward and outside of any compiled code, so that
torch.compile sees one graph with the tracker as without. Device tensors are handed on as they are; nothing
here waits for a device.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, cast

import torch
from torch import nn

from ...storage.errors import BadInput
from ..hooks.output import Output
from ..hooks.pace import Pace, check_every, due, rates
from ..media import Graph, Histogram
from ..run import Run
from .graph import capture_graph, module_path
from .twin import Arguments, unwrap


class TorchTracker:
    """Records what a training loop does, from the optimizer's steps.

    At every step: `learning_rate` (`learning_rate/<group>` when there are several parameter groups; a
    group's "name" or number), `step_time` in seconds, `samples_per_second`. Every `gradient_norm_every`
    steps: `gradient_norm`, of all gradients as one vector. Every `histogram_every` steps: `gradients/<path>`
    and `weights/<path>` of every trained parameter. Once, after the first step: the graph, "model".
    Gradients are those that the optimizer is given: after unscaling by a GradScaler and after clipping.
    Weights are those after the step.

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
        graph: bool = True,
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
            gradient_norm_every: steps between gradient norms; 0 for none.
            graph: whether to find the model's graph. It runs no training code, but takes about a second.
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
        self._watch = _ForwardWatch()
        self._step = max(run.step, 0)
        self._steps_seen = 0
        self._backwards: int | None = None
        self._handles: list[Any] = []
        self._graph_wanted = graph
        with run.guard("attaching to a PyTorch model"):
            check_every(histogram_every=histogram_every, gradient_norm_every=gradient_norm_every)
            self._histogram_every, self._norm_every = histogram_every, gradient_norm_every
            self._model, self._optimizer = _checked(model, optimizer)
            self._out.claim(self._model if self._optimizer is None else self._optimizer)
            self._attach()
            run.set_framework("torch")
            run.on_finish(self.close)
            if graph and example_input is not None:
                is_tuple = isinstance(example_input, tuple)
                self._find_graph(cast("Any", example_input) if is_tuple else (example_input,), {})

    @property
    def step(self) -> int:
        """How many optimizer steps were made; the step of values that are logged now."""
        return self._step

    def close(self) -> None:
        """Remove every hook. The end of the run calls it too."""
        handles, self._handles = self._handles, []
        for handle in handles:
            handle.remove()
        self._out.release()
        if handles and not self._steps_seen:
            self._run.guard.say(
                "torch-no-steps",
                "TorchTracker saw no optimizer step. It needs a torch.optim.Optimizer that trains this model "
                "and whose step() is called after the tracker was made.",
            )

    def _attach(self) -> None:
        # Without an optimizer, every optimizer of the process is asked whether it trains this model.
        everywhere: Any = import_module("torch.optim.optimizer")
        before, after = (
            (everywhere.register_optimizer_step_pre_hook, everywhere.register_optimizer_step_post_hook)
            if self._optimizer is None
            else (self._optimizer.register_step_pre_hook, self._optimizer.register_step_post_hook)
        )
        self._handles.append(self._model.register_forward_pre_hook(self._watch, with_kwargs=True))
        # When optimizer.step is compiled as well, it breaks its graph for the hooks, and traces neither.
        outside: Any = cast("Any", torch.compiler).disable
        self._handles.append(before(outside(self._before_step)))
        self._handles.append(after(outside(self._after_step)))

    def _is_mine(self, optimizer: torch.optim.Optimizer) -> bool:
        if self._optimizer is None:
            mine = {id(parameter) for parameter in self._model.parameters()}
            if any(id(parameter) in mine for parameter in _parameters_of(optimizer)):
                self._optimizer = optimizer
        return optimizer is self._optimizer

    def _before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        # A closure computes the gradients inside of step(): then they are read after it.
        if self._is_mine(optimizer) and not _has_closure(args, kwargs):
            self._record_gradients(optimizer)

    def _after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if not self._is_mine(optimizer):
            return
        if _has_closure(args, kwargs):
            self._record_gradients(optimizer)
        with self._run.guard("recording a step"):
            self._record_step(optimizer)

    def _record_gradients(self, optimizer: torch.optim.Optimizer) -> None:
        step = self._step + 1
        with_norm, with_histograms = due(step, self._norm_every), due(step, self._histogram_every)
        if not (with_norm or with_histograms):
            return
        with self._run.guard("reading gradients"):
            found = dict(self._gradients(optimizer))
            values: dict[str, Any] = {}
            if with_norm and found:
                values["gradient_norm"] = nn.utils.get_total_norm(list(found.values()))
            if with_histograms:
                values |= {f"gradients/{path}": Histogram(gradient) for path, gradient in found.items()}
            if values:
                self._log(values, step)

    def _log(self, values: Mapping[str, Any], step: int) -> None:
        # The newest value may be at a later step: of another tracker, or from before the first step.
        self._run.set_step(self._step)
        self._out.log(values, step)

    def _gradients(self, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, torch.Tensor]]:
        # An optimizer that unscales by itself (fused, under a GradScaler) is given scaled gradients.
        scale: torch.Tensor | None = getattr(optimizer, "grad_scale", None)
        for path, parameter in self._model.named_parameters():
            gradient = parameter.grad
            if gradient is not None:
                if gradient.is_sparse:
                    gradient = gradient.coalesce().values()
                yield module_path(path), gradient if scale is None else gradient / scale

    def _record_step(self, optimizer: torch.optim.Optimizer) -> None:
        seconds, samples, called = self._watch.end_step()
        if called is not None and not samples:
            samples = self._compiled_samples(called)
        self._step += 1
        self._steps_seen += 1
        values: dict[str, Any] = {**_learning_rates(optimizer), **rates(seconds, samples)}
        if due(self._step, self._histogram_every):
            for path, parameter in self._model.named_parameters():
                if parameter.requires_grad:
                    values[f"weights/{module_path(path)}"] = Histogram(parameter)
        self._run.set_step(self._step)
        self._out.log(values, self._step)
        if self._graph_wanted and called is not None:
            self._find_graph(*called)

    def _compiled_samples(self, called: Arguments) -> int:
        """Return the samples of a step from its last forward and the number of its backwards."""
        if self._backwards is None:  # the first compiled step; what it counts begins with the next
            self._backwards = 0
            parameter = next((p for p in self._model.parameters() if p.requires_grad), None)
            if parameter is not None:
                register: Any = cast("Any", parameter).register_post_accumulate_grad_hook
                self._handles.append(register(self._count_backward))
        backwards, self._backwards = self._backwards, 0
        return _batch_size(*called) * max(1, backwards)

    def _count_backward(self, _parameter: torch.Tensor) -> None:
        self._backwards = (self._backwards or 0) + 1

    def _find_graph(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._graph_wanted = False
        graph = capture_graph(self._model, args, kwargs)
        self._watch.reset()  # a twin was called, whose hooks are the model's; and the time is not the loop's
        self._out.log({"model": Graph(graph)}, self._step)


class _ForwardWatch:
    """A forward pre-hook that notes what the model is called with, and when.

    Inside compiled code it only ever writes attributes: that adds neither a graph break nor a guard, while
    reading a counter there would compile the model anew at every step. It is an object and no function
    because a copied or pickled model takes its hooks along: the copy's does nothing and needs no Stepscope.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.called: Arguments | None = None
        self.evaluated = False
        self.samples = 0
        self.pace = Pace()

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not module.training:
            self.evaluated = True
            return
        self.called = (args, kwargs)
        if not torch.compiler.is_compiling():
            self.samples += _batch_size(args, kwargs)
            self._begin()

    def _begin(self) -> None:
        if self.evaluated:
            self.evaluated = False
            self.pace.pause()
        self.pace.begin()

    def end_step(self) -> tuple[float | None, int, Arguments | None]:
        """Return the seconds of the step that ends now, its samples (0 if compiled) and its last call."""
        if self.evaluated:
            self.pace.pause()
        seconds = self.pace.end_step()
        samples, called = self.samples, self.called
        self.samples, self.called, self.evaluated = 0, None, False
        return seconds, samples, called

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (contextlib.nullcontext(), "__exit__")


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


def _batch_size(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    for value in (*args, *kwargs.values()):
        if isinstance(value, torch.Tensor) and value.dim():
            return value.shape[0]
        if isinstance(value, dict):
            value = tuple(cast("dict[str, Any]", value).values())
        if isinstance(value, (list, tuple)) and (found := _batch_size(tuple(cast("Any", value)), {})):
            return found
    return 0


def _parameters_of(optimizer: torch.optim.Optimizer) -> Iterator[torch.Tensor]:
    for group in optimizer.param_groups:
        yield from group["params"]


def _has_closure(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    return (args[1] if len(args) > 1 else kwargs.get("closure")) is not None


def _learning_rates(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    groups = optimizer.param_groups
    if len(groups) == 1:
        return {"learning_rate": groups[0]["lr"]} if "lr" in groups[0] else {}
    return {
        f"learning_rate/{group.get('name', i)}": group["lr"]
        for i, group in enumerate(groups)
        if "lr" in group
    }
