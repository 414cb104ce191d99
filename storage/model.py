"""What a store holds, as plain frozen values. Nothing in this module touches a disk.

Times are float64 seconds since the epoch, UTC. Steps are int64. A series is one name in one context
(for example rank 0) of one run; its data are points (numbers) or records (everything else).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cached_property
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Context: TypeAlias = Mapping[str, str | int]
"""What tells two series of one name apart: `{"rank": 1}`, `{"split": "train"}`; empty for most."""

SYSTEM_PREFIX = "system/"
"""Series of the machine rather than of the training: their steps are seconds since the run began."""


class RunState(StrEnum):
    """How a run stands. A run whose process is gone without a word is killed, never running."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    KILLED = "killed"


@dataclass(frozen=True, slots=True)
class Run:
    """One run with everything captured about it, but for its data."""

    run_id: str
    """10 characters of Crockford's base 32."""
    project: str
    name: str
    state: RunState
    created_at: float
    updated_at: float
    """When the run last wrote anything, heartbeats included."""
    finished_at: float | None = None
    group: str | None = None
    tags: tuple[str, ...] = ()
    notes: str = ""
    host: str = ""
    pid: int = 0
    framework: str | None = None
    """"torch", "tensorflow", "keras", or None when the run used no hook."""
    attempt: int = 0
    """The newest attempt; each resume adds one, starting from 0."""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    summary: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Only what the user set with `run.summary[...]`; last values are in the series."""
    environment: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Keys: git, command, python, packages, cpu, gpu, os, cwd (see trackers/capture.py). A Reader leaves
    it empty and reads it when asked (see Reader.environment): it is larger than all the rest."""
    dropped: Mapping[str, int] = field(default_factory=dict[str, int])
    """Reason -> how many values were not stored because of it."""
    error: str | None = None
    """The traceback of a failed run."""
    archived_at: float | None = None
    """When the run was archived; None for a run that listings show."""

    @property
    def duration(self) -> float:
        """Seconds from the start to the end, or to the last sign of life."""
        end = self.updated_at if self.finished_at is None else self.finished_at
        return max(0.0, end - self.created_at)

    def to_json(self) -> dict[str, Any]:
        """Return the fields in a form that JSON can hold, but for what the user put into config."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """Return the run of `to_json`. Raises TypeError, ValueError, KeyError when it is none."""
        values: dict[str, Any] = {**found, "state": RunState(found["state"]), "tags": tuple(found["tags"])}
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One process that wrote a run: the first, or one that resumed it."""

    run_id: str
    attempt: int
    started_at: float
    host: str
    pid: int
    first_step: int | None = None
    """The smallest step that this attempt logged, of any series."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series with its running summary; the last values make the Runs table cheap."""

    run_id: str
    series_id: int
    name: str
    """As the user logged it; names.py interprets it when reading."""
    kind: str
    """A name in storage.kinds.KINDS: "scalar", "image" ..."""
    context: Context = field(default_factory=dict[str, str | int])
    count: int = 0
    last_step: int | None = None
    last_time: float | None = None
    last_value: float | None = None
    min_value: float | None = None
    max_value: float | None = None
    nan_count: int = 0
    posinf_count: int = 0
    neginf_count: int = 0

    @property
    def label(self) -> str:
        """The name with the context, where there is one: `loss [rank=1]`."""
        return label_of(self.name, self.context)


def label_of(name: str, context: Context) -> str:
    """Return the label of a series (see Series.label)."""
    return f"{name} [{words_of(context)}]" if context else name


def words_of(context: Context) -> str:
    """Return a context as text: `rank=1, split=train`; "" for none."""
    return ", ".join(f"{key}={value}" for key, value in sorted(context.items()))


def without_rank_0(context: Context) -> Context:
    """Return a context as it would be without ranks: where none is asked for, rank 0 stands for all."""
    return {key: value for key, value in context.items() if key != "rank" or value != 0}


@dataclass(frozen=True, slots=True)
class SeriesName:
    """What series of different runs have in common."""

    name: str
    kind: str
    context: Context = field(default_factory=dict[str, str | int])

    @property
    def label(self) -> str:
        """The name with the context, where there is one: `loss [rank=1]`."""
        return label_of(self.name, self.context)


@dataclass(frozen=True)
class LastValues:
    """The value that was logged last, and the extremes, of every scalar of some runs; ordered by run."""

    run_ids: tuple[str, ...]
    """The runs that were asked for, shape (r,)."""
    names: tuple[SeriesName, ...]
    """The scalars that they have, each once, ordered by label; shape (k,)."""
    run: NDArray[np.int64]
    """Index into run_ids, shape (n,), ascending."""
    name: NDArray[np.int64]
    """Index into names, shape (n,)."""
    value: NDArray[np.float64]
    """Shape (n,); may be NaN or infinite."""
    min: NDArray[np.float64]
    """The smallest finite value of all that were logged, shape (n,); NaN without any."""
    max: NDArray[np.float64]
    """The largest one, likewise."""
    step: NDArray[np.int64]
    """The step that was logged last, shape (n,)."""

    @cached_property
    def labels(self) -> list[str]:
        """The labels of the names, shape (k,)."""
        return [name.label for name in self.names]

    @cached_property
    def _bounds(self) -> list[int]:
        """Where the entries of each run begin, and where the last ones end, shape (r + 1,)."""
        return np.searchsorted(self.run, np.arange(len(self.run_ids) + 1)).tolist()

    def of(self, place: int) -> dict[str, float]:
        """Return label -> value, ordered by label, of the run at that place in run_ids.

        What rank 0 logged has the label that it would have without ranks.
        """
        start, end = self._bounds[place : place + 2]
        order = start + np.argsort(self.name[start:end])
        names: list[int] = self.name[order].tolist()
        values = dict(zip([self.labels[name] for name in names], self.value[order].tolist(), strict=True))
        for one in (self.names[name] for name in names if "rank" in self.names[name].context):
            plain = label_of(one.name, without_rank_0(one.context))
            if plain not in values:
                values[plain] = values.pop(one.label)
        return values


@dataclass(frozen=True, slots=True)
class Points:
    """Numbers of one series, sorted by step; each entry is one point, or a bucket of several.

    All arrays have the shape (n,). When nothing was bucketed, count is all ones and min, max, mean
    and last are the values themselves. min, max and mean look at finite values only and are NaN in a
    bucket without any; last may be NaN or infinite.
    """

    step: NDArray[np.int64]
    """Step of the last point of the bucket."""
    first_step: NDArray[np.int64]
    """Step of the first point of the bucket: with `step`, the true edges."""
    time: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    mean: NDArray[np.float64]
    last: NDArray[np.float64]
    count: NDArray[np.int64]
    total: int
    """How many points lie in the asked window; `len(points)` of them are here if bucketed."""
    nan_count: int = 0
    posinf_count: int = 0
    neginf_count: int = 0
    odd: NDArray[np.float64] | None = None
    """What of each entry is no number, wherever in its bucket: NaN, ∞ or -∞, the first of these that it
    holds, and 0 where all are numbers. None when `last` tells it all."""

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self.step)

    @property
    def bucketed(self) -> bool:
        """Whether any entry stands for more than one point."""
        return self.total > len(self)


@dataclass(frozen=True, slots=True)
class Record:
    """One logged value that is not a number, before it is decoded by its kind."""

    run_id: str
    series_id: int
    attempt: int
    seq: int
    """Order of logging within the series and attempt."""
    step: int
    time: float
    meta: Mapping[str, Any]
    """Small facts by which a page can choose without loading: caption, width, sample_rate ..."""
    payload: bytes | None = None
    """The encoded value, when it is small enough to lie in the row."""
    digest: str | None = None
    """The key of the blob that holds it otherwise."""
