"""The graph of a model: a drawing by module, the table of layers, and where the parameters are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...storage.kinds.graph import GraphData, TensorShape
from .figures import COLOURS, Figure, label, layout, mix
from .words import count, shape, short_count

MOST_BOXES = 150
"""A drawing of more is neither fast nor readable."""


@dataclass(frozen=True, slots=True)
class Box:
    """One rectangle of the drawing: a module with all that it ran, or a single operation."""

    box_id: str
    title: str
    detail: str = ""
    parent: str = ""
    """The module around it; "" at the top."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of layers."""

    path: str
    type: str
    output: str
    parameters: int
    """Of this layer and all that is inside it."""
    trainable: int
    share: float
    """Of the model's parameters, 0 to 1."""
    flops: int | None = None
    """Of a forward of one sample; None when it is not known of anything inside."""
    memory: int | None = None
    """Bytes of parameters and of outputs for one sample."""


def rows(data: GraphData) -> list[Row]:
    """Return the layers in the order of definition, with what they hold and cost added up."""
    total = max(data.parameters, 1)
    parameters, trainable, flops, memory = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for layer in data.layers:
        for path in _upwards(layer.path):
            parameters[path] += layer.parameters
            trainable[path] += layer.trainable
            # A counter without an entry tells what is not known from a zero.
            flops.update({path: layer.flops} if layer.flops is not None else {})
            memory.update({path: layer.memory} if layer.memory is not None else {})
    return [
        Row(
            layer.path,
            layer.type,
            shape(layer.output_shape),
            parameters[layer.path],
            trainable[layer.path],
            parameters[layer.path] / total,
            flops.get(layer.path),
            memory.get(layer.path),
        )
        for layer in data.layers
    ]


def figure(data: GraphData) -> Figure:
    """Draw how the parameters are spread over the modules, as nested areas."""
    layers = [layer for layer in rows(data) if layer.parameters]
    known = {layer.path for layer in layers}
    tops = sorted({layer.path.partition("/")[0] for layer in layers if layer.path})
    tints = {top: mix(COLOURS[place % len(COLOURS)], "#FFFFFF", 0.45) for place, top in enumerate(tops)}
    trace = {
        "type": "treemap",
        "ids": [label(layer.path or "/") for layer in layers],
        "labels": [label(layer.path.rpartition("/")[2] or data.name) for layer in layers],
        "parents": [label(_nearest(layer.path, known)) for layer in layers],
        "values": np.array([layer.parameters for layer in layers], dtype=np.float64),
        "text": [label(f"{layer.type} · {short_count(layer.parameters)}") for layer in layers],
        "textfont": {"color": "#1A1A1A"},
        "branchvalues": "total",
        "marker": {
            "colors": [tints.get(layer.path.partition("/")[0], "#D5D9E0") for layer in layers],
            "cornerradius": 3,
        },
        "pathbar": {"visible": False},
        "hovertemplate": "<b>%{id}</b><br>%{text}<br>%{value:,d} parameters<extra></extra>",
    }
    drawn = layout("Where the parameters are", f"{count(data.parameters)} in all", height=340)
    return {"data": [trace], "layout": {**drawn, "margin": {"l": 4, "r": 4, "t": 58, "b": 4}}}


def depths(data: GraphData) -> int:
    """Return how many levels of modules the drawing can open; one more shows single operations."""
    paths = [node.module for node in data.nodes] or [layer.path for layer in data.layers]
    return max((_level(path) for path in paths), default=0) + (1 if data.nodes else 0)


def drawing(data: GraphData, depth: int, *, dark: bool = False) -> str:
    """Return the graph in Graphviz's DOT language, from top to bottom, at most MOST_BOXES of it.

    Args:
        data: the graph. Without operations, its modules are drawn as a tree.
        depth: how many levels of modules are opened; operations below are drawn as their module.
        dark: whether the page is dark.
    """
    boxes, edges = boxes_of(data, depth)
    shown = {box.box_id for box in boxes[:MOST_BOXES]}
    ink, line, paper = ("#E6E6E6", "#8A8F98", "#2B2F38") if dark else ("#24292F", "#8A8F98", "#F4F6FA")
    style = f'fontname="sans-serif" fontsize=11 fontcolor="{ink}"'
    lines = [
        "digraph {",
        f'graph [bgcolor="transparent" nodesep=0.3 ranksep=0.3 labeljust=l color="{line}" {style}]',
        f'node [shape=box style="rounded,filled" fillcolor="{paper}" color="{line}" height=0.3 {style}]',
        f'edge [color="{line}" arrowsize=0.6]',
        *_nested(boxes[:MOST_BOXES], ""),
    ]
    lines += [f"{_quoted(a)} -> {_quoted(b)}" for a, b in edges if a in shown and b in shown]
    return "\n".join([*lines, "}"])


def _nested(boxes: Sequence[Box], around: str) -> list[str]:
    """Return the boxes of one module: its own, then those of each module inside in a frame."""
    level = _level(around)
    lines = [_node(box) for box in boxes if box.parent == around]
    deeper = [box for box in boxes if box.parent != around]
    for inside in dict.fromkeys(_cut(box.parent, level + 1) for box in deeper):
        title = _quoted(inside.rpartition("/")[2])
        lines.append(f"subgraph {_quoted('cluster ' + inside)} {{ label={title} style=rounded margin=8")
        lines += _nested([box for box in deeper if _cut(box.parent, level + 1) == inside], inside)
        lines.append("}")
    return lines


def boxes_of(data: GraphData, depth: int) -> tuple[list[Box], list[tuple[str, str]]]:
    """Return the boxes of the drawing in order, and the pairs of box ids between which data flow."""
    if not data.nodes:
        return _tree(data, depth)
    box_of = {node.node_id: _box_id(node.node_id, node.module, depth) for node in data.nodes}
    totals = {row.path: row for row in rows(data)}
    # The last operation of a module is what comes out of it.
    outputs = {box_of[node.node_id]: node.output_shapes for node in data.nodes}
    boxes: dict[str, Box] = {}
    for node in data.nodes:
        box = box_of[node.node_id]
        if box in boxes:
            continue
        out = _shapes(outputs[box])
        if box == node.node_id:
            boxes[box] = Box(box, node.op, out, _cut(node.module, depth))
        else:
            boxes[box] = _module_box(box, totals, out)
    pairs = ((box_of.get(source, ""), box_of[node.node_id]) for node in data.nodes for source in node.inputs)
    edges = dict.fromkeys((source, target) for source, target in pairs if source and source != target)
    return list(boxes.values()), list(edges)


def _box_id(node_id: str, module: str, depth: int) -> str:
    """Return the id of the module that stands for an operation, or the operation's own."""
    return f"module {_cut(module, depth + 1)}" if _level(module) > depth else node_id


def _module_box(box_id: str, totals: Mapping[str, Row], output: str) -> Box:
    path = box_id.removeprefix("module ")
    name, row = path.rpartition("/")[2], totals.get(path)
    if row is None:
        return Box(box_id, name, output, path.rpartition("/")[0])
    parameters = f"{short_count(row.parameters)} parameters" if row.parameters else ""
    detail = "\n".join(part for part in (output, parameters) if part)
    return Box(box_id, f"{name} · {row.type}", detail, path.rpartition("/")[0])


def _tree(data: GraphData, depth: int) -> tuple[list[Box], list[tuple[str, str]]]:
    shown = [row for row in rows(data) if _level(row.path) <= depth + 1]
    known = {row.path for row in shown}
    boxes = [
        Box(
            row.path,
            row.path.rpartition("/")[2] or data.name,
            f"{row.type}\n{count(row.parameters)} parameters",
        )
        for row in shown
    ]
    edges = [(_nearest(row.path, known, root=""), row.path) for row in shown if row.path]
    return boxes, [(source, target) for source, target in edges if source in known]


def _node(box: Box) -> str:
    text = "\n".join(part for part in (box.title, box.detail) if part)
    return f"{_quoted(box.box_id)} [label={_quoted(text)}]"


def _quoted(text: str) -> str:
    # JSON's string is also one of DOT, where a backslash before any other letter is kept as it stands:
    # names are therefore written without escapes other than for quotes and new lines.
    plain = text.replace("\\", "/")
    return json.dumps(plain, ensure_ascii=False)


def _shapes(shapes: Sequence[TensorShape]) -> str:
    return ", ".join(shape(sizes) for sizes in shapes)


def _level(path: str) -> int:
    return path.count("/") + 1 if path else 0


def _cut(path: str, level: int) -> str:
    return "/".join(path.split("/")[:level]) if path else ""


def _upwards(path: str) -> Iterator[str]:
    """Yield a path, the modules around it and the model itself."""
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield ""


def _nearest(path: str, known: set[str], root: str = "/") -> str:
    """Return the closest module around a path that is drawn as well; the root goes by its own id."""
    parent = path
    while parent:
        parent = parent.rpartition("/")[0]
        if parent in known:
            return parent or root
    return ""
