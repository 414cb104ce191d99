"""The series of one Aim run, read in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....storage.errors import BadInput
from ....storage.journal_read import SeriesDefinition
from ....storage.model import SYSTEM_PREFIX
from ..base import PIECE_BYTES, PIECE_POINTS, Piece, columns, record
from ..point_rows import as_seconds
from ..printed import Printed
from .database import FLOAT, INT, AimDatabase, key_of, path_of
from .values import alert_of, values_of

SYSTEM = "__system__"
LOGS, LOG_RECORDS = "logs", "__log_records"
EPOCH = "epoch"
_VERSION_OF_NUMBERS = 2
_GPU_READINGS = {"gpu": "utilization_percent", "gpu_temp": "temperature_c", "gpu_power_watts": "power_w"}

_Context = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class AimSeries:
    """One name in one context, as Aim keeps it."""

    name: str
    context_number: int
    context: _Context
    version: int
    dtype: str
    with_epochs: bool
    """Whether its epochs are read: those of one series of a context stand for all."""

    @property
    def part_name(self) -> str:
        """What tells it from all other series of the run."""
        return f"{self.name} {self.context_number}"

    @property
    def is_metric(self) -> bool:
        """Whether its values are numbers."""
        return self.version == _VERSION_OF_NUMBERS or self.dtype in ("int", "float", "float64", "number")

    def definition(self, kind: str) -> SeriesDefinition:
        """Return the series of the store; a GPU's readings have our names where they are the same."""
        reading = self.name.removeprefix(SYSTEM)
        if reading == self.name:
            return SeriesDefinition(self.name, kind, self.context)
        context = dict(self.context)
        if reading in _GPU_READINGS and "gpu" in context:
            reading = f"gpu{context.pop('gpu')}/{_GPU_READINGS[reading]}"
        return SeriesDefinition(SYSTEM_PREFIX + reading, kind, context)


class SeriesReader:
    """Reads one series of a run's database of series."""

    def __init__(self, database: AimDatabase, run_hash: str, series: AimSeries, began: float) -> None:
        """Read nothing yet; `began` is when the run did."""
        self._database = database
        self._series = series
        self._began = began
        versions = () if series.version == 1 else (f"v{series.version}",)
        self._key = key_of("seqs", *versions, "chunks", run_hash, series.context_number, series.name)

    def pieces(self, position: int) -> Iterator[Piece]:
        """Yield what was tracked after the first `position` values. Raises BadInput."""
        if self._series.is_metric:
            yield from self._metric(position)
        elif self._series.name == LOGS:
            yield from self._logs(position)
        else:
            yield from self._objects(position)

    def _metric(self, position: int) -> Iterator[Piece]:
        # Below a hash of each step, in the order of these; each column has the same hashes.
        order, steps, times = self._order()
        keys, values = self._column("val")
        values = values[_places(order, keys)][position:]
        steps, times = steps[position:], times[position:]
        epochs = self._epochs(order)[position:] if self._series.with_epochs else None
        definition = self._series.definition("scalar")
        about = SeriesDefinition(EPOCH, "scalar", self._series.context)
        for start in range(0, len(values), PIECE_POINTS):
            part = slice(start, start + PIECE_POINTS)
            points = columns(steps[part], times[part], values[part])
            piece = Piece(position + start + len(points.step))
            piece.points.append((definition, as_seconds(definition.name, points, self._began)))
            if epochs is not None:
                known = np.isfinite(epochs[part])
                piece.points.append(
                    (about, columns(steps[part][known], times[part][known], epochs[part][known]))
                )
            yield piece

    def _epochs(self, order: list[bytes]) -> NDArray[np.float64]:
        keys, values = self._column(EPOCH)
        return values[_places(order, keys)]

    def _order(self) -> tuple[list[bytes], NDArray[np.int64], NDArray[np.float64]]:
        """Return keys, steps and times of all values, in the order in which they were tracked."""
        keys, times = self._column("time")
        times = times[: len(keys)]
        if self._series.version == _VERSION_OF_NUMBERS:
            step_keys, numbers = self._column("step")
            steps = numbers[_places(keys, step_keys)]
        else:
            steps = np.array([path_of(key)[0] for key in keys], np.float64)
        # A value that is being written may have a time and no step yet.
        whole = np.flatnonzero(np.isfinite(steps) & np.isfinite(times))
        whole = whole[np.lexsort((steps[whole], times[whole]))]
        return [keys[at] for at in whole.tolist()], steps[whole].astype(np.int64), times[whole]

    def _column(self, name: str) -> tuple[list[bytes], NDArray[np.float64]]:
        """Return the keys of a column, which are the last part of each path; its numbers and a NaN."""
        keys: list[bytes] = []
        data: list[bytes] = []
        for key, value in self._database.items(self._key + key_of(name)):
            if key:
                keys.append(key)
                data.append(value)
        return keys, _numbers(data)

    def _objects(self, position: int) -> Iterator[Piece]:
        piece, size = Piece(position), 0
        for place, (key, step, time) in enumerate(zip(*self._rest(position), strict=True)):
            size += self._take(piece, key, int(step), float(time))
            piece.position = position + place + 1
            if size >= PIECE_BYTES:
                yield piece
                piece, size = Piece(piece.position), 0
        yield piece

    def _rest(self, position: int) -> tuple[list[bytes], NDArray[np.int64], NDArray[np.float64]]:
        keys, steps, times = self._order()
        return keys[position:], steps[position:], times[position:]

    def _take(self, piece: Piece, key: bytes, step: int, time: float) -> int:
        """Take what was tracked at one step; return how many bytes it has."""
        series = self._series
        before = len(piece.records)
        try:
            found = self._database.collect(self._key + key_of("val") + key)
            if series.name == LOG_RECORDS:
                piece.records.append(alert_of(found, step, time))
            else:
                for value in values_of(found):
                    piece.records.append(record(series.name, value, step, time, series.context))
        except BadInput as error:
            piece.problems.append(f"{series.name}: {error}")
        return sum(len(one.encoded.data) for one in piece.records[before:])

    def _logs(self, position: int) -> Iterator[Piece]:
        printed = Printed()
        keys, _, times = self._order()
        for place, (key, time) in enumerate(zip(keys, times.tolist(), strict=True)):
            found = self._database.collect(self._key + key_of("val") + key)
            text = f"{found.fields.get('data', '')}\n"
            if place < position:
                printed.pass_over(text)
            else:
                printed.take(text, time)
        yield Piece(len(keys), records=printed.drain(0))


def _places(wanted: list[bytes], keys: list[bytes]) -> NDArray[np.int64] | slice:
    """Return where in `keys` those that are wanted stand; the last place, of a NaN, for those that do not."""
    if wanted == keys:
        return slice(0, len(keys))
    places = {key: place for place, key in enumerate(keys)}
    return np.fromiter((places.get(key, len(keys)) for key in wanted), np.int64, len(wanted))


def _numbers(data: list[bytes]) -> NDArray[np.float64]:
    """Return stored numbers, and a NaN after the last one; NaN for what is none."""
    numbers = np.full(len(data) + 1, np.nan)
    kinds = np.frombuffer(b"".join(one[:1] or b"\0" for one in data), np.uint8)
    for kind, dtype in ((FLOAT, "<f8"), (INT, "<i8")):
        places = np.flatnonzero(kinds == kind)
        content = b"".join(data[at][1:9].ljust(8, b"\0") for at in places.tolist())
        numbers[places] = np.frombuffer(content, dtype)
    return numbers
