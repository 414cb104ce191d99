"""Filters of runs: an expression such as `config.lr < 0.01 and "baseline" in tags`, checked, never executed.

The text is parsed with Python's own grammar; of it, only comparisons, `and`, `or`, `not`, constants and the
fields of a run are taken. What a run does not have is None. What cannot be ordered or searched makes a
comparison false.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from .errors import BadInput
from .model import RunState
from .near import near_names

Value: TypeAlias = Callable[[Any], Any]
"""From a run to what a part of the expression is for it."""

FIELDS = (
    "id", "name", "project", "group", "state", "tags", "notes", "framework", "host", "attempt",
    "created_at", "updated_at", "finished_at", "duration", "config", "summary", "last",
)  # fmt: skip
"""Attributes of StoredRun that an expression may name."""

_NESTED = ("config", "summary", "last")
_DEEPEST = 100
"""Levels of an expression. What is nested deeper could exhaust Python's stack."""
_SHOWN = 300
"""Characters of an expression that a message repeats."""
_OPERATORS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
_ALLOWED = (
    'Write comparisons of fields and constants, joined by and, or, not: config.lr < 0.01 and "baseline" '
    f'in tags and last["val/loss"] < 0.3. The fields are: {", ".join(FIELDS)}'
)


@dataclass(frozen=True, slots=True)
class RunFilter:
    """A checked filter."""

    matches: Callable[[Any], bool]
    """Whether a run passes."""
    project: str | None = None
    """The only project that can pass, when the expression says so; the store then reads no other."""
    state: RunState | None = None
    """The same for the state."""


def parse_filter(text: str) -> RunFilter:
    """Return what an expression means.

    Raises:
        BadInput: it is none, or uses more than a filter may; the message names the place and what is allowed.
    """
    parser = _Parser(text.strip())
    tree = parser.tree()
    test = parser.value(tree)
    wanted = dict(_required(tree))
    state = wanted.get("state")
    return RunFilter(
        lambda run: bool(test(run)), wanted.get("project"), None if state is None else RunState(state)
    )


class _Parser:
    """Turns the parts of one expression into functions of a run."""

    def __init__(self, text: str) -> None:
        self._text = text

    def tree(self) -> ast.expr:
        try:
            tree = ast.parse(self._text, mode="eval").body
        except SyntaxError as error:
            # At the end of the text, Python names no column.
            column = error.offset or len(self._text.rpartition("\n")[2]) + 1
            raise self._refusal(error.lineno or 1, column, error.msg) from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise self._refusal(1, 1, str(error) or "it is nested too deeply") from None
        if _is_deep(tree):
            raise self._refusal(1, 1, f"it is nested more than {_DEEPEST} levels deep")
        return tree

    @property
    def shown(self) -> str:
        """The expression, or the beginning of a long one, for a message."""
        return repr(self._text if len(self._text) <= _SHOWN else f"{self._text[:_SHOWN]}…")

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=str() | int() | float() | None as constant):
                return lambda _: constant
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return lambda _: -number
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                values = [self.value(part) for part in parts]
                return lambda run: [value(run) for value in values]
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                negated = self.value(operand)
                return lambda run: not negated(run)
            case ast.BoolOp(op=op, values=parts):
                return self._joined(op, parts)
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._compared(left, ops, others)
            case _:
                return self._field(node)

    def _joined(self, op: ast.boolop, parts: list[ast.expr]) -> Value:
        values = [self.value(part) for part in parts]
        if isinstance(op, ast.And):
            return lambda run: all(value(run) for value in values)
        return lambda run: any(value(run) for value in values)

    def _compared(self, left: ast.expr, ops: list[ast.cmpop], others: list[ast.expr]) -> Value:
        nodes = (left, *others)
        for op, *pair in zip(ops, nodes, nodes[1:], strict=False):
            self._check_states(op, pair)
        sides = [self.value(side) for side in nodes]
        tests = [(_OPERATORS[type(op)], sides[at], sides[at + 1]) for at, op in enumerate(ops)]
        return lambda run: all(_holds(test, first(run), second(run)) for test, first, second in tests)

    def _check_states(self, op: ast.cmpop, sides: Sequence[ast.expr]) -> None:
        """Refuse what no state is, where `state` is compared with it or looked for in a list."""
        if not any(isinstance(side, ast.Name) and side.id == "state" for side in sides):
            return
        for side in sides:
            listed = isinstance(side, ast.Tuple | ast.List)
            # `"fin" in state` asks for a part of a name, and `state in "finished"` the other way round.
            whole = listed or not isinstance(op, ast.In | ast.NotIn)
            for part in side.elts if listed else [side]:
                text = part.value if isinstance(part, ast.Constant) else None
                if isinstance(text, str) and not _may_be_state(text, whole=whole):
                    raise self._wrong(part, f"a state is one of {', '.join(RunState)}, but not {text!r}")

    def _field(self, node: ast.expr) -> Value:
        match node:
            case ast.Name(id="tags"):
                return lambda run: list(run.tags)  # as those of the text and of a config are
            case ast.Name(id=name) if name in FIELDS:
                return operator.attrgetter(name)
            case ast.Name(id=name):
                raise self._wrong(node, f"there is no field {name!r}.{near_names(name, FIELDS)}")
            case ast.Attribute(value=parent, attr=key):
                return self._entry(parent, key, node)
            case ast.Subscript(value=parent, slice=ast.Constant(value=str() as key)):
                return self._entry(parent, key, node)
            case _:
                raise self._wrong(node, f"{type(node).__name__} is not allowed")

    def _entry(self, parent: ast.expr, key: str, node: ast.expr) -> Value:
        if isinstance(parent, ast.Name) and parent.id not in _NESTED:
            raise self._wrong(node, f"only {', '.join(_NESTED)} have entries, not {parent.id!r}")
        mapping = self._field(parent)
        return lambda run: _entry_of(mapping(run), key)

    def _wrong(self, node: ast.expr, what: str) -> BadInput:
        # ast counts bytes of UTF-8.
        line = self._text.splitlines()[node.lineno - 1]
        column = len(line.encode()[: node.col_offset].decode()) + 1
        part = ast.get_source_segment(self._text, node) or ""
        return self._refusal(node.lineno, column, f"`{part[:_SHOWN]}`: {what[:_SHOWN]}")

    def _refusal(self, line: int, column: int, what: str) -> BadInput:
        place = f"column {column}" if line == 1 else f"line {line}, column {column}"
        return BadInput(f"filter {self.shown}, {place}: {what.rstrip('.')}. {_ALLOWED}")


def _may_be_state(text: str, *, whole: bool) -> bool:
    return text in set(RunState) if whole else any(text in state or state in text for state in RunState)


def _is_deep(tree: ast.expr) -> bool:
    level: list[ast.AST] = [tree]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return bool(level)


def _holds(test: Callable[[Any, Any], Any], left: Any, right: Any) -> bool:
    try:
        return bool(test(left, right))
    except TypeError:
        return False


def _entry_of(mapping: Any, key: str) -> Any:
    return cast("Mapping[str, Any]", mapping).get(key) if isinstance(mapping, Mapping) else None


def _required(node: ast.expr) -> list[tuple[str, str]]:
    """Return field and value of each comparison `field == "value"` that a run must pass."""
    match node:
        case ast.BoolOp(op=ast.And(), values=parts):
            return [pair for part in parts for pair in _required(part)]
        case ast.Compare(
            left=ast.Name(id=name), ops=[ast.Eq()], comparators=[ast.Constant(value=str() as value)]
        ):
            return [(name, value)]
        case _:
            return []
