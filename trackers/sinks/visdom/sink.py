"""Visdom: fills a running server, or writes the environment files from which one starts.

What changes on the way: long curves are thinned to POINT_LIMIT of their points and other series to
RECORD_LIMIT of their values, since Visdom's page holds all windows in memory; histograms get 30
equal bins. Of videos, tables, plotly figures, embeddings, meshes, graphs and hyperparameters the newest is
shown. See docs/guide/visdom.md.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ....storage.errors import BadInput
from ....storage.model import SYSTEM_PREFIX, Points, Record, Run, Series
from ....storage.name_rules import Naming
from .files import EnvironmentFiles
from .panes import Frame, Json, Pane, free_name, line_pane, line_trace, line_window, renewed, traces_of
from .records import FORMS, Part, panes_of, part_of
from .run import RunView, environment_of, is_of_one_run

POINT_LIMIT = 2_000
RECORD_LIMIT = 30


class VisdomTarget(Protocol):
    """Where panes go: files or a server. Methods raise ExportRefused when it does not take them."""

    def window(self, env: str, win: str) -> Mapping[str, Any] | None:
        """Return a window that is there already."""
        ...

    def put(self, env: str, pane: Pane) -> None:
        """Show a pane, in place of the window with its id."""
        ...

    def finish(self) -> tuple[str, ...]:
        """Make it last, and close; return where it is."""
        ...

    def close(self) -> None:
        """Let go of it, with what it has."""
        ...


@dataclass(slots=True)
class _OpenRun:
    """The run whose data come now, with the records of the series that comes now."""

    view: RunView
    frame: Frame | None = None
    parts: list[Part] = field(default_factory=list[Part])


@dataclass(slots=True)
class _Curves:
    """The curves of one metric, of all runs of the export."""

    traces: list[Json] = field(default_factory=list[Json])
    names: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """What the legend calls each, and its run's id."""


class VisdomSink:
    """Shows runs side by side: curves of one metric share a window, everything else has one for each run.

    Exporting a run again replaces its curves and windows, and leaves those of other runs.
    """

    name: ClassVar[str] = "Visdom"
    carries: ClassVar[frozenset[str]] = frozenset({"scalar", *FORMS})
    declines: ClassVar[Mapping[str, str]] = {}
    point_limit: int | None = POINT_LIMIT
    record_limit: int | None = RECORD_LIMIT

    def __init__(
        self,
        *,
        server: str | None = None,
        folder: str | Path | None = None,
        env: str | None = None,
        naming: Naming | None = None,
    ) -> None:
        """Take a place to fill.

        Args:
            server: URL of a running server.
            folder: instead of a server, where to write `<env>.json`.
            env: the environment, in which {project}, {run} and {id} stand for those of each run; None for one
                named after each run's project.
            naming: how the store's names are understood; None for the rules that everybody has.

        Raises:
            BadInput: not one of server and folder was given, or the URL is none.
            ExportRefused: the folder is a file.
        """
        if (server is None) == (folder is None):
            raise BadInput(
                "expected either the URL of a Visdom server or a folder to write to. Name one of them."
            )
        self._target = _server(server) if server is not None else EnvironmentFiles(Path(folder or "."))
        self._env = env
        self._naming = naming or Naming()
        self._curves: dict[tuple[str, str], _Curves] = {}
        self._titles: dict[str, str] = {}
        self._open: _OpenRun | None = None

    def start(self, runs: Sequence[Run]) -> None:
        """Choose for each run a title that tells it from the others."""
        names = [run.name for run in runs]
        for run in runs:
            unique = run.name and names.count(run.name) == 1
            self._titles[run.run_id] = run.name if unique else f"{run.name} {run.run_id}".strip()

    def open_run(self, run: Run, series: Sequence[Series]) -> None:
        """Make the windows of the run's metrics, so that they come first on the page, then its config."""
        title = "" if is_of_one_run(self._env) else self._titles[run.run_id]
        view = RunView(run, environment_of(run, self._env), title, self._naming)
        self._open = _OpenRun(view)
        scalars = [one for one in series if one.kind == "scalar"]
        for one in scalars:
            if not one.name.startswith(SYSTEM_PREFIX):
                self._make_window(view.env, view.metric(one))
        self._target.put(view.env, view.config_pane())

    def write_points(self, series: Series, points: Points) -> None:
        """Keep a curve for the window of its metric."""
        view = self._opened.view
        curves = self._curves.setdefault((view.env, view.metric(series)), _Curves())
        name = view.curve_name(series)
        curves.traces.append(line_trace(series, name, points))
        curves.names.append((name, series.run_id))

    def write_record(self, series: Series, record: Record, value: Any) -> None:
        """Keep a value until its series is complete. Raises ValueError, OSError when it cannot be shown."""
        opened = self._opened
        frame = opened.view.frame(series)
        if opened.frame is not None and opened.frame.win != frame.win:
            self._put_records()
        part = part_of(frame, record, value)
        if FORMS[series.kind].newest:
            opened.parts.clear()
        opened.frame = frame
        opened.parts.append(part)

    def close_run(self) -> None:
        """Show the last series."""
        self._put_records()
        self._open = None

    def finish(self) -> tuple[str, ...]:
        """Show the curves, together with those of runs that were exported earlier."""
        for (env, metric), curves in self._curves.items():
            before = traces_of(self._target.window(env, line_window(metric)))
            for trace, (name, run_id) in zip(curves.traces, curves.names, strict=True):
                trace["name"] = html.escape(free_name(name, run_id, before), quote=False)
            self._target.put(env, line_pane(metric, renewed(before, curves.traces, set(self._titles))))
        return self._target.finish()

    def discard(self) -> None:
        """Write no file. What a server was sent stays there, until the next export replaces it."""
        self._target.close()

    @property
    def _opened(self) -> _OpenRun:
        if self._open is None:
            raise RuntimeError("open_run comes before data and close_run")
        return self._open

    def _make_window(self, env: str, metric: str) -> None:
        if (env, metric) in self._curves:
            return
        self._curves[env, metric] = _Curves()
        if self._target.window(env, line_window(metric)) is None:
            self._target.put(env, line_pane(metric, []))

    def _put_records(self) -> None:
        opened = self._opened
        if opened.frame is not None and opened.parts:
            for pane in panes_of(opened.frame, opened.parts):
                self._target.put(opened.view.env, pane)
        opened.frame = None
        opened.parts.clear()


def _server(url: str) -> VisdomTarget:
    from .client import VisdomServer  # noqa: PLC0415 - files need no network

    return VisdomServer(url)
