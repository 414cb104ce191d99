"""Events with one number each, which are nearly all there are, read many at once.

Events of one length whose steps take as many bytes differ, within a tag, in three places only: the time, the
step and the number. With these set to zero, events of a tag are equal, so each kind of them is looked at
once, and the numbers of all are taken out as columns. What equals no such event is left to protobuf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ....storage.chunks import Columns
from ....storage.journal_read import SeriesDefinition
from .frames import Records
from .plain import STEP_AT, Layout, Plain, plain_event, summary_at

Define: TypeAlias = Callable[[Plain], SeriesDefinition | None]
"""Tells the series that an event with one number belongs to; None for one that is no plain number."""

_LONGEST, _SHORTEST = 1024, 12
"""Bytes of events that are looked at here."""
_FEWEST = 4
"""For fewer events of a form, protobuf is as fast."""
_LOOKS = 8
"""How many events of a length are looked at to find where their numbers lie."""
_MOST_KNOWN = 100_000
_LONGEST_STEP = 10
_Bytes: TypeAlias = NDArray[np.uint8]


class Numbers(NamedTuple):
    """The numbers of one series."""

    definition: SeriesDefinition
    place: NDArray[np.int64]
    """Which of the records each comes from, ascending, shape (n,)."""
    columns: Columns


class Scalars:
    """Takes the plain numbers out of an event file's records; remembers the kinds of events it has seen."""

    def __init__(self, define: Define) -> None:
        """Take what tells the series of an event."""
        self._define = define
        self._layouts: dict[tuple[int, int], list[Layout]] = {}
        self._known: dict[tuple[Layout, bytes], SeriesDefinition | None] = {}

    def take(self, data: bytes, records: Records) -> tuple[list[Numbers], NDArray[np.int64]]:
        """Return the numbers, and which records hold something else, ascending."""
        found: list[Numbers] = []
        rest = np.ones(len(records.start), np.bool_)
        raw = np.frombuffer(data, np.uint8)
        for length, places in _by(records.length):
            if _SHORTEST <= length <= _LONGEST and len(places) >= _FEWEST:
                events = raw[records.start[places][:, None] + np.arange(length)]
                for size, some in _by(_step_sizes(events)):
                    found += self._of_form(events[some], places[some], size)
        for numbers in found:
            rest[numbers.place] = False
        return found, np.flatnonzero(rest)

    def _of_form(self, events: _Bytes, places: NDArray[np.int64], size: int) -> Iterator[Numbers]:
        """Yield the numbers of events of one length whose steps take `size` bytes."""
        if size < 0:
            return
        form = (events.shape[1], size)
        layouts = self._layouts.setdefault(form, [])
        tried = 0
        while len(events):
            if tried == len(layouts):
                layouts += self._looked_at(events, size, layouts)
                if tried == len(layouts):
                    return
            left = np.ones(len(events), np.bool_)
            for definition, some in self._alike(events, size, layouts[tried]):
                left[some] = False
                columns = _columns(events[some], size, layouts[tried])
                yield Numbers(definition, places[some], columns)
            events, places = events[left], places[left]
            tried += 1

    def _looked_at(self, events: _Bytes, size: int, known: list[Layout]) -> list[Layout]:
        """Return where the number lies in the first of some events for which this is not known yet."""
        for row in np.linspace(0, len(events) - 1, min(_LOOKS, len(events))).astype(int).tolist():
            plain = plain_event(events[row].tobytes(), size)
            if plain is not None and plain.layout not in known:
                return [plain.layout]
        return []

    def _alike(
        self, events: _Bytes, size: int, layout: Layout
    ) -> Iterator[tuple[SeriesDefinition, NDArray[np.int64]]]:
        """Yield series, and which events belong to them, of those whose number lies at a place."""
        fixed = _without(events, size, layout)
        first, kind = _kinds(fixed)
        equal = (fixed == fixed[first][kind]).all(axis=1)
        for number, some in _by(np.where(equal, kind, -1)):
            if number >= 0:
                definition = self._series(events[first[number]], fixed[first[number]], size, layout)
                if definition is not None:
                    yield definition, some

    def _series(self, event: _Bytes, fixed: _Bytes, size: int, layout: Layout) -> SeriesDefinition | None:
        key = (layout, fixed.tobytes())
        if key not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            plain = plain_event(event.tobytes(), size)
            fits = plain is not None and plain.layout == layout
            self._known[key] = self._define(plain) if plain is not None and fits else None
        return self._known[key]


def _by(numbers: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield each number that occurs, and where, ascending."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    cuts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    for places in np.split(order, cuts) if len(order) else []:
        yield int(numbers[places[0]]), places


def _step_sizes(events: _Bytes) -> NDArray[np.int64]:
    """Return how many bytes the step of each event takes: 0 without one, -1 if there is something else."""
    steps = events[:, STEP_AT : STEP_AT + _LONGEST_STEP]
    goes_on = steps >= 0x80
    # Of 10 bytes, the last has room for one bit; protobuf refuses more.
    wrong = goes_on.all(axis=1) | ((steps[:, -1] > 1) & goes_on[:, :-1].all(axis=1))
    sizes = np.where(wrong, -1, goes_on.argmin(axis=1) + 1)
    field = events[:, STEP_AT - 1]
    return np.where(field == 0x10, sizes, np.where(field == 0x2A, 0, -1))


def _without(events: _Bytes, size: int, layout: Layout) -> _Bytes:
    """Return events with zeros for what may differ, filled up to whole words."""
    count, length = events.shape
    fixed = np.zeros((count, -(-length // 8) * 8), np.uint8)
    fixed[:, :length] = events
    fixed[:, 1 : STEP_AT - 1] = 0
    fixed[:, STEP_AT : summary_at(size)] = 0
    fixed[:, layout.at : layout.end] = 0
    return fixed


def _kinds(fixed: _Bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first event of each kind, and the kind of each.

    Kinds are told by a hash: two that have the same one are not equal, which is looked at afterwards.
    """
    words = fixed.view(np.uint64)
    factors = np.random.default_rng(1).integers(1, 1 << 63, words.shape[1], np.uint64) | np.uint64(1)
    # Multiplied alone, the low bits of a hash would know nothing of the high ones of a word.
    mixed = (words ^ words >> np.uint64(32)) * factors
    _, first, kind = np.unique(mixed.sum(axis=1, dtype=np.uint64), return_index=True, return_inverse=True)
    return first, kind.reshape(-1)


def _columns(events: _Bytes, size: int, layout: Layout) -> Columns:
    times = np.ascontiguousarray(events[:, 1 : STEP_AT - 1]).view("<f8")[:, 0]
    numbers = np.ascontiguousarray(events[:, layout.at : layout.end]).view(layout.dtype)[:, 0]
    with np.errstate(invalid="ignore"):  # some NaN of float32 would be told
        return Columns(_steps(events, size), times, numbers.astype(np.float64))


def _steps(events: _Bytes, size: int) -> NDArray[np.int64]:
    steps = np.zeros(len(events), np.uint64)
    for place in range(size):
        part = (events[:, STEP_AT + place] & 0x7F).astype(np.uint64)
        steps |= part << np.uint64(7 * place)
    return steps.view(np.int64)
