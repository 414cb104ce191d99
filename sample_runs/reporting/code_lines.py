"""How long a program is: lines that say something, and those of them that are there for Stepscope."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_SAYS_NOTHING = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
    tokenize.ENDMARKER,
}  # fmt: skip


class Lines(NamedTuple):
    """How many lines of a program."""

    all: int
    """Without empty ones, comments and docstrings."""
    stepscope: int
    """Those of statements that use something of Stepscope's: what it imports, a run, a tracker."""


def count(source: str) -> Lines:
    """Count the lines of a Python program."""
    tree = ast.parse(source)
    written = _lines_of_code(source) - _docstrings(tree)
    names = _names(tree)
    own: set[int] = set()
    for first, last, parts in _pieces(tree):
        if any(_uses(part, names) for part in parts):
            own.update(range(first, last + 1))
    return Lines(len(written), len(own & written))


def count_file(path: Path) -> Lines:
    """Count the lines of a file."""
    return count(path.read_text(encoding="utf-8"))


def _lines_of_code(source: str) -> set[int]:
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _SAYS_NOTHING:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines


def _docstrings(tree: ast.AST) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def _names(tree: ast.AST) -> set[str]:
    """Return what is imported of Stepscope, and what is made of it: runs and trackers."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)) and _is_import(node):
            names.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _makes(node.value, names):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
            names |= {node.optional_vars.id} if _makes(node.context_expr, names) else set()
        elif isinstance(node, ast.arg) and node.annotation is not None and _uses(node.annotation, names):
            names.add(node.arg)
    return names


def _is_import(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0] == "stepscope"
    return any(alias.name.partition(".")[0] == "stepscope" for alias in node.names)


def _makes(value: ast.expr, names: set[str]) -> bool:
    """Return whether an expression makes a run or a tracker: `stepscope.init()`, `hooks.TorchTracker()`."""
    if not isinstance(value, ast.Call):
        return False
    called = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
    return (called in ("init", "open") or called[:1].isupper()) and _uses(value.func, names)


def _pieces(tree: ast.AST) -> Iterator[tuple[int, int, list[ast.AST]]]:
    """Give statements with the lines they take; of one with a body only the head: `with`, `for`, `def`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt):
            continue
        body = getattr(node, "body", None)
        if not body:
            yield node.lineno, node.end_lineno or node.lineno, [node]
            continue
        inside = {
            id(child)
            for name in ("body", "orelse", "finalbody", "handlers")
            for child in getattr(node, name, [])
        }
        yield node.lineno, body[0].lineno - 1, [n for n in ast.iter_child_nodes(node) if id(n) not in inside]


def _uses(node: ast.AST, names: set[str]) -> bool:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return _is_import(node)
    return any(isinstance(one, ast.Name) and one.id in names for one in ast.walk(node))
