"""The modules of a graph as a tree that can be opened part by part. Pure.

A deep network holds the same block a hundred times: alike neighbours are one part of the tree, which opens
like a module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...storage.kinds.graph import GraphData
from .graph_rows import Row, name_of, parent_of, rows, upwards

ALIKE = 4
"""So many alike neighbours are shown as one."""


@dataclass(frozen=True, slots=True)
class Part:
    """A module, or a row of alike ones."""

    part_id: str
    """A module's path."""
    name: str
    type: str
    parent: str
    """part_id of what is around it; "" at the top."""
    operations: int
    """Of it and all that is inside."""
    members: tuple[str, ...] = ()
    """The modules of a row; none for a module."""
    holds: bool = False
    """Whether it has modules inside."""

    @property
    def opens(self) -> bool:
        """Whether there is anything inside to look at."""
        return self.holds or self.operations > 0


@dataclass(frozen=True)
class Tree:
    """A graph with its modules as parts."""

    data: GraphData
    parts: Mapping[str, Part]
    """part_id -> part, each after what is around it."""
    rows: Mapping[str, Row]
    """Path -> what a layer holds and costs, with all that is inside it."""
    calls: Mapping[str, int]
    """node_id -> which call of its module it belongs to, from the second one on, which is 1."""

    def around(self, part_id: str) -> list[str]:
        """Return the parts from the top down to a part, itself the last; none for the model itself."""
        found: list[str] = []
        while part_id in self.parts:
            found.append(part_id)
            part_id = self.parts[part_id].parent
        return found[::-1]

    def opened_at_first(self) -> frozenset[str]:
        """Return what is open when nobody chose: modules that are alone on their level."""
        opened: set[str] = set()
        inside = self._inside("")
        while len(inside) == 1 and inside[0].holds and not inside[0].members:
            opened.add(inside[0].part_id)
            inside = self._inside(inside[0].part_id)
        return frozenset(opened)

    def _inside(self, part_id: str) -> list[Part]:
        return [part for part in self.parts.values() if part.parent == part_id]


def tree_of(data: GraphData) -> Tree:
    """Build the tree of a graph's modules, in the order of definition."""
    paths = _all_paths(data)
    parent = {path: parent_of(path) for path in paths}
    inside: dict[str, list[str]] = {}
    for path in paths:
        inside.setdefault(parent[path], []).append(path)
    operations = _operations(data, parent)
    found = {row.path: row for row in rows(data)}
    types = {layer.path: layer.type for layer in data.layers}
    forms = _forms(paths, inside, types, operations, found)
    parts: dict[str, Part] = {}

    def add(path: str, around: str) -> None:
        holds = path in inside
        parts[path] = Part(path, name_of(path), types.get(path, ""), around, operations[path], (), holds)
        add_all(inside.get(path, ()), path)

    def add_all(children: Sequence[str], around: str) -> None:
        for alike in _rows_of_alike(children, forms, inside):
            row_id = f"{alike[0]}…{name_of(alike[-1])}"
            if len(alike) < ALIKE or row_id in inside:
                for path in alike:
                    add(path, around)
                continue
            name = f"{name_of(alike[0])} … {name_of(alike[-1])}"
            many = sum(operations[path] for path in alike)
            parts[row_id] = Part(row_id, name, types.get(alike[0], ""), around, many, tuple(alike), True)
            for path in alike:
                add(path, row_id)

    add_all(inside.get("", ()), "")
    return Tree(data, parts, found, _calls(data, inside))


def _all_paths(data: GraphData) -> list[str]:
    """Return every path that is known of or around a known one, a parent before what is in it."""
    found: dict[str, None] = {}
    known = dict.fromkeys([*(layer.path for layer in data.layers), *(node.module for node in data.nodes)])
    for path in known:
        if path not in found:
            found.update(dict.fromkeys(reversed(list(upwards(path)))))
    return list(found)


def _operations(data: GraphData, parent: Mapping[str, str]) -> Counter[str]:
    operations = Counter[str]()
    for path, many in Counter(node.module for node in data.nodes).items():
        while path:
            operations[path] += many
            path = parent[path]
    return operations


def _calls(data: GraphData, inside: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Tell the calls of a layer from each other: operations that hand each other data are of one call."""
    layers = {node.node_id: node.module for node in data.nodes if node.module not in inside}
    first: dict[str, str] = {}

    def call_of(node_id: str) -> str:
        while first[node_id] != node_id:
            first[node_id] = first[first[node_id]]
            node_id = first[node_id]
        return node_id

    for node_id in layers:
        first[node_id] = node_id
    for node in data.nodes:
        for source in node.inputs:
            if layers.get(node.node_id) and layers.get(source) == layers[node.node_id]:
                first[call_of(node.node_id)] = call_of(source)
    seen: dict[str, dict[str, int]] = {}
    calls: dict[str, int] = {}
    for node_id, path in layers.items():
        known = seen.setdefault(path, {})
        number = known.setdefault(call_of(node_id), len(known))
        if path and number:
            calls[node_id] = number
    return calls


def _forms(
    paths: Iterable[str],
    inside: Mapping[str, Sequence[str]],
    types: Mapping[str, str],
    operations: Mapping[str, int],
    found: Mapping[str, Row],
) -> dict[str, int]:
    """Return a number for each path, the same for modules that are built alike."""
    numbers: dict[object, int] = {}
    forms: dict[str, int] = {}
    for path in reversed(list(paths)):  # what is inside a module comes after it, so here before it
        parameters = found[path].parameters if path in found else 0
        held = tuple(forms[child] for child in inside.get(path, ()))
        form = (types.get(path), operations.get(path, 0), parameters, held)
        forms[path] = numbers.setdefault(form, len(numbers))
    return forms


def _rows_of_alike(
    children: Sequence[str], forms: Mapping[str, int], inside: Mapping[str, Sequence[str]]
) -> list[list[str]]:
    """Split neighbours into rows of modules that are built alike; only those that hold others join."""
    alike: list[list[str]] = []
    for path in children:
        if alike and path in inside and forms[path] == forms[alike[-1][0]]:
            alike[-1].append(path)
        else:
            alike.append([path])
    return alike
