"""Numbers for TensorBoard: how series are described, sampled and kept."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from tensorboard.data import provider as _provider

from ...storage.chunks import CHUNK_POINTS, Columns
from ...storage.model import Series
from ...storage.read import Reader
from ...storage.read_many import short_series
from ..kept import Kept
from .catalogue import Catalogue, Shown, ShownRun
from .hparams import logged_hparams

provider: Any = _provider  # carries no types

POINTS_A_CHART = 100_000
"""TensorBoard asks for a chart's lines of all runs at once, also of those that it does not show."""
LEAST_POINTS = 50
"""Of a line, however many there are."""
POINTS_KEPT = 3_000_000
"""24 bytes each."""


_MANY = 8
"""From so many on, short series are read together."""

Key: TypeAlias = tuple[str, int]
"""run_id, series_id."""


class Datum(NamedTuple):
    """A number, as TensorBoard's ScalarDatum, but made ten times as fast."""

    step: int
    wall_time: float
    value: float


class Sampled(NamedTuple):
    """Some points of a series, the first and the last among them; shape (n,)."""

    step: NDArray[np.int64]
    time: NDArray[np.float64]
    value: NDArray[np.float64]

    def data(self) -> list[Datum]:
        """Return them one by one."""
        return list(map(Datum, self.step.tolist(), self.time.tolist(), self.value.tolist()))


class Samples:
    """Samples of series, kept for as long as a series does not grow and others are not asked for more."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept = Kept[Sampled](POINTS_KEPT, size=lambda sampled: len(sampled.step))

    def read(self, reader: Reader, series: Sequence[Series], most: int) -> list[list[Datum]]:
        """Return at most `most` of the points of each series; fewer of each where there are many.

        Raises:
            StoreError: the store cannot be read.
        """
        most = min(most, max(LEAST_POINTS, POINTS_A_CHART // max(len(series), 1)))
        short = self._short(reader, series, most)
        return [self._one(reader, one, most, short).data() for one in series]

    def _short(self, reader: Reader, series: Sequence[Series], most: int) -> Mapping[Key, Columns]:
        """Return the points of short series that are not kept yet, if they are many."""
        new = [one for one in series if one.count <= CHUNK_POINTS and not self._kept.has(*_key(one, most))]
        return reader.ask(lambda connection: short_series(connection, new)) if len(new) >= _MANY else {}

    def _one(self, reader: Reader, series: Series, most: int, short: Mapping[Key, Columns]) -> Sampled:
        def make() -> Sampled:
            columns = short.get((series.run_id, series.series_id))
            return _sampled(reader, series, most) if columns is None else _thinned(columns, most)

        key, state = _key(series, most)
        return self._kept.get(key, make, state)


def _key(series: Series, most: int) -> tuple[Hashable, Hashable]:
    """Return under what, and for how long, a sample is kept."""
    return (series.run_id, series.series_id, most), (series.count, series.last_time, series.last_step)


def _thinned(columns: Columns, most: int) -> Sampled:
    total = len(columns.step)
    if total > most:
        # Backwards, so that of one alone it is the last.
        columns = columns.take(np.linspace(total - 1, 0, most).round().astype(np.intp)[::-1])
    return Sampled(*columns)


def _sampled(reader: Reader, series: Series, most: int) -> Sampled:
    points = reader.points(series, max_points=max(most - 1, 1))
    found = Sampled(points.step, points.time, points.last)
    if not points.bucketed or most == 1:
        return found
    # Each entry is the last point of its bucket, so the first point of all is in none: often the largest
    # loss of the run.
    first = reader.points(series, last_step=int(points.first_step[0]))
    return Sampled(
        np.append(first.step[-1:], found.step),
        np.append(first.time[-1:], found.time),
        np.append(first.last[-1:], found.value),
    )


def describe_scalars(shown: Shown) -> Any:
    """Return what TensorBoard knows of a series of numbers before it reads them."""
    return provider.ScalarTimeSeries(
        max_step=shown.series.last_step,
        max_wall_time=shown.series.last_time,
        plugin_content=b"",
        description=shown.description,
        display_name=shown.display_name,
    )


def last_datum(shown: Shown) -> Datum:
    """Return the number that was logged last, out of the series' own summary."""
    series = shown.series
    return with_short_step(Datum(series.last_step or 0, series.last_time or 0.0, series.last_value or 0.0))


def with_short_step(datum: Datum) -> Datum:
    """Return a number at the nearest step that HParams can take; one beyond would fail all of its table."""
    return datum._replace(step=max(-(2**31), min(datum.step, 2**31 - 1)))


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that came with hyperparameters, which TensorBoard takes for a scalar of one point."""

    run: str
    """The run's name in TensorBoard."""
    tag: str
    datum: Datum


def metrics(catalogue: Catalogue, run_tag_filter: Any) -> Iterator[Metric]:
    """Yield the metrics that came with the newest hyperparameters of each run that passes the filter."""
    for run in catalogue.chosen_runs(run_tag_filter).values():
        if run_tag_filter is None or run_tag_filter.runs is None or run.name in run_tag_filter.runs:
            yield from _metrics_of(catalogue, run, None if run_tag_filter is None else run_tag_filter.tags)


def _metrics_of(catalogue: Catalogue, run: ShownRun, tags: frozenset[str] | None) -> Iterator[Metric]:
    for record, value in logged_hparams(catalogue.reader, run):
        for tag, number in value.metrics.items():
            if tags is None or tag in tags:
                yield Metric(run.name, tag, Datum(record.step, record.time, number))


def describe_metric(metric: Metric) -> Any:
    """Return what TensorBoard knows of a metric before it reads it."""
    return provider.ScalarTimeSeries(
        max_step=metric.datum.step,
        max_wall_time=metric.datum.wall_time,
        plugin_content=b"",
        description="",
        display_name="",
    )
