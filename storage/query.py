"""The way to ask a store: `stepscope.open(store)`.

    store = stepscope.open("stepscope.db")
    good = store.runs(project="digits", filter='config.lr < 0.01 and last["val/loss"] < 0.3')
    table = good.pandas()
    loss = good[0].scalars("loss").numpy()

It reads only, and is safe to use while runs are logging, and from several threads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from .arguments import check_text
from .artifacts import Artifact, artifacts_of, find_artifact, open_artifact
from .errors import BadInput
from .frames import Table, column_of, html_table, objects
from .location import StoreArgument
from .model import Run
from .nested import flatten
from .read import Reader
from .run_filter import RunFilter, parse_filter
from .run_metrics import RunMetrics
from .stored_run import StoredRun

if TYPE_CHECKING:
    from .frames import ArrowTable, DataFrame

MOST_LAST_COLUMNS = 1000
"""What is more, a table of runs leaves out: a name for each step, by mistake."""
_SHOWN = 20


def open(store: StoreArgument = None) -> Store:
    """Open a store for reading.

    Args:
        store: a path, `sqlite:///FILE` or `postgresql+psycopg://...`; None for STEPSCOPE_STORE, or
            `stepscope.db` in the current folder.

    Raises:
        StoreNotFound, StoreTooNew, StoreTooOld, StoreDamaged, StoreError: with what to do.
    """
    return Store(Reader.open(store))


class Store:
    """A store that is open for reading. Each question reads anew; close it, or use it in a `with` block."""

    def __init__(self, reader: Reader) -> None:
        """Read through a Reader; use `stepscope.open` instead."""
        self._reader = reader

    def projects(self) -> list[str]:
        """Return the names of all projects, sorted."""
        return self._reader.projects()

    def runs(
        self,
        *,
        project: str | None = None,
        filter: str | Callable[[StoredRun], bool] | None = None,
        archived: bool = False,
    ) -> Runs:
        """Return runs, newest first.

        Args:
            project: only those of this project.
            filter: only those that pass: an expression over the fields of a run, such as
                `lr < 0.01 and val/loss.min < 0.3 and "baseline" in tags` (see run_filter.py), or a function
                that is given the run. In an expression, what a run does not have is None, and what cannot
                be ordered or searched makes a comparison false.
            archived: those that were archived too.

        Raises:
            BadInput: the filter is no expression of this form, or names what no run of the store has; the
                message names the place.
        """
        wanted = _as_filter(filter)
        chosen = wanted.project if project is None else check_text("a project", project)
        if wanted.project not in (None, chosen):
            return Runs([])
        states = None if wanted.state is None else (wanted.state,)
        found = self._reader.runs(project=chosen, states=states, archived=archived)
        stored, _ = with_metrics(self._reader, found)
        if wanted.missing(stored):
            # Runs of another project may have what is looked for: then it is no mistake.
            check_names(wanted, *with_metrics(self._reader, self._reader.runs(archived=True)))
        return Runs([run for run in stored if wanted.matches(run)])

    def run(self, run: str) -> StoredRun:
        """Return one run by its id, the beginning of its id, or its name.

        Raises:
            RunNotFound: none or several fit; the message names those that do, or near names.
        """
        return with_metrics(self._reader, [self._reader.find_run(run)])[0][0]

    def artifacts(self, project: str | None = None, name: str | None = None) -> list[Artifact]:
        """Return all versions of all artifacts, ordered by project, name and version.

        Args:
            project: only those of this project.
            name: only the versions of this name.
        """
        return [open_artifact(self._reader, info) for info in artifacts_of(self._reader, project, name)]

    def artifact(self, artifact: str, project: str = "default") -> Artifact:
        """Return one version of an artifact.

        Args:
            artifact: "name:latest", "name:v3" or "name:alias"; the name alone for its latest version;
                "project/name:v3" with its project.
            project: where to look when `artifact` does not say.

        Raises:
            ArtifactNotFound: there is none; the message names what there is.
        """
        return open_artifact(self._reader, find_artifact(self._reader, project, artifact))

    def close(self) -> None:
        """Close the connections. What reads afterwards, runs that it gave among them, gets a StoreError."""
        self._reader.shut()

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def __repr__(self) -> str:
        return f"<Store {self._reader.location.display}>"


class Runs(Sequence[StoredRun]):
    """Runs in a list, and as a table with one row a run."""

    def __init__(self, runs: Sequence[StoredRun]) -> None:
        """Use `Store.runs` instead."""
        self._runs = list(runs)

    @overload
    def __getitem__(self, index: int) -> StoredRun: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> StoredRun | Runs:
        """Return one run, or a part of the list."""
        return Runs(self._runs[index]) if isinstance(index, slice) else self._runs[index]

    def __len__(self) -> int:
        """Return how many runs there are."""
        return len(self._runs)

    def pandas(self) -> DataFrame:
        """Return a DataFrame with one row a run and a plain index.

        The columns are id, name, project, group, state, framework, tags (a tuple), created_at (float64,
        seconds since the epoch, UTC), duration (float64, seconds); then one for each entry of the configs and
        summaries, nested keys joined by dots, as in `config.optimizer.lr`; then the last value of each
        scalar as `last.loss` (float64, NaN where a run has none), at most 1,000 of them: those that most
        runs have.
        """
        return self._table().pandas()

    def arrow(self) -> ArrowTable:
        """Return the same as an Arrow table; tags are lists, and values of mixed types become JSON text."""
        return self._table().arrow()

    def _table(self) -> Table:
        columns = _facts(self._runs)
        columns |= _entries("config", [flatten(run.config) for run in self._runs])
        columns |= _entries("summary", [flatten(run.summary) for run in self._runs])
        return Table(columns | _last_values(self._runs))

    def __repr__(self) -> str:
        return (
            f"<{len(self)} runs: {', '.join(run.name for run in self._runs[:5])}{' ...' * (len(self) > 5)}>"
        )

    def _repr_html_(self) -> str:
        names = ("id", "name", "project", "state", "tags")
        rows = [
            (run.id, run.name, run.project, run.state, ", ".join(run.tags)) for run in self._runs[:_SHOWN]
        ]
        more = f", the first {_SHOWN} shown" if len(self) > _SHOWN else ""
        return html_table(f"{len(self):,} runs{more}", names, rows)


def _as_filter(given: object) -> RunFilter:
    if given is None:
        return RunFilter(lambda _: True)
    if isinstance(given, str):
        return parse_filter(given)
    if callable(given):
        return RunFilter(lambda run: bool(given(run)))
    raise BadInput(
        f"a filter is an expression or a function that takes a run, but got {type(given).__name__} "
        f"""{given!r}. Write filter='state == "finished"'."""
    )


def with_metrics(
    reader: Reader, found: Sequence[Run], known: Callable[[], RunMetrics] | None = None
) -> tuple[list[StoredRun], Callable[[], RunMetrics]]:
    """Give each run a way to its metrics, and return that; they are read for all at once when asked for.

    Args:
        reader: of the store.
        found: the runs.
        known: gives the metrics of these runs, in their order, for whoever has read them already.
    """
    ids = [run.run_id for run in found]

    @lru_cache(maxsize=1)
    def metrics() -> RunMetrics:
        return RunMetrics(reader.last_values(ids), reader.naming())

    ask = known or metrics
    return [StoredRun(reader, run, ask, place) for place, run in enumerate(found)], ask


def check_names(wanted: RunFilter, runs: Sequence[StoredRun], metrics: Callable[[], RunMetrics]) -> None:
    """Refuse a filter with a name that none of some runs has; without any run, nothing is known.

    Raises:
        FilterMistake: with the place, and with near names of what the runs have.
    """
    missing = wanted.missing(runs) if runs else []
    if missing:
        entries = {key for run in runs for part in (run.config, run.summary) for key in flatten(part)}
        raise wanted.mistake(missing[0], entries.union(metrics().names))


def _facts(runs: Sequence[StoredRun]) -> dict[str, NDArray[Any]]:
    texts = ("id", "name", "project", "group", "state", "framework", "tags")
    numbers = ("created_at", "duration")
    columns = {name: objects([getattr(run, name) for run in runs]) for name in texts}
    return columns | {name: np.array([getattr(run, name) for run in runs], np.float64) for name in numbers}


def _entries(title: str, rows: Sequence[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    keys = dict.fromkeys(key for row in rows for key in row)
    return {f"{title}.{key}": column_of([row.get(key) for row in rows]) for key in keys}


def _last_values(runs: Sequence[StoredRun]) -> dict[str, NDArray[Any]]:
    often = Counter(label for run in runs for label in run.last)
    columns = {label: np.full(len(runs), np.nan) for label, _ in often.most_common(MOST_LAST_COLUMNS)}
    for place, run in enumerate(runs):
        for label in run.last.keys() & columns.keys():
            columns[label][place] = run.last[label]
    return {f"last.{label}": columns[label] for label in sorted(columns)}
