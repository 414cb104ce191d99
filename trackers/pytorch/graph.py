"""The graph of a PyTorch model, found without touching the model.

Four ways are tried, the one that tells most first: torch.export (operations with shapes and the module
that ran them), torch.fx (for code that export refuses), a jit trace (for code that looks at values), and
last the tree of modules alone. All of them run on a twin (see twin.py), never on the model itself:
exporting the model would leave fake tensors in every attribute that its forward assigns.
"""

from __future__ import annotations

import inspect
import io
import logging
import re
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from typing import Any, TypeVar, cast

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ...storage.kinds.graph import GraphData, GraphNode, Layer, TensorShape
from .aside import random_kept
from .flops import Forward, forward_of
from .paths import module_path
from .twin import Arguments, make_fake, make_twin, named_modules, own_arguments, shapes_of, unwrap

_log = logging.getLogger("stepscope")
_T = TypeVar("_T")


def capture_graph(
    model: nn.Module, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, name: str = "model"
) -> GraphData:
    """Return the graph of a model, with whatever detail can be had; never raises.

    Args:
        model: a module; one wrapped by torch.compile or DataParallel is unwrapped.
        args: an example of what its forward takes. Without any, only the modules are found.
        kwargs: keyword arguments of the same call.
        name: the graph's name.

    Returns:
        The graph. Its `source` tells how it was found: "torch.export", "torch.fx", "torch.jit" or "modules".
    """
    model = unwrap(model)
    called: Arguments = (tuple(args), dict(kwargs or {}))
    if not (args or kwargs):
        return GraphData(name, "torch", "modules", (), _layers(model, {}))
    with _quiet(), random_kept(model), torch.no_grad():
        layers = _layers(model, _attempt("a forward of each layer", lambda: forward_of(model, called)) or {})
        for source, trace in _SOURCES:
            nodes = _attempt(source, lambda trace=trace: trace(model, called))
            if nodes:
                return GraphData(name, "torch", source, nodes, layers)
    return GraphData(name, "torch", "modules", (), layers)


@contextmanager
def _quiet() -> Generator[None]:
    """Keep what export prints and logs about a model from its user, who asked for no export."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _attempt(what: str, work: Callable[[], _T]) -> _T | None:
    try:
        return work()
    except Exception as error:  # a model may raise anything when it meets fake tensors; the next way is tried
        _log.debug("the model's graph: %s did not work: %s", what, error)
        return None


def _layers(model: nn.Module, forwards: Mapping[str, Forward]) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    counted: set[int] = set()  # tied weights belong to the first module that holds them
    for path, module in named_modules(model):
        own = [p for p in module.parameters(recurse=False) if id(p) not in counted]
        counted.update(id(parameter) for parameter in own)
        known = [p for p in own if not nn.parameter.is_lazy(p)]
        held = sum(p.numel() for p in known)
        trained = sum(p.numel() for p in known if p.requires_grad)
        layer = Layer(module_path(path), type(module).__name__, held, trained)
        if forwards:
            forward = forwards.get(path) or Forward()
            memory = sum(p.numel() * p.element_size() for p in known) + forward.returned
            layer = replace(layer, output_shape=forward.shape, flops=forward.flops, memory=memory)
        layers.append(layer)
    return tuple(layers)


# torch.export and torch.fx


def _from_export(model: nn.Module, called: Arguments) -> tuple[GraphNode, ...]:
    _mode, twin, (args, kwargs) = make_fake(model, called)
    program = torch.export.export(twin, args, kwargs, strict=False)
    signature: Any = program.graph_signature
    held: dict[str, str] = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    return _from_nodes(program.graph.nodes, held, _function_name)


def _from_fx(model: nn.Module, called: Arguments) -> tuple[GraphNode, ...]:
    from torch.fx.passes.fake_tensor_prop import FakeTensorProp  # noqa: PLC0415  slow to load, seldom needed

    mode, twin, (args, kwargs) = make_fake(model, called)
    traced: Any = torch.fx.symbolic_trace(twin)
    nodes: list[torch.fx.Node] = list(traced.graph.nodes)
    given = inspect.signature(twin.forward).bind(*args, **kwargs)
    given.apply_defaults()
    inputs = [given.arguments[str(node.target)] for node in nodes if node.op == "placeholder"]
    propagator: Any = FakeTensorProp(traced, mode)
    _attempt("shapes by torch.fx", lambda: propagator.propagate_dont_convert_inputs(*inputs))
    held = {node.name: str(node.target) for node in nodes if node.op == "get_attr"}

    def name_of(node: torch.fx.Node) -> str:
        called_module = traced.get_submodule(node.target) if node.op == "call_module" else None
        return type(called_module).__name__ if called_module is not None else _function_name(node)

    return _from_nodes(nodes, held, name_of)


def _from_nodes(
    nodes: Iterable[torch.fx.Node], held: Mapping[str, str], name_of: Callable[[torch.fx.Node], str]
) -> tuple[GraphNode, ...]:
    """Turn what the output depends on into nodes; `held` names the parameters and buffers among them."""
    ordered = list(nodes)
    ends = {"placeholder": "input", "output": "output"}
    alive: set[str] = set()
    for node in reversed(ordered):  # leaves out counters, such as a BatchNorm's number of batches
        if node.op in ends or node.name in alive:
            alive.update(given.name for given in node.all_input_nodes)
    return tuple(
        GraphNode(
            node_id=node.name,
            op=ends.get(node.op) or name_of(node),
            module=_module_of(node),
            inputs=tuple(given.name for given in node.all_input_nodes if given.name not in held),
            output_shapes=shapes_of(node.meta.get("val")),
            attributes=_attributes_of(node, held),
        )
        for node in ordered
        if (node.op in ends or node.name in alive) and node.name not in held
    )


def _schema_of(node: torch.fx.Node) -> Any:
    return getattr(node.target, "_schema", None)


def _function_name(node: torch.fx.Node) -> str:
    """Write `aten.conv2d.default` as `aten.conv2d`, and a plain function by its name."""
    if schema := _schema_of(node):
        return str(schema.name).replace("::", ".")
    return str(getattr(node.target, "__name__", node.target))


def _module_of(node: torch.fx.Node) -> str:
    stack: list[Any] = list(node.meta.get("nn_module_stack", {}).values())
    path = str(stack[-1][0]) if stack else str(node.target) if node.op == "call_module" else ""
    return module_path(re.sub(r"@\d+", "", path))  # export writes the second call of a module as conv@1


def _attributes_of(node: torch.fx.Node, held: Mapping[str, str]) -> dict[str, str]:
    """Return the constants that an operation was called with, and the parameters that it reads."""
    weights = [module_path(held[given.name]) for given in node.all_input_nodes if given.name in held]
    attributes = {"parameters": ", ".join(weights)} if weights else {}
    if not node.op.startswith("call"):
        return attributes
    schema = _schema_of(node)
    names: list[str] = [argument.name for argument in schema.arguments] if schema else []
    values: dict[str, Any] = {names[i] if i < len(names) else str(i): v for i, v in enumerate(node.args)}
    for key, value in (values | node.kwargs).items():
        leaves: list[Any] = cast("Any", pytree).tree_leaves(value)
        if value is not None and not any(isinstance(leaf, torch.fx.Node) for leaf in leaves):
            attributes[key] = str(value)
    return attributes


# The jit trace

_JIT_PACKING = {"prim::ListConstruct", "prim::TupleConstruct"}
_JIT_PLUMBING = {"prim::Constant", "prim::GetAttr", *_JIT_PACKING}


def _from_jit(model: nn.Module, called: Arguments) -> tuple[GraphNode, ...]:
    """Trace a real forward, on a twin with buffers of its own."""
    parameters = {id(parameter): parameter for parameter in model.parameters()}
    twin = make_twin(model, lambda t: t if id(t) in parameters else t.clone())
    args, kwargs = own_arguments(called)
    example: dict[str, Any] = {"example_inputs": args}
    if kwargs:
        bound = inspect.signature(twin.forward).bind(*args, **kwargs)
        example = {"example_kwarg_inputs": bound.arguments}
    graph: Any = cast("Any", torch.jit).trace(twin, **example, check_trace=False).inlined_graph
    inputs = list(graph.inputs())[1:]
    nodes = [GraphNode(value.debugName(), "input", output_shapes=_jit_shapes([value])) for value in inputs]
    nodes += [_jit_node(node) for node in graph.nodes() if node.kind() not in _JIT_PLUMBING]
    known = {node.node_id for node in nodes}
    return tuple(replace(node, inputs=tuple(i for i in node.inputs if i in known)) for node in nodes)


def _jit_node(node: Any) -> GraphNode:
    outputs: list[Any] = list(node.outputs())
    scope = str(node.scopeName()).rsplit("/", 1)[-1]
    return GraphNode(
        node_id=str(outputs[0].debugName()) if outputs else f"{node.kind()}.{id(node)}",
        op=str(node.kind()).replace("::", "."),
        module=module_path(scope.partition("__module.")[2]),
        inputs=tuple(_jit_inputs(node)),
        output_shapes=_jit_shapes(outputs),
    )


def _jit_inputs(node: Any) -> Iterator[str]:
    """Yield what a node reads, looking through the lists that a trace builds of single values."""
    for value in node.inputs():
        maker = value.node()
        if maker.kind() in _JIT_PACKING:
            yield from _jit_inputs(maker)
        else:
            # Of several outputs of one node, the first gives the node its id.
            first = next(iter(maker.outputs()), value) if maker.kind() != "prim::Param" else value
            yield str(first.debugName())


def _jit_shapes(values: Iterable[Any]) -> tuple[TensorShape, ...]:
    sizes = [value.type().sizes() for value in values if hasattr(value.type(), "sizes")]
    return tuple(tuple(size) for size in sizes if size is not None)


_SOURCES: tuple[tuple[str, Callable[[nn.Module, Arguments], tuple[GraphNode, ...]]], ...] = (
    ("torch.export", _from_export),
    ("torch.fx", _from_fx),
    ("torch.jit", _from_jit),
)
