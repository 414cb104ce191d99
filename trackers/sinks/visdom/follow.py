"""One run on a running Visdom server, as it grows: the live mirror.

It reads the store, as an export does, and sends what is new. What was sent is known only here: when the
server was away, or started anew, everything is sent again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from PIL import UnidentifiedImageError

from ....storage.errors import StoreDamaged
from ....storage.model import Points, Record, Run, RunState, Series
from ....storage.name_rules import Naming
from ....storage.read import Reader
from .client import VisdomServer
from .panes import (
    DOTTED,
    Json,
    config_window,
    free_name,
    line_pane,
    line_trace,
    line_window,
    renewed,
    traces_of,
)
from .records import FORMS, Part, panes_of, part_of
from .run import RunView, environment_of, is_of_one_run

MOST_POINTS = 1_000
"""Of one curve: Visdom compares whole windows at each update. Longer ones are thinned to half of it."""
MOST_RECORDS = 30
_TOGETHER = 3
"""From how many curves of a window on their points are sent in one update."""
_NOTHING: Json = {"type": "scatter", "x": [], "y": []}


@dataclass(slots=True)
class _Shown:
    """What the server has of one series."""

    count: int
    """How many values the series had then."""
    last_step: int | None
    length: int
    """How many of them are shown."""
    name: str = ""
    """Of a curve, in the legend."""

    def is_followed_by(self, more: int, series: Series) -> bool:
        """Whether so many values after `last_step` are all that came since."""
        return more == series.count - self.count


@dataclass(slots=True)
class _Sent:
    """What the server has, as long as it is the same server."""

    connections: int
    config: Run | None = None
    series: dict[int, _Shown] = field(default_factory=dict[int, _Shown])


class VisdomFollower:
    """Shows one run; `send` brings the server up to date."""

    def __init__(self, reader: Reader, run_id: str, server: VisdomServer, env: str | None) -> None:
        """Take an open reader, which stays with the caller, and a server; `env` as in `environment_of`."""
        self._reader = reader
        self._run_id = run_id
        self._server = server
        self._env = env
        self._naming: Naming = reader.naming()
        self._sent = _Sent(0)
        self.problems: dict[str, str] = {}
        """Values that cannot be shown, with the reason."""

    def send(self) -> bool:
        """Send what is new since the last call; return whether the run has ended.

        Raises:
            RunNotFound: the store does not have it yet.
            StoreError: the store cannot be read.
            ExportRefused: the server is away.
        """
        run = self._reader.run(self._run_id)
        title = "" if is_of_one_run(self._env) else run.name or run.run_id
        view = RunView(run, environment_of(run, self._env), title, self._naming)
        self._notice_another_server(view)
        changed = [one for one in self._reader.series(self._run_id) if self._has_changed(one)]
        for key, many in groupby(view.in_order(changed), lambda one: _window_key(view, one)):
            if key is None:
                self._send_config(view)
                for one in many:
                    self._send_records(view, one)
            else:
                self._send_curves(view, key, list(many))
        self._send_config(view)
        if self._server.connections != self._sent.connections:
            # Another server may have taken the rest: it gets all of it with the next call.
            return False
        return run.state is not RunState.RUNNING

    def save(self, env: str | None = None) -> None:
        """Have the server write the environment to its disk. Raises ExportRefused."""
        if self._sent.config is not None:
            self._server.call("save", {"data": [env or environment_of(self._sent.config, self._env)]})

    def _notice_another_server(self, view: RunView) -> None:
        """Forget what was sent when the server has it no more; make the environment."""
        has_all = self._sent.config is not None and self._server.has(view.env, config_window(self._run_id))
        if not has_all or self._server.connections != self._sent.connections:
            self._server.call("env_state", {})
            self._sent = _Sent(self._server.connections)
            self._server.make_env(view.env)

    def _send_config(self, view: RunView) -> None:
        before = self._sent.config
        if before is None or _facts(before) != _facts(view.run):
            self._server.put(view.env, view.config_pane())
            self._sent.config = view.run

    def _has_changed(self, series: Series) -> bool:
        shown = self._sent.series.get(series.series_id)
        return shown is None or shown.count != series.count

    def _send_curves(self, view: RunView, metric: str, changed: Sequence[Series]) -> None:
        """Send the curves of one window that have changed."""
        grown: list[tuple[Series, str, Points]] = []
        if self._server.has(view.env, line_window(metric)):
            found = [(one, self._new_points(one)) for one in changed]
            grown = [
                (one, self._sent.series[one.series_id].name, new) for one, new in found if new is not None
            ]
        if grown:
            self._append_points(view.env, metric, grown)
        done = {one.series_id for one, _, _ in grown}
        for one in changed:
            if one.series_id not in done:
                self._send_curve(view, metric, one)

    def _new_points(self, series: Series) -> Points | None:
        """Return the points that came since; None when the curve must be sent anew."""
        shown = self._sent.series.get(series.series_id)
        if shown is None or shown.last_step is None:
            return None
        # As dense as those that are there.
        most = max(1, math.ceil((series.count - shown.count) * shown.length / shown.count))
        new = self._reader.points(
            series, first_step=shown.last_step + 1, last_step=series.last_step, max_points=most
        )
        length = shown.length + len(new)
        becomes_lines = shown.length <= DOTTED < length
        fits = shown.is_followed_by(new.total, series) and length <= MOST_POINTS and not becomes_lines
        return new if fits else None

    def _append_points(self, env: str, metric: str, grown: Sequence[tuple[Series, str, Points]]) -> None:
        traces = [line_trace(one, name, new) for one, name, new in grown]
        gone: set[str] = set()
        if len(traces) < _TOGETHER:
            for trace in traces:
                self._server.append(env, line_pane(metric, [trace]))
        else:
            # Each update costs the server a comparison of the window. Traces of others get nothing.
            by_name = {trace["name"]: trace for trace in traces}
            there = [trace.get("name") for trace in traces_of(self._server.window(env, line_window(metric)))]
            pane = line_pane(metric, [by_name.get(name, _NOTHING) for name in there])
            self._server.append(env, pane)
            gone = by_name.keys() - set(there)
        for (one, name, new), trace in zip(grown, traces, strict=True):
            before = self._sent.series.pop(one.series_id).length
            if trace["name"] not in gone:  # else all of it comes with the next call
                self._sent.series[one.series_id] = _shown(one, new, name, before)

    def _send_curve(self, view: RunView, metric: str, series: Series) -> None:
        points = self._reader.points(series, max_points=_room(series.count))
        window = traces_of(self._server.window(view.env, line_window(metric)))
        name = free_name(view.curve_name(series), self._run_id, window)
        trace = line_trace(series, name, points)
        known = [one for one in window if one.get("name") == trace["name"]]
        pane = line_pane(metric, [trace])
        if not known:
            self._server.append(view.env, pane)
        elif known[0].get("mode") == trace["mode"]:
            self._server.replace(view.env, pane)
        else:
            self._server.put(view.env, line_pane(metric, renewed(window, [trace], {self._run_id})))
        self._sent.series[series.series_id] = _shown(series, points, name)

    def _send_records(self, view: RunView, series: Series) -> None:
        shown = self._sent.series.get(series.series_id)
        if shown is not None and FORMS[series.kind].grows and self._append_records(view, series, shown):
            return
        records = self._reader.records(series, max_records=_room(series.count, MOST_RECORDS))
        parts = self._parts(view, series, records)
        for pane in panes_of(view.frame(series), parts) if parts else ():
            self._server.put(view.env, pane)
        self._note_records(series, records, 0)

    def _append_records(self, view: RunView, series: Series, shown: _Shown) -> bool:
        """Send the records that came since; False when all must be sent anew."""
        if shown.last_step is None or not self._server.has(view.env, view.frame(series).win):
            return False
        new = self._reader.records(series, first_step=shown.last_step + 1, last_step=series.last_step)
        if not shown.is_followed_by(len(new), series) or shown.length + len(new) > MOST_RECORDS:
            return False
        for part in self._parts(view, series, new):
            for pane in panes_of(view.frame(series), [part]):
                self._server.append(view.env, pane)
        self._note_records(series, new, shown.length)
        return True

    def _parts(self, view: RunView, series: Series, records: Sequence[Record]) -> list[Part]:
        wanted = records[-1:] if FORMS[series.kind].newest else records
        parts: list[Part] = []
        for record in wanted:
            try:
                parts.append(part_of(view.frame(series), record, self._reader.load(series, record)))
            except (StoreDamaged, UnidentifiedImageError, OverflowError, ValueError) as error:
                self.problems[f"{series.kind} {series.name} at step {record.step}"] = str(error)
        return parts

    def _note_records(self, series: Series, records: Sequence[Record], before: int) -> None:
        last = records[-1].step if records else None
        self._sent.series[series.series_id] = _Shown(series.count, last, before + len(records))


def _window_key(view: RunView, series: Series) -> str | None:
    """Return the metric whose window a series is in; None for one with a window of its own."""
    return view.metric(series) if series.kind == "scalar" else None


def _room(count: int, most: int = MOST_POINTS) -> int:
    """Return how many values of a series are sent at first: there must be room for those that will come."""
    return most if count < most else most // 2


def _shown(series: Series, points: Points, name: str, before: int = 0) -> _Shown:
    return _Shown(series.count, int(points.step[-1]) if len(points) else None, before + len(points), name)


def _facts(run: Run) -> object:
    return run.state, run.name, run.tags, run.notes, run.config
