"""What is drawn of a graph when some of its modules are open: boxes, the frames around them, arrows. Pure.

Only this is sent to the browser: of a network of 5,000 operations with everything closed, a handful of boxes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ...storage.kinds.graph import GraphNode, TensorShape
from ..graphs.layer_kinds import ACTIVATIONS, kind_of, kind_of_operation
from .figures import COLOURS
from .graph_rows import Row
from .graph_tree import Part, Tree
from .words import TIMES, brief, count, shape, short_count

MOST_BOXES = 200
"""A drawing of more is neither fast nor readable; it goes on on another page."""
MOST_ARROWS = 12
"""Out of one box; a mask that every layer reads would cover everything else."""
LONGEST_TITLE = 36
OPERATION = "operation "
"""How the id of a single operation's box begins; that of a module is its part's."""

BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, VIOLET, OLIVE = COLOURS
GREY = "#8A8F98"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of the drawing: a module with all that it ran, or a single operation."""

    box_id: str
    title: str
    lines: tuple[str, ...] = ()
    parent: str = ""
    """The frame around it; "" at the top."""
    colour: str = GREY
    opens: bool = False
    holds: bool = False
    """Whether a click opens it: it has modules inside."""
    full: str = ""
    """The whole of what was cut."""
    part: str = ""
    """What is chosen by a click: of a layer that runs again and again each call has a box of its own."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn."""

    boxes: tuple[Box, ...]
    frames: tuple[Box, ...]
    """The open modules, each after the one around it."""
    arrows: tuple[tuple[str, str, str], ...]
    """From box, to box, and what flows: the shape of the tensor."""
    total: int
    """How many boxes there are; the others are on other pages of the drawing."""
    tree: bool = False
    """Whether arrows lead to what is inside, as no operations are known."""


def drawing(tree: Tree, opened: Collection[str], start: int = 0) -> Drawing:
    """Return what is drawn of a graph.

    Args:
        tree: the graph's modules.
        opened: ids of the parts that are open. What is inside a closed part is drawn as that part.
        start: the first of at most MOST_BOXES boxes.
    """
    if not tree.data.nodes:
        return _of_modules(tree, opened, start)
    place = {path: _place(tree, path, opened) for path in {node.module for node in tree.data.nodes}}
    box_of = {node.node_id: _box_of(tree, node, place[node.module][0]) for node in tree.data.nodes}
    outputs = {box_of[node.node_id]: node.output_shapes for node in tree.data.nodes}
    firsts = {box_of[node.node_id]: node for node in reversed(tree.data.nodes)}
    arrows, fans = _arrows(tree.data.nodes, box_of)
    ordered = list(dict.fromkeys(box_of.values()))
    boxes: list[Box] = []
    for box_id in ordered[start : start + MOST_BOXES]:
        part_id, around = place[firsts[box_id].module]
        if part_id:
            box = _part_box(tree, tree.parts[part_id], outputs[box_id], fans)
            boxes.append(_again(box, box_id, tree.calls.get(firsts[box_id].node_id, 0)))
        else:
            boxes.append(_operation_box(firsts[box_id], around, fans))
    return _framed(tree, boxes, arrows, len(ordered))


def _box_of(tree: Tree, node: GraphNode, part_id: str) -> str:
    """Return the id of the box that stands for an operation."""
    if not part_id:
        return f"{OPERATION}{node.node_id}"
    call = tree.calls.get(node.node_id, 0) if part_id == node.module else 0
    return f"{part_id} · call {call + 1}" if call else part_id


def _again(box: Box, box_id: str, call: int) -> Box:
    """Return the box of a later call of a layer."""
    if box_id == box.box_id:
        return box
    lines = (*box.lines[:2], "the same layer again")
    return replace(box, box_id=box_id, title=f"{box.title} · call {call + 1}", lines=lines)


def visible(tree: Tree, part_id: str, opened: Collection[str]) -> str:
    """Return the part that a part is drawn as: the outermost closed one around it, or itself."""
    return next((one for one in tree.around(part_id) if one not in opened), part_id)


def _place(tree: Tree, path: str, opened: Collection[str]) -> tuple[str, str]:
    """Return the closed part that stands for what a module ran, "" for none, and the open part around it."""
    around = ""
    for part_id in tree.around(path):
        if part_id not in opened:
            return part_id, around
        around = part_id
    return "", around


def _framed(tree: Tree, boxes: Sequence[Box], arrows: Iterable[tuple[str, str, str]], total: int) -> Drawing:
    frames: dict[str, Box] = {}
    for box in boxes:
        for part_id in tree.around(box.parent):
            frames.setdefault(part_id, _frame(tree, tree.parts[part_id]))
    shown = {box.box_id for box in boxes}
    kept = tuple(arrow for arrow in arrows if arrow[0] in shown and arrow[1] in shown)
    return Drawing(tuple(boxes), tuple(frames.values()), kept, total)


def _arrows(
    nodes: Iterable[GraphNode], box_of: Mapping[str, str]
) -> tuple[list[tuple[str, str, str]], dict[str, int]]:
    """Return the arrows between boxes, and how many leave those boxes of which not all are drawn."""
    flows: dict[tuple[str, str], str] = {}
    shapes = {node.node_id: node.output_shapes for node in nodes}
    for node in nodes:
        for source in node.inputs:
            pair = box_of.get(source, ""), box_of[node.node_id]
            if pair[0] and pair[0] != pair[1] and pair not in flows:
                flows[pair] = _shapes(shapes[source])
    fans = {box: many for box, many in Counter(source for source, _ in flows).items() if many > MOST_ARROWS}
    nearest = dict[str, int]()
    arrows: list[tuple[str, str, str]] = []
    for (source, target), what in flows.items():
        nearest[source] = nearest.get(source, 0) + 1
        if source not in fans or nearest[source] == 1:
            arrows.append((source, target, what))
    return arrows, fans


def _operation_box(node: GraphNode, parent: str, fans: Mapping[str, int]) -> Box:
    box_id = f"{OPERATION}{node.node_id}"
    title = node.op.rpartition(".")[2] if node.op.startswith("aten.") else node.op
    lines = _lines(_shapes(node.output_shapes), _fan(fans, box_id))
    full = f"{brief(node.node_id)}\n{brief(node.op)}"
    colour = _colour(kind_of_operation(node.op))
    return Box(box_id, brief(title, LONGEST_TITLE), lines, parent, colour, full=full, part=box_id)


def _part_box(tree: Tree, part: Part, shapes: Sequence[TensorShape], fans: Mapping[str, int]) -> Box:
    row = tree.rows.get(part.part_id)
    held = _sum(tree.rows, part.members) if part.members else row
    what = f"{len(part.members)} {TIMES} {part.type}" if part.members else part.type
    lines = _lines(
        brief(what, LONGEST_TITLE),
        _shapes(shapes) or _known_shape(row),
        costs(held),
        _fan(fans, part.part_id),
    )
    colour = _colour(kind_of(part.type, tree.data.framework))
    return Box(
        part.part_id,
        brief(part.name or part.part_id, LONGEST_TITLE),
        lines,
        part.parent,
        colour,
        part.opens,
        part.holds,
        brief(f"{part.part_id} {part.type}"),
        part.part_id,
    )


def _frame(tree: Tree, part: Part) -> Box:
    box = _part_box(tree, part, (), {})
    what = f" · {box.lines[0]}" if part.type else ""
    return Box(
        box.box_id, f"{box.title}{what}", (), box.parent, box.colour, True, True, box.full, part.part_id
    )


def _of_modules(tree: Tree, opened: Collection[str], start: int) -> Drawing:
    """Draw the modules as a tree: nothing is known of the operations between them."""
    shown = [part for part in tree.parts.values() if not part.parent or part.parent in opened]
    reached = [part for part in shown if all(one in opened for one in tree.around(part.parent))]
    boxes = [_part_box(tree, part, (), {}) for part in reached[start : start + MOST_BOXES]]
    known = {box.box_id for box in boxes}
    arrows = tuple((box.parent, box.box_id, "") for box in boxes if box.parent in known)
    alone = tuple(replace(box, parent="") for box in boxes)
    return Drawing(alone, (), arrows, len(reached), tree=True)


def costs(row: Row | None) -> str:
    """Return in few words what a layer holds and costs; "" for nothing."""
    if row is None:
        return ""
    parts = [f"{short_count(row.parameters)} parameters"] if row.parameters else []
    parts += [f"{short_count(row.flops)} FLOPs"] if row.flops else []
    return " · ".join(parts)


def _sum(rows: Mapping[str, Row], paths: Iterable[str]) -> Row | None:
    known = [rows[path] for path in paths if path in rows]
    if not known:
        return None
    flops = [row.flops for row in known if row.flops is not None]
    parameters, trainable = sum(row.parameters for row in known), sum(row.trainable for row in known)
    share = sum(row.share for row in known)
    return Row("", "", None, parameters, trainable, share, sum(flops) if flops else None)


def _known_shape(row: Row | None) -> str:
    return shape(row.output) if row else ""


def _shapes(shapes: Sequence[TensorShape]) -> str:
    several = f" and {len(shapes) - 1} more" if len(shapes) > 1 else ""
    return brief(shape(shapes[0]), LONGEST_TITLE) + several if shapes else ""


def _fan(fans: Mapping[str, int], box_id: str) -> str:
    return f"→ {count(fans[box_id])} others, one arrow drawn" if box_id in fans else ""


def _lines(*lines: str) -> tuple[str, ...]:
    return tuple(line for line in lines if line)


_COLOURS = (
    ("conv", BLUE),
    ("dense", ORANGE),
    ("linear", ORANGE),
    ("matmul", ORANGE),
    ("norm", GREEN),
    ("pool", SKY),
    ("attention", PINK),
    ("transformer", PINK),
    ("lstm", VIOLET),
    ("gru", VIOLET),
    ("rnn", VIOLET),
    ("embedding", OLIVE),
)


def _colour(kind: str) -> str:
    if kind in ACTIVATIONS:
        return YELLOW
    return next((colour for word, colour in _COLOURS if word in kind), GREY)
