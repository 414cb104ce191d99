"""Two graphs laid side by side, layer by layer, whichever framework each is from. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...storage.kinds.graph import GraphData, TensorShape
from .layer_kinds import (
    ACTIVATIONS,
    ANY_ACTIVATION,
    INPUT,
    MOVES_DATA,
    WHOLE,
    grouped_alike,
    kind_of_operation,
    same_but_for_channels,
    same_kind,
    same_sizes,
    sizes_of,
)
from .matching import match
from .units import Unit, units


@dataclass(frozen=True, slots=True)
class Pair:
    """One row: a unit of each graph, or one that has no partner."""

    a: Unit | None
    b: Unit | None
    differs: tuple[str, ...] = ()
    """Which of "type", "shape", "parameters", "FLOPs" differ; nothing of a unit without a partner."""
    note: str = ""
    """What a reader should know about it."""
    matters: bool = False
    """Whether the models differ here."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """Two graphs, laid side by side."""

    rows: tuple[Pair, ...]
    """In the order in which the data pass."""
    notes: tuple[str, ...] = ()
    """Sentences about the graphs as a whole."""

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The rows that have a unit of each graph."""
        return tuple(row for row in self.rows if row.a and row.b)

    @property
    def only_a(self) -> tuple[Unit, ...]:
        """The units of the first graph that have no partner."""
        return tuple(row.a for row in self.rows if row.a and not row.b)

    @property
    def only_b(self) -> tuple[Unit, ...]:
        """The units of the second graph that have no partner."""
        return tuple(row.b for row in self.rows if row.b and not row.a)

    @property
    def differing(self) -> tuple[Pair, ...]:
        """The rows in which the models differ."""
        return tuple(row for row in self.rows if row.matters)

    @property
    def same(self) -> bool:
        """Whether the models differ nowhere."""
        return not self.differing


def align(a: GraphData, b: GraphData) -> Alignment:
    """Return the layers of two graphs in pairs, with what differs, and those without a partner.

    Shapes are compared without the batch; between frameworks, NCHW and NHWC count as the same. An
    activation, flatten or pooling that is a layer of one graph and a plain operation of the other does not
    matter. Swapping the graphs swaps the sides of each row; a graph beside itself is all pairs.
    """
    ones, others = units(a), units(b)
    moves = a.framework != b.framework
    spare = _Spare(a, ones), _Spare(b, others)
    rows: list[Pair] = []
    for one, other in match(ones, others):
        if one is not None and other is not None:
            rows.append(_pair(ones[one], others[other], moves))
        elif one is not None:
            rows.append(_alone(ones[one], spare[1], first=True))
        elif other is not None:
            rows.append(_alone(others[other], spare[0], first=False))
    return Alignment(tuple(rows), tuple(_notes(a, b)))


def _pair(a: Unit, b: Unit, moves: bool) -> Pair:
    sizes, other_sizes = _sizes(a), _sizes(b)
    differs, notes = list[str](), list[str]()
    if grouped_alike(a.kind, b.kind) and (a.parameters, a.flops) == (b.parameters, b.flops):
        notes.append("a convolution of each channel by itself")
    elif not same_kind(a.kind, b.kind):
        differs.append("type")
    if not same_sizes(sizes, other_sizes):
        if moves and same_but_for_channels(sizes, other_sizes):
            notes.append("the same shape, channels first and last")
        else:
            differs.append("shape")
    if a.parameters != b.parameters:
        if a.kind == b.kind == "batchnorm" and a.trainable == b.trainable:
            notes.append("Keras counts the moving mean and variance")
        elif _biases_apart(a, b):
            notes.append("PyTorch keeps two biases, Keras one")
        else:
            differs.append("parameters")
    if a.flops != b.flops and _tells_flops(a) and _tells_flops(b):
        differs.append("FLOPs")
    return Pair(a, b, tuple(differs), "; ".join(notes), matters=bool(differs))


def _biases_apart(a: Unit, b: Unit) -> bool:
    """Return whether two recurrent layers differ by a second bias alone."""
    gates = {"lstm": 4, "rnn": 1}.get(a.kind if a.kind == b.kind else "", 0)
    width = a.shape[-1] if a.shape else None
    return width is not None and abs(a.parameters - b.parameters) == gates * width > 0


def _tells_flops(unit: Unit) -> bool:
    # What runs in a loop is not counted by TensorFlow: 0 of a recurrent layer is no measure.
    return unit.flops is not None and not (unit.flops == 0 and unit.kind in WHOLE)


def _sizes(unit: Unit) -> TensorShape | None:
    sizes = sizes_of(unit.shape)
    if sizes is not None and unit.kind.startswith("global"):
        # PyTorch keeps what was pooled away as sizes of 1, Keras does not.
        return tuple(size for size in sizes if size != 1)
    return sizes


class _Spare:
    """The operations of a graph that no layer of their kind stands for: a relu that is called in code."""

    def __init__(self, data: GraphData, found: Sequence[Unit]) -> None:
        self._known = bool(data.nodes)
        by_path = {unit.path: unit.kind for unit in found}
        ran = Counter((kind_of_operation(node.op), node.module) for node in data.nodes)
        self._left = Counter[str]()
        for (kind, module), times in ran.items():
            # A layer stands for one run of it: one that is called again is a layer and an operation.
            self._left[kind] += times - (1 if same_kind(by_path.get(module, ""), kind) else 0)

    def take(self, kind: str) -> bool | None:
        """Take an operation of that kind; None when the graph tells no operations."""
        if not self._known:
            return None
        candidates = ACTIVATIONS if kind == ANY_ACTIVATION else (kind,)
        found = next((one for one in sorted(candidates) if self._left[one]), None)
        if found is not None:
            self._left[found] -= 1
        return found is not None


def _alone(unit: Unit, other_side: _Spare, *, first: bool) -> Pair:
    a, b = (unit, None) if first else (None, unit)
    if unit.kind == INPUT:
        return Pair(a, b, note="an input is no layer of the other model")
    if unit.kind in MOVES_DATA and not unit.parameters:
        return Pair(a, b, note="computes nothing; the other model does it without a layer, or need not")
    taken = None if unit.parameters else other_side.take(unit.kind)
    if taken:
        return Pair(a, b, note="an operation of the other model, not a layer of its own")
    if taken is None and unit.minor:
        return Pair(a, b, note="the other graph tells no operations: it may be among them")
    return Pair(a, b, note="the other model has nothing like it", matters=True)


def _notes(a: GraphData, b: GraphData) -> Iterator[str]:
    if not (a.layers and b.layers):
        yield "Layers cannot be compared: a graph tells none."
    ends = [_last_activation(data) for data in (a, b)]
    if a.nodes and b.nodes and ends[0] != ends[1]:
        words = [f"with {end}" if end else "without an activation" for end in ends]
        yield f"The first model ends {words[0]}, the second {words[1]}."


def _last_activation(data: GraphData) -> str:
    """Return the activation that makes the output; "" for another operation."""
    nodes = {node.node_id: node for node in data.nodes}
    ends = [node for node in data.nodes if node.op == "output"] or list(data.nodes[-1:])
    for end in ends:
        for source in (end, *(nodes[name] for name in end.inputs if name in nodes)):
            if (kind := kind_of_operation(source.op)) in ACTIVATIONS:
                return kind
    return ""
