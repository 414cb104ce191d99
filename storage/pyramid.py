"""Summaries of points on several levels, so that a chart costs the same however long its series is.

Level 0 has an entry for every 256 points, level 1 one for every chunk (4,096), level 2 one for 16 chunks,
level 3 one for 256 chunks (1,048,576 points). 256 entries that follow one another are a node: one row of
the table `pyramid`. A level has an entry only where all its points are in full chunks; what comes after is
on the level below, and what fills no chunk is read as it is.

An entry stands for what is shown of its chunk: of several points of one step, the one logged last. The
entries of level 0 are cut from the chunk after its points were sorted by step, so they never overlap
within a chunk, whatever the order in which its points were logged.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import zstandard
from numpy.typing import NDArray

from .chunks import CHUNK_POINTS, Columns, compress, decompress, shown, shuffle, unshuffle_into
from .errors import StoreDamaged

ENTRY_POINTS = 256
"""Points of an entry of level 0."""
FAN_OUT = 16
"""Entries of a level that one entry of the next level stands for; on level 1, the entries of a chunk."""
LEVELS = 4
NODE_ENTRIES = 256

Entries: TypeAlias = NDArray[np.void]
"""Structured, shape (n,), of the type ENTRY."""

ENTRY = np.dtype(
    [
        ("min_step", "<i8"),
        ("max_step", "<i8"),
        ("last_time", "<f8"),
        ("min", "<f8"),
        ("max", "<f8"),
        ("mean", "<f8"),
        ("last", "<f8"),
        ("count", "<u4"),
        ("nan", "<u4"),
        ("posinf", "<u4"),
        ("neginf", "<u4"),
    ]
)
"""min, max and mean are of the finite values, NaN without any; last and last_time belong to max_step."""

_COUNTS = ("count", "nan", "posinf", "neginf")
_VERSION = 1
_HEADER = struct.Struct("<BxH")
LOWEST, HIGHEST = int(np.iinfo(np.int64).min), int(np.iinfo(np.int64).max)
"""The steps that bound a window without bounds."""
_EMPTY = np.array((HIGHEST, LOWEST, *(np.nan,) * 5, 0, 0, 0, 0), ENTRY)


def entries_at(level: int, full_chunks: int) -> int:
    """Return how many entries a level has over that many full chunks."""
    return full_chunks * FAN_OUT // FAN_OUT**level


def summarise(columns: Columns, starts: NDArray[np.intp]) -> Entries:
    """Summarise groups of points that are sorted by step, none of them empty.

    Args:
        columns: (n,) points.
        starts: (m,), the index at which each group begins.

    Returns:
        (m,) entries.
    """
    if not len(starts):
        return np.empty(0, ENTRY)
    found = np.empty(len(starts), ENTRY)
    ends = np.append(starts[1:], len(columns.step)) - 1
    values = columns.value
    found["min_step"], found["max_step"] = columns.step[starts], columns.step[ends]
    found["last_time"], found["last"] = columns.time[ends], values[ends]
    found["count"] = ends - starts + 1
    for name in _COUNTS[1:]:
        found[name] = 0
    finite = np.isfinite(values)
    if not bool(finite.all()):
        for name, which in (("nan", np.isnan), ("posinf", np.isposinf), ("neginf", np.isneginf)):
            found[name] = np.add.reduceat(which(values), starts, dtype=np.int64)
        values = np.where(finite, values, np.nan)
    found["min"] = np.fmin.reduceat(values, starts)
    found["max"] = np.fmax.reduceat(values, starts)
    found["mean"] = _mean(np.nan_to_num(values), _finite(found), starts, found)
    return found


def combine(entries: Entries, starts: NDArray[np.intp]) -> Entries:
    """Summarise groups of entries, none of the groups empty. Shapes as in `summarise`."""
    if not len(starts):
        return np.empty(0, ENTRY)
    found = np.empty(len(starts), ENTRY)
    found["min_step"] = np.minimum.reduceat(entries["min_step"], starts)
    found["max_step"] = np.maximum.reduceat(entries["max_step"], starts)
    found["min"] = np.fmin.reduceat(entries["min"], starts)
    found["max"] = np.fmax.reduceat(entries["max"], starts)
    for name in _COUNTS:
        found[name] = np.add.reduceat(entries[name], starts, dtype=np.int64)
    weights = _finite(entries) / np.maximum(np.repeat(_finite(found), _sizes(starts, len(entries))), 1)
    found["mean"] = _mean_of(np.nan_to_num(entries["mean"]) * weights, starts, found)
    newest = _newest(entries["max_step"], starts, found["max_step"])
    found["last"], found["last_time"] = entries["last"][newest], entries["last_time"][newest]
    return found


def of_chunks(columns: Columns) -> Entries:
    """Return the entries of level 0 of full chunks that follow one another: 16 for each."""
    total = len(columns.step)
    if bool((columns.step[1:] > columns.step[:-1]).all()):
        return summarise(columns, np.arange(0, total, ENTRY_POINTS))
    return np.concatenate(
        [
            _of_chunk(columns.take(slice(start, start + CHUNK_POINTS)))
            for start in range(0, total, CHUNK_POINTS)
        ]
    )


def encode(entries: Entries) -> bytes:
    """Return the bytes of a node."""
    return _HEADER.pack(_VERSION, len(entries)) + compress(shuffle(entries))


def node_size(node: bytes) -> int:
    """Return how many entries a node has, without decoding it. Raises StoreDamaged."""
    try:
        version, count = _HEADER.unpack_from(node)
    except struct.error as error:
        raise StoreDamaged(f"a node of {len(node)} bytes cannot be read: {error}") from error
    if version != _VERSION:
        raise StoreDamaged(f"a node of the pyramid says version {version}; this Stepscope reads {_VERSION}")
    return count


def decode(nodes: Sequence[bytes]) -> Entries:
    """Return the entries of nodes, one after the other.

    Raises:
        StoreDamaged: when the bytes are something else, or were cut short.
    """
    sizes = [node_size(node) for node in nodes]
    found = np.empty(sum(sizes), ENTRY)
    end = 0
    for node, size in zip(nodes, sizes, strict=True):
        start, end = end, end + size
        unshuffle_into(found[start:end], _planes(node, size * ENTRY.itemsize))
    return found


def _planes(node: bytes, size: int) -> NDArray[np.uint8]:
    try:
        body = decompress(memoryview(node)[_HEADER.size :], size)
    except zstandard.ZstdError as error:
        raise StoreDamaged(f"a node of {len(node)} bytes cannot be read: {error}") from error
    if len(body) != size:
        raise StoreDamaged(f"a node of {size} bytes holds {len(body)}")
    return np.frombuffer(body, np.uint8)


def _of_chunk(columns: Columns) -> Entries:
    visible = shown(columns)
    made = summarise(visible, np.arange(0, len(visible.step), ENTRY_POINTS))
    return np.concatenate([made, np.full(FAN_OUT - len(made), _EMPTY, ENTRY)])


def _finite(entries: Entries) -> NDArray[np.int64]:
    return entries["count"].astype(np.int64) - entries["nan"] - entries["posinf"] - entries["neginf"]


def _sizes(starts: NDArray[np.intp], total: int) -> NDArray[np.intp]:
    return np.diff(np.append(starts, total))


def _mean(
    values: NDArray[np.float64], finite: NDArray[np.int64], starts: NDArray[np.intp], found: Entries
) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        sums = np.add.reduceat(values, starts)
    if bool(np.isfinite(sums).all()):
        shares = sums / np.maximum(finite, 1)
    else:
        # Dividing before adding keeps the sum of huge values finite.
        parts = values / np.maximum(np.repeat(finite, _sizes(starts, len(values))), 1)
        return _mean_of(parts, starts, found)
    return np.where(finite > 0, np.clip(shares, found["min"], found["max"]), np.nan)


def _mean_of(parts: NDArray[np.float64], starts: NDArray[np.intp], found: Entries) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        sums = np.add.reduceat(parts, starts)
    # A last rounding may leave the range, or overflow.
    return np.where(_finite(found) > 0, np.clip(sums, found["min"], found["max"]), np.nan)


def _newest(
    steps: NDArray[np.int64], starts: NDArray[np.intp], highest: NDArray[np.int64]
) -> NDArray[np.intp]:
    """Return for each group the index of its entry with the highest step; of several, the last."""
    sizes = _sizes(starts, len(steps))
    holds = steps == np.repeat(highest, sizes)
    places: NDArray[Any] = np.where(holds, np.arange(len(steps)), -1)
    return np.maximum.reduceat(places, starts)
