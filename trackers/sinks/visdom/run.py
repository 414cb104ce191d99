"""How a run is named in Visdom: its environment, and the titles of its windows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ....storage.model import SYSTEM_PREFIX, Run, Series
from ....storage.name_rules import Naming
from ....storage.nested import flatten
from ..files import safe_name
from .panes import Frame, Pane, config_pane
from .records import frame_of


@dataclass(frozen=True, slots=True)
class RunView:
    """One run in one environment."""

    run: Run
    env: str
    title: str
    """What tells the run from others; "" in an environment of its own, where titles are those that the
    windows of other runs have: Visdom's comparison merges windows by title."""
    naming: Naming

    def metric(self, series: Series) -> str:
        """Return the metric of a scalar series, which is what its window shows."""
        return self.naming.parse(series.name, series.context).metric

    def curve_name(self, series: Series) -> str:
        """Return what the legend calls a series."""
        return f"{self.title} · {series.label}" if self.title else series.label

    def frame(self, series: Series) -> Frame:
        """Return what the windows of a series that is not of numbers have in common."""
        return frame_of(series, self._title(series.label))

    def config_pane(self) -> Pane:
        """Return the window with the run's state, tags and config."""
        run = self.run
        known = [("state", run.state.value), ("tags", ", ".join(run.tags)), ("notes", run.notes)]
        entries = [(key, str(value)) for key, value in flatten(run.config, "/").items()]
        shown = [entry for entry in known if entry[1]] + entries
        return config_pane(run, self._title("config"), shown)

    def in_order(self, series: Sequence[Series]) -> list[Series]:
        """Return series as they come on the page: metrics, then the rest, at last the machine's metrics.

        Those of one metric follow one another.
        """

        def place(one: Series) -> tuple[int, str]:
            if one.kind != "scalar":
                return 1, ""
            return 2 * one.name.startswith(SYSTEM_PREFIX), self.metric(one)

        return sorted(series, key=place)

    def _title(self, what: str) -> str:
        return f"{what} · {self.title}" if self.title else what


def environment_of(run: Run, env: str | None) -> str:
    """Return the environment of a run.

    `env` is its name, in which {project}, {run} and {id} stand for the run's project, name and id; None for
    one named after the project.
    """
    if env is None:
        return environment_name(run.project)
    known = {"{project}": run.project, "{run}": run.name or run.run_id, "{id}": run.run_id}
    for word, meaning in known.items():
        env = env.replace(word, meaning)
    return environment_name(env)


def is_of_one_run(env: str | None) -> bool:
    """Whether each run gets an environment of its own by that name."""
    return env is not None and ("{run}" in env or "{id}" in env)


def environment_name(text: str) -> str:
    """Return a name that Visdom takes for an environment: it compares "a+b", and "/" makes a folder."""
    return re.sub(r"[+/]+", "_", safe_name(text)) or "main"
