"""The hook for `model.fit`: a callback.

model.fit(x, y, callbacks=[KerasTracker(run)])
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from ...storage.kinds.graph import GraphData
from ..hooks.output import Output
from ..hooks.pace import Pace, check_every, due_within, rates
from ..media import Graph, Histogram
from ..run import Run
from .model import VariablePaths, innermost, layer_table, raw_value

_keras: Any = keras  # its types say little
_RATES_EVERY = 10  # reading a learning rate schedule takes 200 us, a variable 10


class KerasTracker(_keras.callbacks.Callback):
    """Records what `fit` does: metrics, learning rate, weights, gradients, speed and the model's graph.

    Every batch: `batch_<metric>` as Keras gives it (a mean over the epoch so far) and `step_time` in seconds.
    Every 10 batches: `learning_rate` and `samples_per_second`. Every `gradient_norm_every` batches:
    `gradient_norm`, of all gradients as one vector. Every `histogram_every` batches: `gradients/<path>` and
    `weights/<path>` of every trained variable. Every epoch: `epoch_<metric>`, `epoch_val_<metric>`, and
    `epoch`, the number of epochs done. Once: the graph, "model".

    Steps: one axis for all, the number of batches trained so far, from 1; a second `fit` goes on where the
    first ended, with the same tracker or a new one. `run.log` without a step, from another callback or
    between two fits, lands on the newest batch. Until the first fit, `run.log` counts by itself, as without a
    tracker.

    Gradients are those that the optimizer is given, unscaled, before its own clipping. To see them the
    optimizer's `apply` is wrapped, and the train function traced anew with assignments to shadow variables;
    those need memory of the size of the trained weights (`gradients=False` does without). It works with
    jit_compile on and off, in custom train steps, and needs the TensorFlow backend; under tf.distribute
    gradients are left out. `close` or the end of the run takes the wrapper off and lets the train function
    be traced without it. With other backends everything but gradients and operations is recorded.
    """

    def __init__(
        self,
        run: Run,
        *,
        histogram_every: int = 100,
        gradient_norm_every: int = 10,
        gradients: bool = True,
        graph: bool = True,
        name: str | None = None,
    ) -> None:
        """Prepare; `fit` attaches the tracker to its model.

        Args:
            run: from stepscope.init.
            histogram_every: batches between histograms; 0 for none.
            gradient_norm_every: batches between gradient norms; 0 for none.
            gradients: whether to look at gradients at all, which takes memory and one more tracing.
            graph: whether to record the model's graph.
            name: tells several trackers of one run apart; it comes behind the first part of every name that
                the tracker writes: name="generator" gives `gradient_norm/generator`,
                `weights/generator/<path>`, `model/generator`.

        Raises:
            BadInput: `run` is no run. Whatever else is wrong is told once, and the loop goes on.
        """
        self._out = Output(run, name, "KerasTracker")
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._run = run
        self._histogram_every, self._norm_every = histogram_every, gradient_norm_every
        self._gradients_wanted, self._graph_wanted = gradients, graph
        self._step = max(run.step, 0)
        self._batches_seen = False
        self._first_batch, self._together, self._made = 0, 1, 0
        self._pace = Pace()
        self._speed = _Speed()
        self._watch: Any = None
        self._watched: Any = None
        self._path_of = VariablePaths(None)
        self._usable = False
        with run.guard("preparing a KerasTracker"):
            check_every(histogram_every=histogram_every, gradient_norm_every=gradient_norm_every)
            run.on_finish(self.close)
            self._usable = True

    @property
    def step(self) -> int:
        """How many batches were trained; the step of values that are logged now."""
        return self._step

    def close(self) -> None:
        """Give the model its optimizer and train function back. The end of the run calls it too."""
        watch, self._watch = self._watch, None
        self._out.release()
        if self._usable and not self._batches_seen:
            self._run.guard.say(
                "keras-no-batches",
                "KerasTracker saw no batch. It records model.fit(..., callbacks=[tracker]); "
                "for a loop of your own take TensorFlowTracker.",
            )
        if watch is not None and watch.close() and self._watched.train_function is not None:
            self._watched.make_train_function(force=True)  # traced when it is called next, if ever
        self._watched, self._usable = None, False

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002 - Keras' signature
        """Attach to the model."""
        if self._usable:
            with self._run.guard("attaching to a Keras model"):
                self._run.set_framework("keras")
                self._step = max(self._step, self._run.step)
                self._run.set_step(self._step)
                self._out.claim(self.model)
                if self.model is not self._watched:
                    self._watched, self._path_of = self.model, VariablePaths(self.model)
                self._together = int(self.model.steps_per_execution)
                self._made = self._made_steps() if self._together > 1 else 0
                self._speed.count_of(self._watched)
                self._watch_gradients(self._watched)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Forget the time since the last epoch."""
        self._pace.pause()
        self._speed.restart()

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start the clock, and say which gradients are due."""
        self._first_batch = batch
        self._pace.begin()
        if self._watch is not None:
            with self._run.guard("asking for gradients"):
                self._watch.before(self._step + 1, self._step + self._together)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record a batch, or as many as Keras runs at once."""
        if self._usable:
            with self._run.guard("recording a batch"):
                self._record_batches(self._count(batch), logs or {})

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Stop the clock: validation is no part of a step."""
        self._pace.pause()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record the metrics of an epoch."""
        self._pace.pause()
        if self._usable:
            with self._run.guard("recording an epoch"):
                given = {name: value for name, value in (logs or {}).items() if name != "learning_rate"}
                metrics = {f"epoch_{name}": value for name, value in given.items()}
                self._out.log({**metrics, "epoch": epoch + 1}, self._step)

    def _watch_gradients(self, model: Any) -> None:
        optimizer = getattr(model, "optimizer", None)
        wanted = self._gradients_wanted and (self._histogram_every or self._norm_every)
        if not wanted or optimizer is None or _keras.backend.backend() != "tensorflow":
            return
        from ..tensorflow.gradients import GradientWatch  # noqa: PLC0415 - needs TensorFlow, which other backends do not

        if self._watch is not None:
            if self._watch.tap.optimizer is innermost(optimizer):
                return
            self._watch.close()
        self._watch = GradientWatch(
            optimizer,
            self._run.guard,
            self._path_of,
            histogram_every=self._histogram_every,
            norm_every=self._norm_every,
            variables=model.trainable_variables,
        )
        if not self._watch.tap.seen:
            model.make_train_function(force=True)  # one that was traced before has no shadows

    def _count(self, batch: int) -> int:
        """Return how many batches ended; with steps_per_execution, fewer at the end of an epoch."""
        if self._together > 1:
            before, self._made = self._made, self._made_steps()
            if self._made > before:
                return self._made - before
        return batch - self._first_batch + 1

    def _made_steps(self) -> int:
        optimizer = innermost(getattr(self._watched, "optimizer", None))
        return 0 if optimizer is None else _read(optimizer.iterations)

    def _record_batches(self, count: int, logs: Mapping[str, Any]) -> None:
        seconds = self._pace.end_step()
        first, self._step = self._step + 1, self._step + count
        values = {f"batch_{name}": value for name, value in logs.items()}
        values |= rates(seconds, 0, count)
        self._speed.add(seconds)
        if due_within(first, self._step, _RATES_EVERY):
            values |= self._speed.take()
            values |= _learning_rate(self._watched)
        if self._watch is not None:
            values |= self._watch.after()
        if due_within(first, self._step, self._histogram_every):
            for variable in self._watched.trainable_variables:
                values[f"weights/{self._path_of(variable)}"] = Histogram(raw_value(variable))
        self._batches_seen = True
        self._run.set_step(self._step)
        self._out.log(values, self._step)
        if self._graph_wanted:
            self._graph_wanted = False
            self._out.log({"model": Graph(_graph(self._watched))}, self._step)
            self._pace.pause()


class _Speed:
    """Samples per second, from the number of samples that the loss was averaged over."""

    def __init__(self) -> None:
        self._loss: Any = None
        self.restart()

    def count_of(self, model: Any) -> None:
        """Look at the metric that Keras keeps of the loss; a custom train step may have none."""
        means = [metric for metric in model.metrics if metric.name == "loss" and hasattr(metric, "count")]
        self._loss = means[0] if means else None

    def restart(self) -> None:
        """Begin an epoch: Keras counts anew."""
        self._counted, self._seconds = 0, 0.0

    def add(self, seconds: float | None) -> None:
        self._seconds += seconds or 0.0

    def take(self) -> dict[str, float]:
        """Return samples_per_second since the last call, if it can be known."""
        if self._loss is None:
            return {}
        counted, seconds = _read(self._loss.count), self._seconds
        samples, self._counted, self._seconds = counted - self._counted, counted, 0.0
        return {"samples_per_second": samples / seconds} if samples > 0 and seconds else {}


def _read(variable: Any) -> int:
    return int(np.asarray(variable))  # np.array would ask for a copy, which Keras variables cannot promise


def _learning_rate(model: Any) -> dict[str, Any]:
    rate = getattr(innermost(getattr(model, "optimizer", None)), "learning_rate", None)
    return {} if rate is None else {"learning_rate": raw_value(rate)}


def _graph(model: Any) -> GraphData:
    if _keras.backend.backend() == "tensorflow":
        from ..tensorflow.graph import capture_keras_graph  # noqa: PLC0415 - needs TensorFlow, which other backends do not

        return capture_keras_graph(model)
    return GraphData("model", "keras", "keras", (), layer_table(model, {}))
