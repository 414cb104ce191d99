"""The hook for TensorFlow loops of one's own, with tf.GradientTape and tf.function.

    tracker = TensorFlowTracker(run, model, optimizer)
    for x, y in batches:
        loss = train_step(x, y)
        tracker.end_step({"loss/train": loss})

Python sees nothing of what happens inside a tf.function, so `end_step` says that one ended; it takes the
place of `run.log`. A loop that calls `optimizer.apply` from Python needs no other line than the first.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

from ...storage.errors import BadInput
from ..hooks.cost import Cost
from ..hooks.output import Output
from ..hooks.pace import Pace
from ..hooks.samples import samples_of
from ..keras.looks import Looks, make_looks
from ..keras.model import VariablePaths, innermost
from ..keras.part import Parts, Step, Watched
from ..media import Graph
from ..run import Run
from .graph import capture_keras_graph
from .tap import TensorFlowTap
from .time_split import TimeSplit


class TensorFlowTracker:
    """Records what a training loop does, from the steps of a Keras optimizer.

    Every step: `step_time` in seconds, and `samples_per_second` if `end_step` is told the samples. In loops
    that call model and optimizer eagerly also what it is made of: `data_time` from the end of a step to the
    call of the model, `forward_time` in the model, `backward_time` with the loss until the optimizer is
    called, `optimizer_time`; those are times of Python, and a GPU may still be busy. Inside of a tf.function
    they cannot be told apart. Every 10 steps: `learning_rate`, and `samples`, those so far. Every
    `gradient_norm_every` steps: `gradient_norm` and `update_ratio`, of all weights as one vector. Every
    `histogram_every` steps: `weights/<path>` and `gradients/<path>` of every trained variable, and
    `activations/<path>` of every innermost layer if asked for. Once, after the first step: the graph of a
    Keras model, "model".

    Steps: the number of steps so far, from 1 (or on from `run.step` in a resumed run). `run.log` without a
    step lands on the newest one. A step ends when `optimizer.apply` returns to Python; when it is called
    inside a tf.function, a step ends with `end_step`. Until the first step, `run.log` counts by itself, as
    without a tracker. Of several trackers on one run (each with a `name`), values without a step go to the
    step of the one that stepped last.

    Gradients are those that the optimizer is given, before its own clipping; under a tf.distribute strategy,
    their sum over the replicas, and the activations of the first. To see them the optimizer's `apply` and the
    layers' `call` are wrapped on the instances; a tf.function that is traced later assigns to shadow
    variables: four bytes for each trained weight, 264 for each layer whose activations are asked for. It
    works with jit_compile on and off. A function that was traced before the tracker was made shows neither,
    nor does `strategy.run` without a tf.function. Activations are those of calls that a tape records, in the
    function that calls the optimizer. `close` or the end of the run takes the wrappers off; a function that
    was traced meanwhile keeps its assignments, which nobody asks for.
    """

    def __init__(
        self,
        run: Run,
        model: Any = None,
        optimizer: Any = None,
        *,
        histogram_every: int = 100,
        gradient_norm_every: int = 10,
        histograms: str | Sequence[str] = ("weights", "gradients"),
        layers: str | Sequence[str] = "*",
        memory_every: int = 100,
        watchdog: bool = True,
        graph: bool = True,
        name: str | None = None,
    ) -> None:
        """Begin to watch; call it before the first step.

        Args:
            run: from stepscope.init.
            model: a Keras model or tf.Module, for its weights, names and graph. Left out, the variables are
                those that the optimizer is given.
            optimizer: a Keras optimizer. Left out, gradients and learning rate are not seen.
            histogram_every: steps between histograms; 0 for none.
            gradient_norm_every: steps between gradient norms; 0 for none.
            histograms: what to make histograms of: "weights", "gradients", "activations".
            layers: a pattern such as "encoder/*", or several: the layers whose histograms are made.
            memory_every: steps between looks at the memory of GPUs; 0 for none.
            watchdog: whether to alert the run of NaN and infinity, with the layer, direction and step where
                they came first.
            graph: whether to record the model's graph.
            name: tells several trackers of one run apart; it comes behind the first part of every name that
                the tracker writes: name="generator" gives `gradient_norm/generator`,
                `weights/generator/<path>`, `model/generator`.

        Raises:
            BadInput: `run` is no run. Whatever else is wrong is told once, and the loop goes on.
        """
        self._out = Output(run, name, "TensorFlowTracker")
        self._run = run
        self._graph_wanted = graph and not run.rank and hasattr(model, "layers")
        self._newest = max(run.step, 0)
        self._steps_seen = self._steps_counted = 0
        self._seconds: float | None = None
        self._pace = Pace()
        self._split = TimeSplit()
        self._ended_by_apply = False
        self._parts: Parts | None = None
        with run.guard("attaching to a TensorFlow optimizer"):
            looks = make_looks(
                histogram_every=histogram_every,
                gradient_norm_every=gradient_norm_every,
                histograms=histograms,
                layers=layers,
                memory_every=memory_every,
                watchdog=watchdog,
                name=name,
                rank=run.rank,
            )
            self._cost = Cost(run, self._out, looks.longest_every)
            self._step = Step(self._cost)
            self._out.claim(next((owner for owner in (optimizer, model) if owner is not None), self))
            self._samples = samples_of(run, self._out)
            self._watched = self._watch(model, optimizer, looks)
            self._split.clock(model)
            parts = Parts(run, looks.parts(self._watched))
            run.set_framework("tensorflow")
            run.on_finish(self.close)
            self._parts = parts
            self._begin_step(parts)

    @property
    def step(self) -> int:
        """How many steps were made; the step of values that are logged now."""
        return self._newest

    def end_step(self, values: Mapping[str, Any] | None = None, *, samples: int = 0) -> None:
        """Say that a step ended, and log values at it.

        Args:
            values: as for `run.log`.
            samples: how many samples the step trained on, for `samples_per_second` and `samples`.
        """
        values = dict(values or {})
        if self._parts is not None:
            with self._run.guard("recording a step"):
                if not self._ended_by_apply:
                    self._record_step(self._parts, {})
                self._ended_by_apply = False
                values = {**self._count(samples), **values}
        if values:
            self._run.log(values)

    def _count(self, samples: int) -> dict[str, float]:
        # Of steps that ended without end_step, the samples are not known.
        counted, self._steps_counted = self._steps_counted, self._steps_seen
        self._samples.add(samples if counted + 1 == self._steps_seen else 0)
        found = self._samples.at(self._newest)
        if samples and self._seconds:
            found["samples_per_second"] = samples / self._seconds
        return {self._out.name(series): value for series, value in found.items()}

    def pause(self) -> None:
        """Leave the time from now to the end of the next step out of `step_time`: validation, say."""
        self._pace.pause()
        self._split.pause()

    def close(self) -> None:
        """Give the optimizer and the layers their own methods back. The end of the run calls it too."""
        parts, self._parts = self._parts, None
        self._out.release()
        if parts is None:
            return
        parts.close()
        self._samples.end(self._run, self._newest)
        self._split.close()
        self._cost.close()
        tap = self._watched.tap
        if tap is not None and tap.owner is self:
            tap.on_call = None
            tap.close()
        if not self._steps_seen:
            self._run.guard.say(
                "tf-no-steps",
                "TensorFlowTracker saw no step, because Python does not see into a tf.function. Write "
                "tracker.end_step({...}, samples=n) after each step, in place of run.log({...}).",
            )
        elif tap is not None and not tap.seen:
            self._run.guard.say(
                "tf-no-gradients",
                "TensorFlowTracker saw no gradients. Make it before the training step is called for the "
                "first time, and pass the optimizer whose apply or apply_gradients that step calls.",
            )

    def _watch(self, model: Any, optimizer: Any, looks: Looks) -> Watched:
        tap: TensorFlowTap | None = None
        if optimizer is not None:
            tap = TensorFlowTap.on(_checked(optimizer), self._run.guard)
            if tap is not None:
                tap.owner, tap.on_call = self, self._applied
            optimizer = innermost(optimizer)
        path_of = VariablePaths(model)
        return Watched(self._run, self._out, model, optimizer, path_of, looks.wanted, self._cost, tap)

    def _applied(self, began: float, seconds: float) -> None:
        parts = self._parts
        if parts is not None:
            with self._run.guard("recording a step"):
                self._ended_by_apply = True
                self._record_step(parts, self._split.end_step(began, seconds))

    def _begin_step(self, parts: Parts) -> None:
        self._step.first = self._step.last = self._newest + 1
        self._step.values = {}
        parts.before_step(self._step)

    def _record_step(self, parts: Parts, split: Mapping[str, float]) -> None:
        began = perf_counter()
        step = self._step
        self._seconds = step.seconds = self._pace.end_step()
        self._newest = step.last
        self._steps_seen += 1
        step.values.update(split)
        if self._seconds is not None:
            step.values["step_time"] = self._seconds
        parts.after_step(step)
        self._run.set_step(self._newest)
        self._out.log(step.values, self._newest)
        self._begin_step(parts)
        self._cost.spend(perf_counter() - began)
        self._cost.end_step(self._seconds)
        if self._graph_wanted:
            self._graph_wanted = False
            self._out.log({"model": Graph(capture_keras_graph(self._watched.model))}, self._newest)
            self.pause()
            self._pace.begin()


def _checked(optimizer: Any) -> Any:
    if not callable(getattr(innermost(optimizer), "apply", None)):
        raise BadInput(
            f"TensorFlowTracker needs a Keras optimizer, with a method apply, but got "
            f"{type(optimizer).__name__}. Leave it out to record without gradients."
        )
    return optimizer
