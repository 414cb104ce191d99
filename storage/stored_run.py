"""One run as `stepscope.open` gives it: what is known of it, its series, and their values."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .arguments import check_context, check_names, check_text, check_whole
from .artifacts import Artifact, artifacts_of_run, open_artifact, used_by_run
from .console import Printed, console_of
from .errors import BadInput, SeriesNotFound
from .events import Alert, alerts_of
from .frames import Table, html_table
from .model import Attempt, Context, Record, Run, Series, without_rank_0
from .names import MetricName
from .near import near_names
from .point_tables import as_buckets, as_values, long_form, side_by_side
from .read import Reader
from .run_filter import OF_METRIC
from .run_metrics import RunMetrics


@dataclass(frozen=True, slots=True)
class StoredValue:
    """One image, histogram, sound, text or graph; `load()` reads it."""

    step: int
    time: float
    """When it was logged: seconds since the epoch, UTC."""
    attempt: int
    meta: Mapping[str, Any]
    """Small facts that are there without loading: caption, width, sample_rate ..."""
    _series: Series
    _record: Record
    _reader: Reader

    @property
    def kind(self) -> str:
        """The kind of data, such as "image"."""
        return self._series.kind

    def load(self) -> Any:
        """Return the value: ImageData, HistogramData, AudioData, TextData ... of `stepscope.storage.kinds`.

        Raises:
            StoreDamaged: what is stored cannot be decoded.
        """
        return self._reader.load(self._series, self._record)

    def __repr__(self) -> str:
        return f"<{self.kind} {self._series.label!r} at step {self.step}>"


class StoredRun:
    """A run in a store. Times are float64 seconds since the epoch, UTC.

    Its facts are as of when the store was asked for the run; `series`, `scalars`, `history` and `records`
    read anew each time.
    """

    def __init__(self, reader: Reader, run: Run, metrics: Callable[[], RunMetrics], place: int) -> None:
        """Use `Store.run` or `Store.runs` instead."""
        self._reader = reader
        self._run = run
        self._metrics = metrics
        self._place = place

    @property
    def id(self) -> str:
        """10 characters, unique."""
        return self._run.run_id

    @property
    def name(self) -> str:
        """The name; other runs may have the same."""
        return self._run.name

    @property
    def project(self) -> str:
        """The project it belongs to."""
        return self._run.project

    @property
    def group(self) -> str | None:
        """The group within the project."""
        return self._run.group

    @property
    def state(self) -> str:
        """One of "running", "finished", "failed" and "killed"."""
        return self._run.state

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags, sorted."""
        return self._run.tags

    @property
    def notes(self) -> str:
        """The notes, in Markdown."""
        return self._run.notes

    @property
    def framework(self) -> str | None:
        """One of "torch", "tensorflow" and "keras"; None when no hook was used."""
        return self._run.framework

    @property
    def host(self) -> str:
        """The machine it ran on last."""
        return self._run.host

    @property
    def attempt(self) -> int:
        """The number of the newest attempt; 0 for a run that was never resumed."""
        return self._run.attempt

    @property
    def created_at(self) -> float:
        """When it began."""
        return self._run.created_at

    @property
    def updated_at(self) -> float:
        """When it last gave a sign of life."""
        return self._run.updated_at

    @property
    def finished_at(self) -> float | None:
        """When it ended; None while it runs."""
        return self._run.finished_at

    @property
    def archived_at(self) -> float | None:
        """When it was archived; None when it was not."""
        return self._run.archived_at

    @property
    def duration(self) -> float:
        """Seconds from the start to the end, or to the last sign of life."""
        return self._run.duration

    @property
    def age(self) -> float:
        """Seconds since the start."""
        return max(0.0, time.time() - self._run.created_at)

    @property
    def config(self) -> Mapping[str, Any]:
        """The hyperparameters, nested as they were given."""
        return self._run.config

    @property
    def summary(self) -> Mapping[str, Any]:
        """What the run set with `run.summary[...]`."""
        return self._run.summary

    @property
    def error(self) -> str | None:
        """The traceback of a failed run."""
        return self._run.error

    @property
    def dropped(self) -> Mapping[str, int]:
        """Reason -> how many values were not stored because of it."""
        return self._run.dropped

    @cached_property
    def last(self) -> Mapping[str, float]:
        """The last value of each scalar, by its label: `loss`, or `loss [rank=1]` with a context."""
        return self._metrics().values.of(self._place)

    def metric(self, name: str, which: str = "last") -> float | None:
        """Return one value of a scalar without reading its points; None when the run has none.

        Args:
            name: as it was logged or is understood: "val/loss" finds `val_loss` of Keras.
            which: "last", "min" or "max"; extremes are of finite values.

        Raises:
            BadInput: there is no such value of a scalar.
        """
        if which not in OF_METRIC:
            raise BadInput(f"of a metric there is {', '.join(OF_METRIC)}, but {which!r} was asked for.")
        return self._metrics().of(self._place, check_text("a name", name), which)

    @cached_property
    def environment(self) -> Mapping[str, Any]:
        """What was captured: git, command, python, packages, cpu, gpu, os, cwd. Read when first asked for."""
        return self._reader.environment(self.id)

    @cached_property
    def attempts(self) -> Sequence[Attempt]:
        """The processes that wrote it, oldest first: the first one, and one for each resume."""
        return self._reader.attempts(self.id)

    @property
    def alerts(self) -> list[Alert]:
        """What the run wanted people to notice, oldest first."""
        return alerts_of(self._reader, [self.id])

    @property
    def console(self) -> list[Printed]:
        """What its processes printed: an entry for each attempt and rank, with lines of stdout and stderr."""
        return console_of(self._reader, self.id)

    @property
    def artifacts(self) -> list[Artifact]:
        """The artifacts that it logged, ordered by name and version."""
        return [open_artifact(self._reader, info) for info in artifacts_of_run(self._reader, self.id)]

    @property
    def used_artifacts(self) -> list[Mapping[str, Any]]:
        """Name, version, digest, type, project and run_id of the artifacts that it used."""
        return used_by_run(self._reader, self.id)

    def series(
        self,
        name: str | None = None,
        kind: str | None = None,
        *,
        metric: str | None = None,
        split: str | None = None,
        granularity: str | None = None,
    ) -> list[Series]:
        """Return what was logged, ordered by name and context, with counts, last values and extremes.

        Args:
            name: only series of this name; an unknown one gives an empty list.
            kind: only series of this kind, such as "scalar" or "image".
            metric: only series that measure this, however their framework names it, such as "loss".
            split: only series over this split: "train", "validation", "test" or another one.
            granularity: only series with a value for each "batch", or each "epoch".

        Raises:
            BadInput: the file of the user's rules for names is wrong.
        """
        found = self._reader.series(self.id, name=name, kind=kind)
        wanted = {"metric": metric, "split": split, "granularity": granularity}
        if any(wanted.values()):
            naming = self._reader.naming()
            names = {one.series_id: naming.parse(one.name, one.context) for one in found}
            found = [one for one in found if _fits(names[one.series_id], wanted)]
        # Databases order text each in its own way.
        return sorted(found, key=lambda one: (one.name, one.label))

    def scalars(
        self,
        names: str | Sequence[str],
        *,
        context: Context | None = None,
        first_step: int | None = None,
        last_step: int | None = None,
        max_points: int | None = None,
        attempt: int | None = None,
    ) -> Table:
        """Return the numbers of one scalar, or of several side by side, sorted by step.

        Each step is there once: of several values of one step the last one logged, of several attempts
        the newest.

        Args:
            names: one name, or a label of `last` such as "loss [rank=1]", gives the columns step (int64),
                time (float64, seconds since the epoch, UTC) and value (float64). A list of names gives step
                and one float64 column for each name, with NaN where a name has no value at a step.
            context: which series of the name, such as {"rank": 1}. None takes the one without a context,
                that of rank 0, or the only one there is.
            first_step: the smallest step wanted; None for all.
            last_step: the largest step wanted, itself included; None for all.
            max_points: for one name only: gather the points into at most so many buckets. The columns
                are then step and first_step (int64, the last and the first step of the bucket), time (of
                the last), min, max and mean (float64, of the finite values, NaN without any), last (float64)
                and count (int64). The time it takes does not grow with the length of the series.
            attempt: what this attempt logged, also where a newer one replaces it; None for what counts.

        Raises:
            SeriesNotFound: the run has no such scalar; the message names near ones.
            BadInput: max_points was given with several names; an argument is of a wrong type, or there is
                no such attempt.
        """
        bounds = check_whole(first_step=first_step, last_step=last_step, attempt=attempt)
        self._check_attempt(bounds["attempt"])
        if isinstance(names, str):
            series = self._scalar(names, context)
            points = self._reader.points(series, **check_whole(max_points=max_points), **bounds)
            return as_values(points) if max_points is None else as_buckets(points)
        if max_points is not None:
            raise BadInput(
                f"max_points takes one name, for buckets of several would not have the same steps, but got "
                f"{list(names)!r}. Ask for one name after the other, or bound the steps."
            )
        chosen = [self._scalar(name, context) for name in check_names(names)]
        return side_by_side({one.name: self._reader.points(one, **bounds) for one in chosen})

    def history(self, *, first_step: int | None = None, last_step: int | None = None) -> Table:
        """Return all scalars in long form, one row a point, ordered by name and step.

        The columns are name and context (text, such as "rank=1", empty for most), step (int64), time
        (float64, seconds since the epoch, UTC) and value (float64). The steps of series that begin
        with "system/" are seconds since the run began.

        Args:
            first_step: the smallest step wanted; None for all.
            last_step: the largest step wanted, itself included; None for all.
        """
        bounds = check_whole(first_step=first_step, last_step=last_step)
        return long_form([(one, self._reader.points(one, **bounds)) for one in self.series(kind="scalar")])

    def records(
        self,
        name: str,
        *,
        context: Context | None = None,
        kind: str | None = None,
        first_step: int | None = None,
        last_step: int | None = None,
        max_records: int | None = None,
    ) -> list[StoredValue]:
        """Return the images, histograms, sounds, texts or graphs of a name, sorted by step, not yet loaded.

        Args:
            name: as it was logged.
            context: which series of the name (see `scalars`).
            kind: which kind, when the name has several.
            first_step: the smallest step wanted; None for all.
            last_step: the largest step wanted, itself included; None for all.
            max_records: take an even sample of at most so many, the first and the last among them.

        Raises:
            SeriesNotFound: the run has no such series; the message names near ones.
        """
        check_text("a name", name)
        every = [one for one in self.series() if one.kind != "scalar" and kind in (None, one.kind)]
        one = self._choose(kind or "record", every, name, context)
        bounds = check_whole(first_step=first_step, last_step=last_step, max_records=max_records)
        found = self._reader.records(one, **bounds)
        return [StoredValue(r.step, r.time, r.attempt, r.meta, one, r, self._reader) for r in found]

    def _check_attempt(self, attempt: int | None) -> None:
        if attempt is None or 0 <= attempt <= self.attempt:
            return
        there = [one.attempt for one in self._reader.attempts(self.id)]  # it may have been resumed meanwhile
        if attempt not in there:
            raise BadInput(f"run {self.id} ({self.name!r}) has the attempts {there}, but not {attempt}.")

    def _scalar(self, name: str, context: Context | None) -> Series:
        check_text("a name", name)
        found = self.series(name, "scalar")
        return self._choose("scalar", found or self.series(kind="scalar"), name, context)

    def _choose(self, word: str, every: Sequence[Series], name: str, context: Context | None) -> Series:
        """Return the series that is meant, or say what there is instead."""
        named = [one for one in every if one.name == name]
        if not named and context is None:
            named = [one for one in every if one.label == name]
        wanted = dict(check_context(context) or {})
        fits = [one for one in named if dict(one.context) == wanted]
        fits = fits or [one for one in named if without_rank_0(one.context) == wanted]
        fits = named if not fits and context is None else fits
        if len(fits) == 1:
            return fits[0]
        which = f"run {self.id} ({self.name!r})"
        if not named:
            other = next((one.kind for one in self.series(name)), None)
            hint = (
                f" Its {name!r} is of kind {other}." if other else near_names(name, {s.name for s in every})
            )
            raise SeriesNotFound(f"{which} has no {word} {name!r}.{hint} run.series() lists what was logged.")
        there = ", ".join(sorted(f"kind={s.kind!r}, context={dict(s.context)!r}" for s in named))
        raise SeriesNotFound(
            f"{name!r} of {which} is {len(named)} series, of which {len(fits)} fit. Say which: {there}"
        )

    def __repr__(self) -> str:
        return f"<StoredRun {self.id} {self.name!r} of {self.project!r}, {self.state}>"

    def _repr_html_(self) -> str:
        facts = {"id": self.id, "project": self.project, "state": self.state, "tags": ", ".join(self.tags)}
        rows = [*facts.items(), *((f"config.{k}", v) for k, v in self.config.items()), *self.last.items()]
        return html_table(f"Run {self.name}", ("", "value"), rows)


def _fits(name: MetricName, wanted: Mapping[str, str | None]) -> bool:
    return all(value is None or getattr(name, part) == value for part, value in wanted.items())
