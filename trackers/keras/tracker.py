"""The hook for `model.fit`: a callback.

model.fit(x, y, callbacks=[KerasTracker(run)])
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

import keras

from ..hooks.cost import Cost
from ..hooks.output import Output
from ..hooks.pace import Pace, due_within
from ..hooks.samples import samples_of
from ..media import Graph
from ..run import Run
from .backend import graph_of, is_on, reading, tap_of
from .looks import Looks, make_looks
from .model import VariablePaths, innermost
from .part import Parts, Step, Watched
from .speed import Speed, read_count
from .tap import Tap

_keras: Any = keras  # its types say little
_SPEED_EVERY = 10  # reading a count takes 20 us


class KerasTracker(_keras.callbacks.Callback):
    """Records what `fit` does: metrics, learning rate, weights, gradients, speed and the model's graph.

    Every batch: `batch_<metric>` as Keras gives it (a mean over the epoch so far) and `step_time` in seconds;
    on backends other than TensorFlow also `data_time`, which Keras waited for the batch. Every 10 batches:
    `learning_rate`; then and at the end of an epoch, `samples_per_second` and `samples`, those trained so
    far. Every `gradient_norm_every` batches: `gradient_norm` and `update_ratio`, of all weights as one
    vector. Every `histogram_every` batches: `weights/<path>` and `gradients/<path>` of every trained
    variable, and `activations/<path>` of every innermost layer if asked for. Every epoch: `epoch_<metric>`,
    `epoch_val_<metric>`, and `epoch`, the number of epochs done. Once: the graph, "model".

    Steps: one axis for all, the number of batches trained so far, from 1; a second `fit` goes on where the
    first ended, with the same tracker or a new one. `run.log` without a step, from another callback or
    between two fits, lands on the newest batch. Until the first fit, `run.log` counts by itself, as without a
    tracker.

    Gradients are those that the optimizer is given, unscaled, before its own clipping; under a tf.distribute
    strategy, their sum over the replicas, and the activations of the first. To see them the optimizer's
    `apply` and the layers' `call` are wrapped on the instances, and on TensorFlow the train function is
    traced anew with assignments to shadow variables: four bytes for each trained weight, 264 for each layer
    whose activations are asked for. It works with jit_compile on and off, and in custom train steps. `close`
    or the end of the run takes the wrappers off and lets the train function be traced without them. On the
    torch backend the wrappers run eagerly; on JAX gradients and activations are not seen.
    """

    def __init__(
        self,
        run: Run,
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
        """Prepare; `fit` attaches the tracker to its model.

        Args:
            run: from stepscope.init.
            histogram_every: batches between histograms; 0 for none.
            gradient_norm_every: batches between gradient norms; 0 for none.
            histograms: what to make histograms of: "weights", "gradients", "activations".
            layers: a pattern such as "encoder/*", or several: the layers whose histograms are made.
            memory_every: batches between looks at the memory of GPUs; 0 for none.
            watchdog: whether to alert the run of NaN and infinity, with the layer, direction and step where
                they came first; on TensorFlow.
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
        self._graph_wanted = graph and not run.rank
        self._batches_seen = False
        self._first_batch, self._together, self._made = 0, 1, 0
        self._read = reading().number
        self._pace, self._speed = Pace(), Speed(self._read, samples_of(run, self._out))
        self._ended: float | None = None
        self._data_time: float | None = None
        self._fetches_between = not is_on("tensorflow")  # there the traced function takes its batch itself
        self._newest = max(run.step, 0)
        self._watched: Watched | None = None
        self._parts = Parts(run, [])
        self._looks: Looks | None = None
        with run.guard("preparing a KerasTracker"):
            self._looks = make_looks(
                histogram_every=histogram_every,
                gradient_norm_every=gradient_norm_every,
                histograms=histograms,
                layers=layers,
                memory_every=memory_every,
                watchdog=watchdog,
                name=name,
                rank=run.rank,
            )
            self._cost = Cost(run, self._out, self._looks.longest_every)
            self._step = Step(self._cost)
            run.on_finish(self.close)

    @property
    def step(self) -> int:
        """How many batches were trained; the step of values that are logged now."""
        return self._newest

    def close(self) -> None:
        """Give the model its optimizer, layers and train function back. The end of the run calls it too."""
        looks, self._looks = self._looks, None
        self._out.release()
        if looks is None:
            return
        self._say_what_was_not_seen(looks)
        self._parts.close()
        self._cost.close()
        if (
            self._watched is not None
            and self._release_tap()
            and self._watched.model.train_function is not None
        ):
            self._watched.model.make_train_function(force=True)  # traced when it is called next, if ever
        self._watched = None

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002 - Keras' signature
        """Attach to the model."""
        if self._looks is not None:
            with self._run.guard("attaching to a Keras model"):
                self._run.set_framework("keras")
                self._newest = max(self._newest, self._run.step)
                self._run.set_step(self._newest)
                self._out.claim(self.model)
                self._watch(self.model, self._looks)
                given: dict[str, Any] | None = self.params
                self._batches_of_epoch: int | None = (given or {}).get("steps")
                self._together = int(self.model.steps_per_execution)
                self._made = self._made_steps() if self._together > 1 else 0
                self._speed.count_of(self.model)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Forget the time since the last epoch."""
        self._pause()
        self._speed.restart()

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start the clock, and say what is due."""
        if self._watched is None:
            return
        began = perf_counter()
        self._first_batch = batch
        self._data_time = None if self._ended is None else began - self._ended
        self._pace.begin()
        self._step.first, self._step.last = self._newest + 1, self._newest + self._together
        self._step.values = {}
        self._parts.before_step(self._step)
        self._cost.spend(perf_counter() - began)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record a batch, or as many as Keras runs at once."""
        if self._watched is None:
            return
        began = perf_counter()
        with self._run.guard("recording a batch"):
            self._record_batches(self._count(batch), logs or {})
        ended = perf_counter()
        self._cost.spend(ended - began)
        self._cost.end_step(self._step.seconds, self._step.last - self._step.first + 1)
        if self._graph_wanted:
            self._find_graph(self._watched.model)
        elif self._fetches_between:
            self._ended = ended

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Stop the clock: validation is no part of a step, and Keras counts its samples anew."""
        self._pause()
        self._end_count()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record the metrics of an epoch."""
        self._pause()
        if self._watched is not None:
            self._end_count()
            with self._run.guard("recording an epoch"):
                given = {name: value for name, value in (logs or {}).items() if name != "learning_rate"}
                metrics = {f"epoch_{name}": value for name, value in given.items()}
                self._out.log({**metrics, "epoch": epoch + 1}, self._newest)

    def _watch(self, model: Any, looks: Looks) -> None:
        optimizer = innermost(getattr(model, "optimizer", None))
        before = self._watched
        if before is None or before.model is not model or before.optimizer is not optimizer:
            self._parts.close()
            self._release_tap()
            same = before is not None and before.model is model
            path_of = before.path_of if before is not None and same else VariablePaths(model)
            tap = None if optimizer is None else self._tap_of(model, optimizer, looks)
            self._watched = Watched(
                self._run, self._out, model, optimizer, path_of, looks.wanted, self._cost, tap
            )
            self._parts = Parts(self._run, looks.parts(self._watched))
        tap = None if self._watched is None else self._watched.tap
        if tap is not None and tap.stale and is_on("tensorflow"):
            model.make_train_function(force=True)  # one that was traced before has no shadows

    def _tap_of(self, model: Any, optimizer: Any, looks: Looks) -> Tap | None:
        if not looks.inside:
            return None
        if model.jit_compile and is_on("torch"):
            self._run.guard.say(
                "keras-torch-compile",
                "gradients and activations are not recorded where Keras compiles the train step with "
                "torch.compile. Leave out jit_compile=True to see them.",
            )
            return None
        tap = tap_of(optimizer, self._run.guard)
        if tap is not None:
            tap.owner = self
        return tap

    def _say_what_was_not_seen(self, looks: Looks) -> None:
        tap = None if self._watched is None else self._watched.tap
        if not self._batches_seen:
            self._run.guard.say(
                "keras-no-batches",
                "KerasTracker saw no batch. It records model.fit(..., callbacks=[tracker]); "
                "for a loop of your own take TensorFlowTracker.",
            )
        elif looks.inside and tap is not None and not tap.seen:
            self._run.guard.say(
                "keras-no-gradients",
                "KerasTracker saw no gradients: the train step never called apply of model.optimizer. Of a "
                "model with optimizers of its own it records metrics, weights and times; learning_rate is "
                "that of model.optimizer.",
            )

    def _release_tap(self) -> bool:
        """Take the tap off, unless another tracker took it over; return whether a traced function held it."""
        tap = None if self._watched is None else self._watched.tap
        if tap is None or tap.owner is not self:
            return False
        tap.close()
        return tap.seen and not tap.calls

    def _end_count(self) -> None:
        if self._speed.samples.pending:
            with self._run.guard("counting samples"):
                self._out.log(self._speed.take(), self._newest)

    def _pause(self) -> None:
        self._pace.pause()
        self._ended = None

    def _count(self, batch: int) -> int:
        """Return how many batches ended; with steps_per_execution, fewer at the end of an epoch."""
        if self._together > 1:
            before, self._made = self._made, self._made_steps()
            if self._made > before:
                return self._made - before
        return batch - self._first_batch + 1

    def _made_steps(self) -> int:
        optimizer = None if self._watched is None else self._watched.optimizer
        return 0 if optimizer is None else read_count(optimizer.iterations, self._read)

    def _record_batches(self, count: int, logs: Mapping[str, Any]) -> None:
        step, values = self._step, self._step.values
        step.seconds = self._pace.end_step()
        step.last = self._newest = step.first + count - 1
        for name, value in logs.items():
            values[f"batch_{name}"] = value
        if step.seconds:
            values["step_time"] = step.seconds / count
        if self._data_time is not None:
            values["data_time"] = self._data_time / count
        self._speed.add(step.seconds)
        # At the last batch of an epoch, no other callback has evaluated the model yet.
        last = self._batches_of_epoch == self._first_batch + count
        if last or due_within(step.first, step.last, _SPEED_EVERY):
            values.update(self._speed.take())
        self._parts.after_step(step)
        self._batches_seen = True
        self._run.set_step(self._newest)
        self._out.log(values, self._newest)

    def _find_graph(self, model: Any) -> None:
        self._graph_wanted = False
        with self._run.guard("finding the model's graph"):
            self._out.log({"model": Graph(graph_of(model))}, self._newest)
        self._pause()
