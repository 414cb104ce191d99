"""The operations of a tf.Graph through which data flows, as nodes: the same for every way to make one."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import tensorflow

from ...storage.kinds.graph import GraphNode, TensorShape

tf: Any = tensorflow  # its types say little

_log = logging.getLogger("stepscope")
_T = TypeVar("_T")

# What only asks for the shape of data does not carry it on.
_NOT_DATA = {"Shape", "ShapeN", "Size", "Rank", "NoOp"}
_DULL_ATTRIBUTES = {"T", "dtype", "Tshape", "Tidx", "Tindices", "use_cudnn_on_gpu", "explicit_paddings"}


class GraphReading:
    """Finds what lies between some inputs and some outputs of a graph, and turns it into nodes."""

    def __init__(
        self,
        graph: Any,
        inputs: Iterable[Any],
        outputs: Iterable[Any],
        *,
        variables: Mapping[str, str],
        module_of: Callable[[str], str],
    ) -> None:
        """Read a graph.

        Args:
            graph: a tf.Graph.
            inputs: the operations that data comes from.
            outputs: the operations that it goes to.
            variables: operation -> path of the variable that it stands for.
            module_of: operation -> path of the layer that it belongs to.
        """
        self._given = {operation.name for operation in inputs}
        ends = [_through_identity(operation) for operation in outputs]
        self._ends = tuple(dict.fromkeys(operation.name for operation in ends))
        self._variables = variables
        self.module_of = module_of
        self._data: set[str] = set()
        self._read: dict[str, tuple[str, ...]] = {}  # operation -> the variables that it is computed from
        self.operations = self._between(graph.get_operations())
        """In an order in which inputs come first."""

    def nodes(self) -> tuple[GraphNode, ...]:
        """Return a node for each operation, and one for all outputs."""
        return *(self._node(o) for o in self.operations), GraphNode("output", "output", inputs=self._ends)

    def variables_read(self) -> set[str]:
        """Return the paths of the variables that the operations are computed from."""
        return {path for operation in self.operations for path in self._read[operation.name]}

    def _between(self, operations: list[Any]) -> list[Any]:
        for operation in operations:
            self._look(operation)
        wanted = set(self._ends)
        for operation in reversed(operations):
            if operation.name in wanted:
                wanted.update(tensor.op.name for tensor in operation.inputs)
        return [o for o in operations if o.name in self._data and o.name in wanted]

    def _look(self, operation: Any) -> None:
        name, before = operation.name, [tensor.op.name for tensor in operation.inputs]
        if name in self._given or (operation.type not in _NOT_DATA and any(b in self._data for b in before)):
            self._data.add(name)
        found = [v for b in before if b not in self._data for v in self._read.get(b, ())]
        own = [self._variables[name]] if name in self._variables else []
        self._read[name] = tuple(dict.fromkeys(own + found))

    def _node(self, operation: Any) -> GraphNode:
        inputs = (tensor.op.name for tensor in operation.inputs)
        return GraphNode(
            node_id=operation.name,
            op="input" if operation.name in self._given else operation.type,
            module=self.module_of(operation.name),
            inputs=tuple(i for i in inputs if i in self._data),
            output_shapes=tuple(shape_of(tensor) for tensor in operation.outputs),
            attributes=self._attributes(operation),
        )

    def _attributes(self, operation: Any) -> dict[str, str]:
        read = self._read[operation.name]
        attributes = {"parameters": ", ".join(read)} if read else {}
        for key, value in operation.node_def.attr.items():
            if key not in _DULL_ATTRIBUTES and not key.startswith("_"):
                attributes.update(_plain(key, value))
        return attributes


def attempt(what: str, work: Callable[[], _T]) -> _T | None:
    """Return what `work` gives, None when it raises."""
    try:
        return work()
    except Exception as error:  # a model may raise anything when it is traced anew; less detail is kept
        _log.debug("the model's graph: %s did not work: %s", what, error)
        return None


def shape_of(tensor: Any) -> TensorShape:
    """Return a symbolic tensor's shape; () when not even its rank is known."""
    return tuple(tensor.shape) if tensor.shape.rank is not None else ()


def _through_identity(operation: Any) -> Any:
    while operation.type == "Identity":
        operation = operation.inputs[0].op
    return operation


def _plain(key: str, value: Any) -> dict[str, str]:
    kind = value.WhichOneof("value")
    if kind in ("i", "f", "b"):
        return {key: str(getattr(value, kind))}
    if kind == "s":
        return {key: value.s.decode("utf-8", "replace")} if value.s else {}
    if kind == "list" and value.list.i:
        return {key: str(list(value.list.i))}
    return {}
