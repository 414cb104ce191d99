"""What a viewer opened and chose in a graph, as it stands in the address; for each side of two graphs."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from .. import url_state
from ..views.graph_drawing import OPERATION
from ..views.graph_tree import Tree

LONGEST_ID = 120
"""Characters."""
NOTHING_OPEN = ""
"""Stands in the address when everything was closed: without it, nobody has chosen yet."""


@dataclass(frozen=True, slots=True)
class Side:
    """The graph itself, or the one beside it."""

    name: str
    """"" or "beside"."""

    @property
    def _opened(self) -> str:
        return f"opened_{self.name}" if self.name else "opened"

    @property
    def _layer(self) -> str:
        return f"layer_{self.name}" if self.name else "layer"

    def opened(self, tree: Tree) -> frozenset[str]:
        """Return which parts are open."""
        kept = frozenset(url_state.texts(self._opened))
        if not kept:
            return tree.opened_at_first()
        return frozenset(part_id for part_id in tree.parts if _short(part_id) in kept)

    def chosen(self, tree: Tree) -> str:
        """Return the box that was chosen, "" for none and for one that the graph has not."""
        kept = url_state.text(self._layer)
        if not kept or kept in tree.parts:
            return kept
        boxes = (*tree.parts, *(f"{OPERATION}{node.node_id}" for node in tree.data.nodes))
        return next((box_id for box_id in boxes if _short(box_id) == kept), "")

    def choose(self, box_id: str) -> None:
        """Choose a box; "" for none."""
        url_state.set_text(self._layer, _short(box_id))

    def reveal(self, tree: Tree, box_id: str) -> None:
        """Open what is around a box, so that it is drawn."""
        around = tree.around(box_id)[:-1]
        if box_id.startswith(OPERATION) and box_id not in tree.parts:
            module = {f"{OPERATION}{node.node_id}": node.module for node in tree.data.nodes}.get(box_id, "")
            around = tree.around(module)
        if not self.opened(tree).issuperset(around):
            self._keep(self.opened(tree) | frozenset(around))

    def toggle(self, tree: Tree, part_id: str) -> None:
        """Open a closed part, close an open one."""
        if part_id in tree.parts:
            self._keep(self.opened(tree) ^ {part_id})

    def close_all(self) -> None:
        """Close everything."""
        self._keep(())

    def _keep(self, opened: Collection[str]) -> None:
        url_state.set_texts(self._opened, [NOTHING_OPEN, *sorted(map(_short, opened))])


def _short(box_id: str) -> str:
    """Return how an id is written in the address, which holds no endless names."""
    if len(box_id) <= LONGEST_ID:
        return box_id
    return f"#{hashlib.sha256(box_id.encode('utf-8', 'replace')).hexdigest()[:16]}"


HERE, BESIDE = Side(""), Side("beside")
