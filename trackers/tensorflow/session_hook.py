"""The hook for programs of TensorFlow 1: a static graph, placeholders and a session.

    hook = SessionHook(run, {"loss": loss})
    with tf.compat.v1.train.MonitoredTrainingSession(hooks=[hook]) as session:
        while not session.should_stop():
            session.run(train, {x: images, y: labels})

What it reads is fetched together with the step, in the same call of the session.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import tensorflow

from ...storage.errors import BadInput
from ..hooks.cost import Cost
from ..hooks.layers import check_histograms, wanted_layers
from ..hooks.output import Output
from ..hooks.pace import Pace, check_every, due, rates
from ..hooks.samples import samples_of
from ..hooks.watchdog import Alarm
from ..media import Graph, Histogram
from ..run import Run
from .event_values import EventValues
from .session_graph import SessionGraph
from .static_graph import capture_static_graph

tf: Any = tensorflow  # its types say little

_RATE_EVERY = 10
_SUMMARIES_EVERY = 100


class SessionHook(tf.compat.v1.train.SessionRunHook):
    """Records what the steps of a session do.

    Every step: the scalars, `step_time`, `data_time` (the time between two calls of the session) in seconds,
    and `samples_per_second` when something with a batch is fed. Every 10 steps: `learning_rate`, and
    `samples`, those fed so far. Every `gradient_norm_every` steps: `gradient_norm` and `update_ratio` (norm
    of the update / norm of the weights). Every `histogram_every` steps: `gradients/<path>` and
    `weights/<path>`. Once: the graph, "model", from the placeholders to the scalars. With the watchdog, an
    alert when NaN or infinity first appears.

    A call of the session is a step when it needs an operation that trains: what an optimizer of
    tf.compat.v1.train made, or what counts up the global step. Other calls, such as an evaluation with other
    placeholders fed, are left alone. The step of a value is the global step after it, if the graph has one,
    else the number of steps so far.

    Gradients and learning rates are found in the graph, where the optimizers of tf.compat.v1.train use them;
    for others, and for Adam's sparse ones, pass `gradients`. The update ratio keeps a copy of the weights
    beside them.

    In a tf.compat.v1.Session, which knows no hooks, write `hook.run(session, train, feed)` in place of
    `session.run(train, feed)`, from the first call on.
    """

    def __init__(
        self,
        run: Run,
        scalars: Mapping[str, Any] | None = None,
        *,
        gradients: Sequence[tuple[Any, Any]] | None = None,
        summaries: Any = None,
        histogram_every: int = 100,
        gradient_norm_every: int = 10,
        histograms: Sequence[str] = ("weights", "gradients"),
        layers: str | Sequence[str] = "*",
        graph: bool = True,
        watchdog: bool = True,
        name: str | None = None,
    ) -> None:
        """Prepare; the session attaches the hook to its graph.

        Args:
            run: from stepscope.init.
            scalars: series -> tensor of one number, or its name, such as {"loss": loss}.
            gradients: (gradient, variable) pairs, as an optimizer's compute_gradients returns them. Left out,
                they are found in the graph.
            summaries: what tf.compat.v1.summary.merge_all() returned, to be logged every 100 steps.
            histogram_every: steps between histograms; 0 for none.
            gradient_norm_every: steps between gradient norms and update ratios; 0 for none.
            histograms: which of "weights" and "gradients".
            layers: a pattern, or several, that the paths of variables or their layers are to fit.
            graph: whether to record the graph.
            watchdog: whether to look for NaN and infinity: a sum of each gradient at each step.
            name: tells several hooks of one run apart, as with KerasTracker.

        Raises:
            BadInput: `run` is no run. Whatever else is wrong is told once, and the training goes on.
        """
        self._out = Output(run, name, "SessionHook")
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._run = run
        self._scalars, self._given_gradients, self._summaries = dict(scalars or {}), gradients, summaries
        self._every = (histogram_every, gradient_norm_every)
        self._graph_wanted, self._watchdog_wanted = graph, watchdog
        self._pace, self._values = Pace(), EventValues()
        self._graph: SessionGraph | None = None
        self._step, self._steps_seen = max(run.step, 0), 0
        self._call, self._alarm = _Call(), Alarm(run, name)
        self._ended: float | None = None
        self._cost: Cost | None = None
        self._samples = samples_of(run, self._out)
        with run.guard("preparing a SessionHook"):
            check_every(histogram_every=histogram_every, gradient_norm_every=gradient_norm_every)
            self._histograms, self._wanted = check_histograms(histograms), wanted_layers(layers)
            if "activations" in self._histograms:
                raise BadInput("SessionHook makes histograms of weights and gradients, not of activations")
            self._cost = Cost(run, self._out, max(self._every))
            run.on_finish(self._close)

    @property
    def step(self) -> int:
        """How many steps were made; the step of values that are logged now."""
        return self._step

    def run(self, session: Any, fetches: Any, feed_dict: Any = None) -> Any:
        """Call session.run and record it: for a tf.compat.v1.Session, which knows no hooks.

        Args:
            session: a tf.compat.v1.Session whose graph is not finalized at the first call.
            fetches: as of session.run.
            feed_dict: as of session.run.
        """
        train = tf.compat.v1.train
        if self._graph is None or self._graph.graph is not session.graph:
            with session.graph.as_default():
                self.begin()
                self.after_create_session(session, None)
        context = train.SessionRunContext(train.SessionRunArgs(fetches, feed_dict), session)
        more = self.before_run(context)
        if more is None:
            return session.run(fetches, feed_dict)
        results, extra = session.run((fetches, more.fetches), feed_dict)
        self.after_run(context, train.SessionRunValues(extra, None, None))
        return results

    def begin(self) -> None:
        """Add what is to be fetched to the graph, before the session finalizes it."""
        self._graph = None
        if self._cost is None:
            return
        with self._run.guard("attaching to a TensorFlow graph"):
            graph = tf.compat.v1.get_default_graph()
            self._out.claim(graph)
            self._graph = SessionGraph(
                graph,
                self._scalars,
                self._given_gradients,
                with_update=self._every[1] > 0,
                with_alarms=self._watchdog_wanted,
            )
            self._run.set_framework("tensorflow")

    def after_create_session(self, session: Any, coord: Any) -> None:  # noqa: ARG002 - TensorFlow's signature
        """Read where the global step stands: a checkpoint may have been restored."""
        with self._run.guard("reading the global step"):
            if self._graph is not None and self._graph.global_step is not None:
                self._step = int(session.run(self._graph.global_step))
            self._run.set_step(self._step)

    def before_run(self, run_context: Any) -> Any:
        """Add what is due to the fetches of a step."""
        begun = time.perf_counter()
        if self._graph is None or self._cost is None:
            return None
        with self._run.guard("preparing a step"):
            if not self._graph.training.trains(run_context.original_args.fetches):
                self._pace.pause()
                self._ended = None
                return None
            factor = self._cost.factor
            histograms, norm = (due(self._step + 1, every * factor) for every in self._every)
            wanted = self._graph.wanted(norm=norm, rate=due(self._step + 1, _RATE_EVERY))
            if histograms and "gradients" in self._histograms:
                wanted["gradients"] = self._chosen(self._graph.gradients)
            if self._summaries is not None and due(self._step + 1, _SUMMARIES_EVERY * factor):
                wanted["summaries"] = self._summaries
            if norm and self._graph.remember is not None:
                run_context.session.run(self._graph.remember)
            self._pace.begin()
            waited = None if self._ended is None else begun - self._ended
            self._call = _Call(wanted, histograms, norm, waited)
            self._cost.spend(time.perf_counter() - begun)
            return tf.compat.v1.train.SessionRunArgs(wanted)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        """Record what was fetched."""
        begun = time.perf_counter()
        if self._call.wanted is None or self._graph is None or self._cost is None:
            return
        call, self._call = self._call, _Call()
        with self._run.guard("recording a step"):
            seconds = self._pace.end_step()
            self._record(self._graph, call, run_context, run_values.results, seconds)
            self._cost.spend(time.perf_counter() - begun)
            self._cost.end_step(seconds)
            self._ended = time.perf_counter()

    def end(self, session: Any) -> None:  # noqa: ARG002 - TensorFlow's signature
        """Stop the clock: the session is over."""
        self._pace.pause()

    def _record(
        self,
        graph: SessionGraph,
        call: _Call,
        run_context: Any,
        found: Mapping[str, Any],
        seconds: float | None,
    ) -> None:
        self._step = max(self._step + 1, int(found.get("step", 0)))
        self._steps_seen += 1
        values: dict[str, Any] = dict(found["scalars"])
        fed = _samples(run_context.original_args.feed_dict)
        self._samples.add(fed)
        values |= rates(seconds, fed) | self._samples.at(self._step)
        if call.waited is not None:
            values["data_time"] = call.waited
        values |= found.get("rates", {})
        session = run_context.session
        if call.norm:
            values |= {"gradient_norm": found["norm"]} if "norm" in found else {}
            values |= {} if graph.update_ratio is None else {"update_ratio": session.run(graph.update_ratio)}
        values |= {f"gradients/{path}": Histogram(one) for path, one in found.get("gradients", {}).items()}
        if call.histograms and "weights" in self._histograms:
            weights = session.run(self._chosen(graph.weights))
            values |= {f"weights/{path}": Histogram(one) for path, one in weights.items()}
        self._run.set_step(self._step)
        self._out.log(values, self._step)
        for name, make in self._values.of(_event(found.get("summaries"))):
            self._out.log({name: make()}, self._step)
        self._look_for_bad_numbers(graph, found.get("alarms"))
        self._record_graph(graph)

    def _chosen(self, by_path: Mapping[str, Any]) -> dict[str, Any]:
        return {path: one for path, one in by_path.items() if self._wanted(path)}

    def _look_for_bad_numbers(self, graph: SessionGraph, table: Any) -> None:
        finding = None if table is None else graph.finding(table, self._step)
        if finding is not None:
            graph.alarms = None  # what is bad from now on was made so by this
            self._alarm.give(finding)

    def _record_graph(self, graph: SessionGraph) -> None:
        if self._graph_wanted:
            self._graph_wanted = False
            found = capture_static_graph(graph.graph, graph.scalars.values())
            self._out.log({"model": Graph(found)}, self._step)
            self._pace.pause()

    def _close(self) -> None:
        self._out.release()
        self._samples.end(self._run, self._step)
        if self._cost is not None:
            self._cost.close()
        if not self._steps_seen:
            self._run.guard.say(
                "session-no-steps",
                "SessionHook saw no step. Write MonitoredTrainingSession(hooks=[hook]), or hook.run(session, "
                "train, feed) in place of session.run(train, feed).",
            )


@dataclass(frozen=True)
class _Call:
    """What the call of the session that is under way was asked for."""

    wanted: Mapping[str, Any] | None = None
    histograms: bool = False
    norm: bool = False
    waited: float | None = None
    """Seconds since the call before."""


def _samples(feed: Any) -> int:
    """Return the length of the first thing fed that has one."""
    fed = list(cast("dict[Any, Any]", feed or {}).values())
    return next((int(np.shape(value)[0]) for value in fed if np.ndim(value)), 0)


def _event(summaries: bytes | None) -> Any:
    proto = tf.compat.v1.Summary.FromString(summaries or b"")
    return tf.compat.v1.Event(summary=proto)
