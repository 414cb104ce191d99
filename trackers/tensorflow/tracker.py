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

from collections.abc import Mapping
from typing import Any

from ...storage.errors import BadInput
from ..hooks.output import Output
from ..hooks.pace import Pace, check_every, due
from ..keras.model import VariablePaths, innermost, raw_value
from ..media import Graph, Histogram
from ..run import Run
from .gradients import GradientWatch
from .graph import capture_keras_graph

_RATE_EVERY = 10  # reading a learning rate schedule takes 200 us, a variable 10


class TensorFlowTracker:
    """Records what a training loop does, from the steps of a Keras optimizer.

    Every step: `step_time` in seconds, and `samples_per_second` if `end_step` is told the samples. Every 10
    steps: `learning_rate`. Every `gradient_norm_every` steps: `gradient_norm`, of all gradients as one
    vector. Every `histogram_every` steps: `gradients/<path>` and `weights/<path>` of every trained variable.
    Once, after the first step: the graph of a Keras model, "model".

    Steps: the number of steps so far, from 1 (or on from `run.step` in a resumed run). `run.log` without a
    step lands on the newest one. A step ends when `optimizer.apply` returns to Python; when it is called
    inside a tf.function, a step ends with `end_step`. Until the first step, `run.log` counts by itself, as
    without a tracker. Of several trackers on one run (each with a `name`), values without a step go to the
    step of the one that stepped last.

    Gradients are those that the optimizer is given, before its own clipping. To see them its `apply` is
    wrapped; a tf.function that is traced later assigns them to shadow variables, which need memory of the
    size of the trained weights. It works with jit_compile on and off. A function that was traced before the
    tracker was made shows no gradients; under tf.distribute they are left out. `close` or the end of the run
    takes the wrapper off; a function that was traced meanwhile keeps its assignments, which nobody asks for.
    """

    def __init__(
        self,
        run: Run,
        model: Any = None,
        optimizer: Any = None,
        *,
        histogram_every: int = 100,
        gradient_norm_every: int = 10,
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
            graph: whether to record the model's graph.
            name: tells several trackers of one run apart; it comes behind the first part of every name that
                the tracker writes: name="generator" gives `gradient_norm/generator`,
                `weights/generator/<path>`, `model/generator`.

        Raises:
            BadInput: `run` is no run. Whatever else is wrong is told once, and the loop goes on.
        """
        self._out = Output(run, name, "TensorFlowTracker")
        self._run = run
        self._model = model
        self._path_of = VariablePaths(model)
        self._histogram_every = histogram_every
        self._graph_wanted = graph and hasattr(model, "layers")
        self._step = max(run.step, 0)
        self._steps_seen = 0
        self._seconds: float | None = None
        self._pace = Pace()
        self._watch: GradientWatch | None = None
        self._ended_by_apply = False
        self._usable = False
        with run.guard("attaching to a TensorFlow optimizer"):
            check_every(histogram_every=histogram_every, gradient_norm_every=gradient_norm_every)
            self._out.claim(next((owner for owner in (optimizer, model) if owner is not None), self))
            if optimizer is not None:
                self._watch = GradientWatch(
                    _checked(optimizer),
                    run.guard,
                    self._path_of,
                    histogram_every=histogram_every,
                    norm_every=gradient_norm_every,
                    variables=() if model is None else model.trainable_variables,
                )
                self._watch.tap.on_call = self._applied
                self._watch.before(self._step + 1, self._step + 1)
            run.set_framework("tensorflow")
            run.on_finish(self.close)
            self._usable = True

    @property
    def step(self) -> int:
        """How many steps were made; the step of values that are logged now."""
        return self._step

    def end_step(self, values: Mapping[str, Any] | None = None, *, samples: int = 0) -> None:
        """Say that a step ended, and log values at it.

        Args:
            values: as for `run.log`.
            samples: how many samples the step trained on, for `samples_per_second`.
        """
        values = dict(values or {})
        if self._usable:
            with self._run.guard("recording a step"):
                if not self._ended_by_apply:
                    self._record_step()
                self._ended_by_apply = False
                if samples and self._seconds:
                    speed = self._out.name("samples_per_second")
                    values = {speed: samples / self._seconds, **values}
        if values:
            self._run.log(values)

    def pause(self) -> None:
        """Leave the time from now to the end of the next step out of `step_time`: validation, say."""
        self._pace.pause()

    def close(self) -> None:
        """Give the optimizer its own `apply` back. The end of the run calls it too."""
        watch, self._watch = self._watch, None
        usable, self._usable = self._usable, False
        self._out.release()
        if watch is not None:
            watch.tap.on_call = None
            watch.close()
        if usable and not self._steps_seen:
            self._run.guard.say(
                "tf-no-steps",
                "TensorFlowTracker saw no step, because Python does not see into a tf.function. Write "
                "tracker.end_step({...}, samples=n) after each step, in place of run.log({...}).",
            )
        elif watch is not None and not watch.tap.seen:
            self._run.guard.say(
                "tf-no-gradients",
                "TensorFlowTracker saw no gradients. Make it before the training step is called for the "
                "first time, and pass the optimizer whose apply or apply_gradients that step calls.",
            )

    def _applied(self) -> None:
        with self._run.guard("recording a step"):
            self._ended_by_apply = True
            self._record_step()

    def _record_step(self) -> None:
        self._seconds = self._pace.end_step()
        self._step += 1
        self._steps_seen += 1
        values: dict[str, Any] = {} if self._seconds is None else {"step_time": self._seconds}
        if self._watch is not None:
            values |= self._watch.after()
            self._watch.before(self._step + 1, self._step + 1)
            if due(self._step, _RATE_EVERY):
                values["learning_rate"] = raw_value(self._watch.tap.optimizer.learning_rate)
        if due(self._step, self._histogram_every):
            for variable in self._variables():
                values[f"weights/{self._path_of(variable)}"] = Histogram(raw_value(variable))
        self._run.set_step(self._step)
        self._out.log(values, self._step)
        if self._graph_wanted:
            self._graph_wanted = False
            self._out.log({"model": Graph(capture_keras_graph(self._model))}, self._step)
            self._pace.pause()
            self._pace.begin()

    def _variables(self) -> list[Any]:
        if self._model is not None:
            return list(self._model.trainable_variables)
        return [] if self._watch is None else [variable for variable, _ in self._watch.tap.gradients()]


def _checked(optimizer: Any) -> Any:
    if not callable(getattr(innermost(optimizer), "apply", None)):
        raise BadInput(
            f"TensorFlowTracker needs a Keras optimizer, with a method apply, but got "
            f"{type(optimizer).__name__}. Leave it out to record without gradients."
        )
    return optimizer
