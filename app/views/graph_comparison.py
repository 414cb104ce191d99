"""Two graphs laid side by side, in the words of a table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...storage.kinds.graph import GraphData
from ..graphs.alignment import Alignment, Pair
from ..graphs.units import Unit, flops_of, units
from .words import LONGEST_NAME, NOTHING, TIMES, brief, count, one_of, shape

DIFFERENT, ALONE = "#E69F00", "#D55E00"
"""Colours of the rows in which the models differ; each says so in words, too."""


def state(row: Pair) -> str:
    """Return in words how the sides of a row go together."""
    if row.a is None or row.b is None:
        return f"{'✗' if row.matters else '·'} {'left' if row.a else 'right'} only"
    return f"≠ {', '.join(row.differs)}" if row.differs else "= same"


def colour(row: Pair) -> str | None:
    """Return the colour of a row in which the models differ, `#RRGGBB`; None for others."""
    if not row.matters:
        return None
    return DIFFERENT if row.a and row.b else ALONE


def table(rows: Sequence[Pair], names: tuple[str, str]) -> dict[str, list[Any]]:
    """Return the columns of the table: heading -> a cell for each row."""
    columns: dict[str, list[Any]] = {"": [state(row) for row in rows]}
    sides = ((names[0], [row.a for row in rows]), (names[1], [row.b for row in rows]))
    for name, side in sides:
        columns[name] = [brief(one.path or "the model", LONGEST_NAME) if one else "" for one in side]
    for heading, cell in _CELLS:
        columns[heading] = [_both(row, cell) for row in rows]
    columns["Note"] = [row.note for row in rows]
    return columns


def _both(row: Pair, cell: Callable[[Unit], str]) -> str:
    """Return what both sides say, once when it is the same."""
    said = [cell(unit) or NOTHING for unit in (row.a, row.b) if unit is not None]
    return said[0] if len(set(said)) == 1 else " | ".join(said)


def totals(a: GraphData, b: GraphData) -> dict[str, str]:
    """Return what the models hold and cost as a whole: heading -> both figures, and the second's share."""
    figures: list[tuple[str, int | None, int | None]] = [
        ("Parameters", a.parameters, b.parameters),
        ("Trained", _trained(a), _trained(b)),
        ("FLOPs", flops_of(a), flops_of(b)),
        ("Layers", len(units(a)), len(units(b))),
        ("Operations", len(a.nodes), len(b.nodes)),
    ]
    return {
        heading: f"{_figure(one)} | {_figure(other)}{_ratio(one, other)}" for heading, one, other in figures
    }


def _figure(amount: int | None) -> str:
    return NOTHING if amount is None else count(amount)


def verdict(found: Alignment, names: tuple[str, str]) -> str:
    """Return in a few sentences how the models compare."""
    return " ".join((_verdict(found, names), *found.notes))


def agrees(found: Alignment) -> bool:
    """Return whether there is nothing to say against the models being the same."""
    return found.same and bool(found.rows) and not found.notes


def _verdict(found: Alignment, names: tuple[str, str]) -> str:
    if not found.rows:
        return "There is nothing to compare."
    alone = (sum(bool(row.a) for row in _alone(found)), sum(bool(row.b) for row in _alone(found)))
    different = sum(1 for row in found.pairs if row.differs)
    if found.same:
        return f"The models are the same, layer by layer: {one_of(len(found.pairs), 'pair')}, no difference."
    parts = [
        f"{one_of(different, 'pair')} of layers of {count(len(found.pairs))} differ" if different else ""
    ]
    parts += [
        f"{one_of(many, 'layer')} only in {name}" for many, name in zip(alone, names, strict=True) if many
    ]
    return f"{'; '.join(part for part in parts if part)}."


def differing_paths(found: Alignment, *, first: bool) -> dict[str, str]:
    """Return the layers of one side in which the models differ: path -> what differs, in words."""
    marked: dict[str, str] = {}
    for row in found.differing:
        unit: Unit | None = row.a if first else row.b
        if unit is not None:
            marked[unit.path] = f"≠ {', '.join(row.differs)}" if row.differs else "✗ only here"
    return marked


def _type(unit: Unit) -> str:
    return brief(unit.type, LONGEST_NAME)


def _output(unit: Unit) -> str:
    return brief(shape(unit.shape), LONGEST_NAME)


def _parameters(unit: Unit) -> str:
    return count(unit.parameters)


def _flops(unit: Unit) -> str:
    return NOTHING if unit.flops is None else count(unit.flops)


_CELLS = (("Type", _type), ("Output", _output), ("Parameters", _parameters), ("FLOPs", _flops))


def _alone(found: Alignment) -> list[Pair]:
    return [row for row in found.differing if not (row.a and row.b)]


def _trained(data: GraphData) -> int:
    return sum(layer.trainable for layer in data.layers)


def _ratio(one: int | None, other: int | None) -> str:
    if not one or not other or one == other:
        return ""
    return f" ({TIMES} {other / one:.4g})"
