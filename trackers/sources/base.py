"""What runs can be imported from. One source is one format; trackers/imports.py is the loop that reads it.

A source finds runs, and each run's parts: what is only ever appended to, such as an event file or the rows of
a table. A part is read in pieces. The store keeps a piece together with the place after it, so that an import
which is repeated, interrupted or followed takes every value exactly once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from ...storage.chunks import Columns
from ...storage.errors import BadInput
from ...storage.journal_read import SeriesDefinition
from ...storage.kinds import KIND_OF, EncodedValue, RawValue
from ...storage.model import Run
from ...storage.write_series import NewRecord
from ..media.base import Loggable

PIECE_POINTS = 1 << 16
"""About how many points a piece has at most."""
PIECE_BYTES = 4 << 20
"""About how many bytes of other values a piece has at most."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a run that is read in order, and that only grows."""

    name: str
    """Unique within the run, and the same whenever it is looked at: the name of a file, of a table."""
    attempt: int = 0
    """A restart of the training is a newer attempt: from its first step on, it replaces the ones before."""
    started_at: float = 0.0
    host: str = ""
    pid: int = 0
    end: int = 0
    """The position after all that is there by now, as far as it can be told at a glance; 0 when it cannot."""
    edition: str = ""
    """Another one means that the part was written anew: what the store has of it is replaced."""


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run as another program keeps it."""

    key: str
    """What tells it from all other runs there are, and is the same whenever it is looked at."""
    run: Run
    """What is known of it by now. What the source changes of it later is changed in the store, too; what
    somebody changed in the store stays, unless the source changes the same.

    Its run_id is that of the run which a Stepscope export wrote down, or else "": it is then made of the key.
    created_at may be 0.0: it is then the time of the first value. updated_at, and the finished_at of a run
    that does not run, are raised to the time of the newest value."""
    parts: Sequence[Part]
    """In the order of their attempts."""


@dataclass(frozen=True, slots=True)
class FoundArtifact:
    """A file, or a folder with all files in it, that belongs to a run."""

    path: Path
    name: str
    """Versions of an artifact have one name; what a name may not hold becomes a dash."""
    type: str
    """What it is: "model", "dataset", "files" ..."""
    time: float
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    aliases: tuple[str, ...] = ()


@dataclass(slots=True)
class Piece:
    """What was read of a part, of a size that fits into memory many times."""

    position: int
    """Where the next read begins: whatever the source counts in, bytes or rows; 0 is the beginning."""
    points: list[tuple[SeriesDefinition, Columns]] = field(
        default_factory=list[tuple[SeriesDefinition, Columns]]
    )
    """In the order in which they were logged, within each series."""
    records: list[NewRecord] = field(default_factory=list[NewRecord])
    artifacts: list[FoundArtifact] = field(default_factory=list[FoundArtifact])
    """They are copied; the files have to be there until the next piece is asked for."""
    changes: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    """Fields of the run that only this part tells, from here on: config, state, finished_at, tags ..."""
    problems: list[str] = field(default_factory=list[str])
    """What could not be read, and why, in sentences that name the place. Those of a piece that holds nothing,
    and whose position is the one before, may pass: they are told only if the last look finds them again."""


class Source(Protocol):
    """A place with runs. Methods raise BadInput, in a sentence, when it is no such place."""

    name: ClassVar[str]
    """As people call the format: "TensorBoard"."""
    problems: list[str]
    """What `runs` could not read when it looked last, in sentences that name the place."""

    def runs(self) -> Sequence[FoundRun]:
        """Look which runs there are by now."""
        ...

    def read(self, found: FoundRun, part: Part, position: int) -> Iterator[Piece]:
        """Yield what lies in a part beyond a position, up to what is whole by now.

        What is damaged or cannot be understood becomes a problem of the piece; what follows is read.
        """
        ...


def scalar(name: str, context: Mapping[str, str | int] | None = None) -> SeriesDefinition:
    """Return the series that numbers of a name belong to."""
    return SeriesDefinition(name, "scalar", dict(context or {}))


def columns(steps: Any, times: Any, values: Any) -> Columns:
    """Return points, each argument with the shape (n,); times are seconds since the epoch."""
    return Columns(
        np.ascontiguousarray(steps, np.int64),
        np.ascontiguousarray(times, np.float64),
        np.ascontiguousarray(values, np.float64),
    )


def record(
    name: str, value: Loggable, step: int, time: float, context: Mapping[str, str | int] | None = None
) -> NewRecord:
    """Return a value as the store keeps it. Raises BadInput when it is not what its class says."""
    if not -(1 << 63) <= step < 1 << 63:
        raise BadInput(f"expected a step of 64 bits, but {name!r} has one of {step}.")
    payload = value.payload()
    data = payload.data if isinstance(payload.data, bytes) else np.ascontiguousarray(payload.data).tobytes()
    encoded: EncodedValue = KIND_OF[payload.kind].encode(RawValue(payload.meta(), data))
    return NewRecord(SeriesDefinition(name, payload.kind, dict(context or {})), step, time, encoded)
