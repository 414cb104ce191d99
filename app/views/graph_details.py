"""What is known of one layer or operation of a graph. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ...storage.kinds.graph import GraphNode, TensorShape
from .graph_drawing import OPERATION
from .graph_rows import Row, upwards
from .graph_tree import Tree
from .words import brief, count, shape

MOST_OPERATIONS = 200
HISTOGRAMS = ("weights", "gradients", "activations")
"""How the names of a layer's histograms begin; the hooks call them so."""


@dataclass(frozen=True, slots=True)
class Details:
    """A layer or an operation, with where its data come from and go to."""

    path: str
    type: str
    row: Row | None
    operations: tuple[GraphNode, ...]
    """What it runs."""
    inputs: tuple[TensorShape, ...]
    outputs: tuple[TensorShape, ...]
    members: tuple[str, ...] = ()
    """The modules of a row of alike ones."""


def details(tree: Tree, box_id: str) -> Details | None:
    """Return what is known of a box of the drawing; None when the graph has no such."""
    if box_id in tree.parts:
        part = tree.parts[box_id]
        inside = _run_by(tree, part.members or (box_id,))
        return _details(tree, box_id, part.type, inside, part.members)
    node = next((node for node in tree.data.nodes if f"{OPERATION}{node.node_id}" == box_id), None)
    return None if node is None else _details(tree, node.node_id, node.op, (node,), ())


def histograms_of(names: Iterable[str], path: str) -> list[str]:
    """Return which names of series are histograms of a layer itself: weights, gradients, then activations."""
    found = [name for name in names if _belongs(name, path)]
    # The weights proper first: they are what is looked for.
    return sorted(found, key=lambda name: (HISTOGRAMS.index(name.partition("/")[0]), "bias" in name, name))


def facts(told: Details) -> dict[str, str]:
    """Return what there is to say of a layer: heading -> text."""
    row = told.row
    said = {
        "Type": told.type,
        "Rows alike": count(len(told.members)) if told.members else "",
        "Input": ", ".join(shape(one) for one in told.inputs),
        "Output": ", ".join(shape(one) for one in told.outputs),
        "Parameters": _parameters(row) if row else "",
        "FLOPs": count(row.flops) if row and row.flops is not None else "",
        "Memory": f"{count(row.memory)} bytes" if row and row.memory is not None else "",
        "Operations": count(len(told.operations)) if len(told.operations) > 1 else "",
    }
    return {heading: brief(text, 300) for heading, text in said.items() if text}


def attributes(told: Details) -> dict[str, list[str]]:
    """Return the operations as a table: each with its output and the constants that it was called with."""
    shown = told.operations[:MOST_OPERATIONS]
    columns = {
        "Operation": [brief(node.op) for node in shown],
        "Output": [", ".join(shape(one) for one in node.output_shapes) for node in shown],
        "Attributes": [
            brief(", ".join(f"{key}={value}" for key, value in node.attributes.items())) for node in shown
        ],
        "Name": [brief(node.node_id) for node in shown],
    }
    return {title: column for title, column in columns.items() if any(column)}


def _details(
    tree: Tree, path: str, kind: str, nodes: Sequence[GraphNode], members: tuple[str, ...]
) -> Details:
    inside = {node.node_id for node in nodes}
    shapes = {node.node_id: node.output_shapes for node in tree.data.nodes}
    read = dict.fromkeys(name for node in nodes for name in node.inputs if name not in inside)
    used = {name for node in tree.data.nodes if node.node_id not in inside for name in node.inputs}
    row = tree.rows.get(path)
    inputs = _some(one for name in read for one in shapes.get(name, ()))
    outputs = _some(one for node in nodes if node.node_id in used for one in node.output_shapes)
    if not outputs:
        outputs = nodes[-1].output_shapes if nodes else (row.output,) if row and row.output else ()
    return Details(path, kind, row, tuple(nodes), inputs, outputs, members)


def _some(shapes: Iterable[TensorShape], most: int = 8) -> tuple[TensorShape, ...]:
    return tuple(dict.fromkeys(shapes))[:most]


def _run_by(tree: Tree, paths: Collection[str]) -> tuple[GraphNode, ...]:
    wanted = set(paths)
    known = {
        path: any(one in wanted for one in upwards(path)) for path in {n.module for n in tree.data.nodes}
    }
    return tuple(node for node in tree.data.nodes if known[node.module])


def _belongs(name: str, path: str) -> bool:
    head, _, rest = name.partition("/")
    if head not in HISTOGRAMS or not path:
        return False
    if rest == path:
        return True
    parameter = rest.removeprefix(f"{path}/")
    return head != "activations" and parameter != rest and "/" not in parameter


def _parameters(row: Row) -> str:
    frozen = row.parameters - row.trainable
    share = f" ({row.share:.1%} of the model)" if row.parameters else ""
    return f"{count(row.parameters)}{share}" + (f", {count(frozen)} not trained" if frozen else "")
