"""Visdom: fills a running server, or writes the environment files from which one starts.

What changes on the way: long curves are thinned to POINT_LIMIT of their points and other series to
RECORD_LIMIT of their values, since Visdom's page holds all windows in memory; histograms get 30
equal bins; a graph becomes a table of its layers. Of videos, tables, plotly figures, embeddings, meshes and
hyperparameters the newest is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ...storage.errors import BadInput
from ...storage.model import Points, Record, Run, Series
from ...storage.name_rules import Naming
from ...storage.nested import flatten
from .files import safe_name
from .visdom_files import EnvironmentFiles
from .visdom_panes import (
    Json,
    Pane,
    config_pane,
    line_pane,
    line_trace,
    line_window,
    other_traces,
)
from .visdom_records import record_pane

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
        """Make it last; return where it is."""
        ...


@dataclass(slots=True)
class _OpenRun:
    """The run whose data come now, with the records of the series that comes now."""

    run: Run
    env: str
    series: Series | None = None
    records: list[Record] = field(default_factory=list[Record])
    values: list[Any] = field(default_factory=list[Any])


class VisdomSink:
    """Shows runs side by side: curves of one metric share a window, everything else has one for each run.

    Exporting a run again replaces its curves and windows, and leaves those of other runs.
    """

    name: ClassVar[str] = "Visdom"
    carries: ClassVar[frozenset[str]] = frozenset(
        {"scalar", "histogram", "image", "audio", "text", "video", "figure", "table"}
        | {"pr_curve", "embedding", "mesh", "hparams", "graph"}
    )
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
            server: URL of a running server; needs the extra "visdom".
            folder: instead of a server, where to write `<env>.json`; needs no visdom.
            env: the environment; None for one named after each run's project.
            naming: how the store's names are understood; None for the rules that everybody has.

        Raises:
            BadInput: not one of server and folder was given, or the URL is none.
            ExportRefused: the folder is a file.
            MissingExtra: a server was given and visdom is not installed.
        """
        if (server is None) == (folder is None):
            raise BadInput(
                "expected either the URL of a Visdom server or a folder to write to. Name one of them."
            )
        self._target = _server(server) if server is not None else EnvironmentFiles(Path(folder or "."))
        self._env = env
        self._naming = naming or Naming()
        self._lines: dict[tuple[str, str], list[Json]] = {}
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
        env = environment_name(self._env or run.project)
        self._open = _OpenRun(run, env)
        for one in series:
            if one.kind == "scalar":
                self._make_window(env, self._metric(one))
        entries = flatten(run.config, "/").items()
        config = [("state", run.state.value), *((key, str(value)) for key, value in entries)]
        self._target.put(env, config_pane(run, self._title("config"), config))

    def write_points(self, series: Series, points: Points) -> None:
        """Keep a curve for the window of its metric."""
        opened = self._opened
        name = f"{self._titles[opened.run.run_id]} · {series.label}"
        self._lines[opened.env, self._metric(series)].append(line_trace(opened.run, name, points))

    def write_record(self, series: Series, record: Record, value: Any) -> None:
        """Keep a value until its series is complete."""
        opened = self._opened
        if opened.series is not None and opened.series.series_id != series.series_id:
            self._put_records()
        opened.series = series
        opened.records.append(record)
        opened.values.append(value)

    def close_run(self) -> None:
        """Show the last series."""
        self._put_records()
        self._open = None

    def finish(self) -> tuple[str, ...]:
        """Show the curves, together with those of runs that were exported earlier."""
        for (env, metric), traces in self._lines.items():
            window = self._target.window(env, line_window(metric))
            others = other_traces(window, set(self._titles))
            self._target.put(env, line_pane(metric, [*others, *traces]))
        return self._target.finish()

    def discard(self) -> None:
        """Write no file. What a server was sent stays there, until the next export replaces it."""

    @property
    def _opened(self) -> _OpenRun:
        if self._open is None:
            raise RuntimeError("open_run comes before data and close_run")
        return self._open

    def _make_window(self, env: str, metric: str) -> None:
        if (env, metric) in self._lines:
            return
        self._lines[env, metric] = []
        if self._target.window(env, line_window(metric)) is None:
            self._target.put(env, line_pane(metric, []))

    def _put_records(self) -> None:
        opened = self._opened
        if opened.series is None:
            return
        kind, title = opened.series.kind, self._title(opened.series.label)
        win = f"{kind}_{opened.run.run_id}_{opened.series.series_id}"
        self._target.put(opened.env, record_pane(kind, win, title, opened.records, opened.values))
        opened.series = None
        opened.records.clear()
        opened.values.clear()

    def _metric(self, series: Series) -> str:
        return self._naming.parse(series.name, series.context).metric

    def _title(self, what: str) -> str:
        return f"{what} · {self._titles[self._opened.run.run_id]}"


def environment_name(text: str) -> str:
    """Return a name that Visdom takes for an environment: it compares "a+b", and "/" makes a folder."""
    return re.sub(r"[+/]+", "_", safe_name(text)) or "main"


def _server(url: str) -> VisdomTarget:
    from .visdom_client import VisdomServer  # noqa: PLC0415 - needs the extra, which files do not

    return VisdomServer(url)
