"""Which layers of two graphs belong together. Pure.

Units are matched as sequences are aligned in biology: of all ways to pair them in order, the one in which
most agrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .layer_kinds import ACTIVATIONS, ANY_ACTIVATION
from .units import Unit

MOST_CELLS = 9_000_000
"""Of the table in which units are matched: 3,000 layers beside 3,000 others. More are searched in pieces."""

NEAR = 12
"""Rows; units farther apart belong to other parts of their models."""

Places: TypeAlias = list[tuple[int | None, int | None]]
"""Rows as places in the two sequences of units."""

# How much two units say for being the same one.
_KIND, _MINOR_KIND, _PARAMETERS, _SIZES, _NAME = 8, 2, 6, 3, 2


def match(ones: Sequence[Unit], others: Sequence[Unit]) -> Places:
    """Return which units belong together; a unit without a partner stands beside None.

    The rows are in the order of both sequences, but for pairs out of branches that the two run in another
    order: such a pair stands at the earlier of its places. Swapping the sequences swaps the sides of rows.
    """
    # Of two alignments equally good, the same one must be found whichever sequence comes first.
    if _key(ones) > _key(others):
        return [(one, other) for other, one in _crossed(_matched(others, ones), others, ones)]
    return _crossed(_matched(ones, others), ones, others)


def _key(sequence: Sequence[Unit]) -> list[str]:
    return [repr(unit) for unit in sequence]


def _matched(ones: Sequence[Unit], others: Sequence[Unit]) -> Places:
    """Match two sequences, of which equal beginnings and ends need no search."""
    head = 0
    while head < min(len(ones), len(others)) and ones[head] == others[head]:
        head += 1
    tail = 0
    while tail < min(len(ones), len(others)) - head and ones[-1 - tail] == others[-1 - tail]:
        tail += 1
    left, right = ones[head : len(ones) - tail], others[head : len(others) - tail]
    middle = _search(left, right) if len(left) * len(right) <= MOST_CELLS else _by_name(left, right)
    places: Places = [(place, place) for place in range(head)]
    places += _moved(middle, head, head)
    places += [(len(ones) - back, len(others) - back) for back in range(tail, 0, -1)]
    return places


def _crossed(places: Places, ones: Sequence[Unit], others: Sequence[Unit]) -> Places:
    """Join units without a partner that are near each other and quite the same."""
    waiting = [row for row, (_, other) in enumerate(places) if other is None]
    found: dict[int, int] = {}
    taken: set[int] = set()
    for row in waiting:
        near = range(max(row - NEAR, 0), min(row + NEAR + 1, len(places)))
        for partner in sorted(near, key=lambda place: abs(place - row)):
            one, (none, other) = places[row][0], places[partner]
            if one is None or other is None or none is not None or partner in taken:
                continue
            if _alike(ones[one], others[other]):
                found[min(row, partner)], found[max(row, partner)] = max(row, partner), -1
                taken.add(partner)
                break
    joined: Places = []
    for row, (one, other) in enumerate(places):
        partner = found.get(row)
        if partner is None:
            joined.append((one, other))
        elif partner >= 0:
            late_one, late_other = places[partner]
            joined.append((late_one if one is None else one, late_other if other is None else other))
    return joined


def _alike(one: Unit, other: Unit) -> bool:
    same_size = _sizes_key(one) == _sizes_key(other)
    same_held = (one.trainable or one.parameters) == (other.trainable or other.parameters)
    return one.kind == other.kind and same_size and same_held


def _search(ones: Sequence[Unit], others: Sequence[Unit]) -> Places:
    """Return the pairs in order whose weights sum to the most (Needleman and Wunsch, gaps for nothing)."""
    weights = _weights(ones, others)
    best = np.zeros((len(ones) + 1, len(others) + 1), dtype=np.int32)
    for row in range(len(ones)):
        taken = np.where(weights[row] > 0, best[row, :-1] + weights[row], 0)
        np.maximum.accumulate(np.maximum(best[row, 1:], taken), out=best[row + 1, 1:])
    places: Places = []
    one, other = len(ones), len(others)
    while one and other:
        weight = int(weights[one - 1, other - 1])
        if weight > 0 and best[one, other] == best[one - 1, other - 1] + weight:
            one, other = one - 1, other - 1
            places.append((one, other))
        elif best[one, other] == best[one, other - 1]:
            other -= 1
            places.append((None, other))
        else:
            one -= 1
            places.append((one, None))
    places += [(None, place) for place in range(other - 1, -1, -1)]
    places += [(place, None) for place in range(one - 1, -1, -1)]
    return places[::-1]


def _weights(ones: Sequence[Unit], others: Sequence[Unit]) -> NDArray[np.int32]:
    """Return how much each two units agree: shape (ones, others), 0 for those that never pair."""

    def codes(words: list[str]) -> NDArray[np.int64]:
        return np.array([known.setdefault(word, len(known)) for word in words], dtype=np.int64)

    def equal(words: list[str], other_words: list[str]) -> NDArray[np.bool_]:
        return codes(words)[:, None] == codes(other_words)[None, :]

    known: dict[str, int] = {"": 0}
    kinds = equal([unit.kind for unit in ones], [unit.kind for unit in others])
    kinds |= _unnamed_activations(ones, others)
    sizes = equal([_sizes_key(unit) for unit in ones], [_sizes_key(unit) for unit in others])
    held = equal([_held_key(unit, "a") for unit in ones], [_held_key(unit, "b") for unit in others])
    names = equal([_name_key(unit, "a") for unit in ones], [_name_key(unit, "b") for unit in others])
    minor = _flags(ones)[:, None] | _flags(others)
    weights = np.where(kinds, np.where(minor, _MINOR_KIND, _KIND), 0)
    weights += _PARAMETERS * held + _SIZES * (sizes & kinds) + _NAME * names
    # Another kind of layer is the same place of the model only if it says so by its name or its size.
    return np.where(kinds | ((held | names) & ~minor), weights, 0).astype(np.int32)


def _unnamed_activations(ones: Sequence[Unit], others: Sequence[Unit]) -> NDArray[np.bool_]:
    def flags(sequence: Sequence[Unit]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        known = np.array([unit.kind in ACTIVATIONS for unit in sequence], dtype=bool)
        return known, np.array([unit.kind == ANY_ACTIVATION for unit in sequence], dtype=bool)

    (one, one_any), (other, other_any) = flags(ones), flags(others)
    return (one_any[:, None] & other) | (one[:, None] & other_any)


def _flags(sequence: Sequence[Unit]) -> NDArray[np.bool_]:
    return np.array([unit.minor for unit in sequence], dtype=bool)


def _sizes_key(unit: Unit) -> str:
    # Sorted, so that the place of the channels does not count.
    return repr(sorted((size or 0) for size in unit.shape[1:])) if unit.shape else "?"


def _held_key(unit: Unit, side: str) -> str:
    return str(unit.trainable or unit.parameters) if unit.parameters else f"{side} nothing"


def _name_key(unit: Unit, side: str) -> str:
    return f"{side} number" if unit.name.isdigit() else f"name {unit.name.casefold()}"


def _by_name(ones: Sequence[Unit], others: Sequence[Unit]) -> Places:
    """Pair units of one path as long as that keeps their order, and search what lies between them in pieces.

    It is for models too large to be searched as a whole.
    """
    at = {unit.path: place for place, unit in enumerate(others)}
    places: Places = []
    begin = done = 0
    for place, unit in enumerate(ones):
        partner = at.get(unit.path, -1)
        if partner >= done:
            places += _moved(_in_pieces(ones[begin:place], others[done:partner]), begin, done)
            places.append((place, partner))
            begin, done = place + 1, partner + 1
    return [*places, *_moved(_in_pieces(ones[begin:], others[done:]), begin, done)]


def _in_pieces(ones: Sequence[Unit], others: Sequence[Unit]) -> Places:
    """Match two sequences that are halved together until they can be searched."""
    if not (ones and others):
        return [
            *((place, None) for place in range(len(ones))),
            *((None, place) for place in range(len(others))),
        ]
    if len(ones) * len(others) <= MOST_CELLS or min(len(ones), len(others)) == 1:
        return _search(ones, others)
    one, other = len(ones) // 2, len(others) // 2
    rest = _in_pieces(ones[one:], others[other:])
    return [*_in_pieces(ones[:one], others[:other]), *_moved(rest, one, other)]


def _moved(places: Places, one: int, other: int) -> Places:
    """Return places of pieces of the sequences as those of the whole."""
    return [
        (None if left is None else left + one, None if right is None else right + other)
        for left, right in places
    ]
