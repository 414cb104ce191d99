"""What is asked of one series: its numbers, histograms and other values, as finely as they are drawn.

Of cached functions, the arguments are the key; Streamlit does not hash those whose names begin with "_".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ...storage.chunks import CHUNK_POINTS
from ...storage.errors import StoreDamaged
from ...storage.kinds.histogram import HistogramData
from ...storage.model import SYSTEM_PREFIX, Points, Record, Series
from ...storage.pyramid import FAN_OUT
from ..analysis.media_steps import Clock, Frames
from ..analysis.projections import Method, Projection, project
from ..kept import Kept
from ..views.histogram import Histograms
from .of_runs import naming
from .of_store import reader

POINTS_A_LINE = 1000
"""More than a chart has pixels to show; lines on a chart of many runs get half of it."""
HISTOGRAMS_A_SERIES = 100
RECORDS_A_SERIES = 200
STEPS_A_SERIES = 500
"""Steps of a series that the Media page's slider reaches."""

_lines = Kept[Points](2000)
_histograms = Kept[Histograms](500)
_frames = Kept[Frames](500)


def points(
    one: Series,
    most: int = POINTS_A_LINE,
    first_step: int | None = None,
    last_step: int | None = None,
    attempt: int | None = None,
) -> Points:
    """Return the numbers of a series in at most `most` buckets.

    Args:
        one: a series of kind "scalar".
        most: how many buckets at most.
        first_step: the smallest step wanted; None for all.
        last_step: the largest step wanted; None for all.
        attempt: what this attempt logged, also where a newer one replaces it; None for what counts.

    Raises:
        StoreError: the store cannot be read.
    """
    window = (first_step, last_step, attempt)
    most = _at_hand(one, most) if window == (None, None, None) else most
    opened = reader()

    def read() -> Points:
        found = opened.points(
            one, first_step=first_step, last_step=last_step, max_points=most, attempt=attempt
        )
        # Kept by reference: to copy a page's lines for each of its runs would cost more than to draw them.
        for column in (found.step, found.time, found.min, found.max, found.mean, found.last):
            column.flags.writeable = False
        return found

    return _lines.get((opened.url, one.run_id, one.series_id, most, window), read, _state(one))


def _at_hand(one: Series, most: int) -> int:
    """Return how many buckets to ask for: fewer, but not half, where the store has so many ready made.

    Buckets that are finer than the finest summary take every point of the series to be unpacked.
    """
    ready = one.count // CHUNK_POINTS * FAN_OUT
    return ready if most / 2 <= ready < most else most


def histograms(
    one: Series,
    most: int = HISTOGRAMS_A_SERIES,
    first_step: int | None = None,
    last_step: int | None = None,
) -> Histograms:
    """Return at most `most` histograms of a series between two steps, evenly chosen; not to be changed.

    Raises:
        StoreError: the store cannot be read.
    """
    key = (reader().url, one.run_id, one.series_id, most, first_step, last_step)
    return _histograms.get(key, lambda: _read_histograms(one, most, first_step, last_step), _state(one))


def _read_histograms(one: Series, most: int, first_step: int | None, last_step: int | None) -> Histograms:
    opened = reader()
    chosen = opened.records(one, first_step=first_step, last_step=last_step, max_records=most)
    values: list[HistogramData] = [opened.load(one, record) for record in chosen]
    return Histograms(
        steps=np.array([record.step for record in chosen], dtype=np.int64),
        edges=[value.edges for value in values],
        counts=[value.counts for value in values],
        total=one.count,
        odd=sum(value.nan_count + value.posinf_count + value.neginf_count for value in values),
    )


def frames(one: Series, most: int = STEPS_A_SERIES) -> Frames:
    """Return what a series has to show at `most` of its steps, evenly chosen; not to be changed.

    Raises:
        StoreError: the store cannot be read.
    """
    key = (reader().url, one.run_id, one.series_id, most)
    return _frames.get(key, lambda: _read_frames(one, most), _state(one))


def _read_frames(one: Series, most: int) -> Frames:
    steps: dict[int, list[dict[str, Any]]] = {}
    for record in reader().records(one, max_steps=most):
        steps.setdefault(record.step, []).append({**record.meta, "digest": record.digest})
    return Frames(steps=np.array(list(steps), dtype=np.int64), values=list(steps.values()))


def clock(found: Sequence[Series]) -> Clock:
    """Return what a run knows of its own time, from all of its series. Raises StoreError."""
    names = naming()
    told = [one for one in found if one.kind == "scalar" and names.parse(one.name).metric == "epoch"]
    known = points(max(told, key=lambda one: one.count)) if told else None
    return Clock(
        max((one.last_step or 0 for one in found if not one.name.startswith(SYSTEM_PREFIX)), default=0),
        known.step if known else np.empty(0, np.int64),
        known.last if known else np.empty(0),
    )


def records(
    one: Series, *, first_step: int | None = None, last_step: int | None = None, most: int = RECORDS_A_SERIES
) -> list[Record]:
    """Return at most `most` records of a series between two steps, evenly chosen. Raises StoreError."""
    return reader().records(one, first_step=first_step, last_step=last_step, max_records=most)


def load(one: Series, record: Record) -> Any:
    """Return the value of a record: the data class of its kind. Raises StoreError."""
    return reader().load(one, record)


def value_at(one: Series, step: int) -> Any:
    """Return the value that a series logged last at one of its steps: the data class of its kind.

    Not to be changed. Raises StoreError.
    """
    return _value_at(reader().url, one.run_id, one.series_id, _state(one), step, one)


def projection(one: Series, step: int, method: Method, dimensions: int) -> Projection:
    """Return where the vectors of an embedding lie. Raises StoreError, BadInput."""
    key = (_state(one), step)
    return _projection(reader().url, one.run_id, one.series_id, key, method, dimensions, one)


def average_precisions(one: Series, most: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the average precision of a series of PR curves at most so many steps, evenly chosen: (n,) each.

    Raises:
        StoreError: a curve cannot be read.
    """
    found = _average_precisions(reader().url, one.run_id, one.series_id, _state(one), most, one)
    return found["step"], found["value"]


def _state(one: Series) -> tuple[int, int | None, float | None]:
    return one.count, one.last_step, one.last_time


@st.cache_resource(max_entries=40, show_spinner=False)
def _value_at(url: str, run_id: str, series_id: int, state: Any, step: int, _one: Series) -> Any:  # noqa: ARG001
    found = reader().records(_one, first_step=step, last_step=step)
    if not found:
        raise StoreDamaged(f"series {_one.name!r} of run {run_id} has nothing at step {step}")
    return reader().load(_one, found[-1])


@st.cache_resource(max_entries=100, show_spinner=False)
def _projection(
    url: str,  # noqa: ARG001
    run_id: str,  # noqa: ARG001
    series_id: int,  # noqa: ARG001
    key: Any,
    method: Method,
    dimensions: int,
    _one: Series,
) -> Projection:
    return project(value_at(_one, key[1]), method, dimensions)


@st.cache_data(max_entries=200, show_spinner=False)
def _average_precisions(
    url: str,  # noqa: ARG001
    run_id: str,  # noqa: ARG001
    series_id: int,  # noqa: ARG001
    state: Any,  # noqa: ARG001
    most: int,
    _one: Series,
) -> dict[str, Any]:
    chosen = reader().records(_one, max_records=most)
    values = [reader().load(_one, record).average_precision for record in chosen]
    return {
        "step": np.array([record.step for record in chosen], np.int64),
        "value": np.array(values, np.float64),
    }
