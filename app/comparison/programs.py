"""The programs of runs: how many lines of code each took, and how many of them the tracker. Pure."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath
from typing import Any, cast

TRACKER = "stepscope"
_NO_CODE = frozenset(
    {
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
        tokenize.ENCODING, tokenize.ENDMARKER,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lines:
    """How long a program is, in lines that hold code: no blanks, no comments, no docstrings."""

    code: int
    tracker: int
    """Those of them which mention the tracker, or what came from it."""

    @property
    def rest(self) -> int:
        """Those without the tracker's."""
        return self.code - self.tracker


@dataclass(frozen=True, slots=True)
class Program:
    """The main script of a run, as it lay there when the run began."""

    path: str
    text: str
    truncated: bool
    lines: Lines | None
    """None where it was cut, or is no Python of this version."""

    @property
    def name(self) -> str:
        """The name of its file."""
        return PurePath(self.path.replace("\\", "/")).name


def program_of(environment: Mapping[str, Any]) -> Program | None:
    """Return the program of a run out of what was captured; None where it was not kept."""
    found: object = environment.get("program")
    if not isinstance(found, Mapping):
        return None
    kept = cast("Mapping[str, Any]", found)
    text, truncated = str(kept.get("text") or ""), bool(kept.get("truncated"))
    return Program(str(kept.get("path") or ""), text, truncated, None if truncated else lines_of(text))


@lru_cache(maxsize=32)  # a page that follows a run asks again and again
def lines_of(text: str) -> Lines | None:
    """Return how many lines of a program hold code; None when it is no Python.

    Lines of the tracker are those with a name that was imported from it, or with one that got what a call
    of such a name returned (`run = stepscope.init(...)`), and all lines of statements that begin with one.
    """
    try:
        with warnings.catch_warnings():  # of the program, not of this one
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    documented = set(_documented(tree))
    held = {
        line
        for token in tokens
        if token.type not in _NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    } - documented
    names = _names(tree)
    mine = {token.start[0] for token in tokens if token.type == tokenize.NAME and token.string in names}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and _is_tracking(node, names):
            mine |= set(range(node.lineno, _end(node) + 1))
    return Lines(len(held), len(held & mine))


def _documented(tree: ast.AST) -> Iterator[int]:
    """Yield the lines of docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.body:
            first = node.body[0]
            said = first.value if isinstance(first, ast.Expr) else None
            if isinstance(said, ast.Constant) and isinstance(said.value, str):
                yield from range(first.lineno, _end(first) + 1)


def _names(tree: ast.AST) -> set[str]:
    """Return the names that stand for the tracker: imported from it, or made by a call of one of those."""
    names = {name for node in ast.walk(tree) for name in _imported(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            names |= _made(node.value, node.targets, names)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                names |= _made(item.context_expr, [item.optional_vars], names)
    return names


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for one in node.names:
            if one.name.partition(".")[0] == TRACKER:
                yield one.asname or TRACKER
    elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == TRACKER:
        yield from (one.asname or one.name for one in node.names)


def _made(value: ast.expr, targets: list[Any], names: set[str]) -> set[str]:
    if not (isinstance(value, ast.Call) and _root(value) in names):
        return set()
    made = {target.id for target in targets if isinstance(target, ast.Name)}
    # `model = watch(model)` is the user's model still.
    return made - {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}


def _is_tracking(node: ast.stmt, names: set[str]) -> bool:
    """Return whether a whole statement is the tracker's: its import, or a call of it."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return any(_imported(node))
    if isinstance(node, (ast.Expr, ast.Assign)):
        return isinstance(node.value, ast.Call) and _root(node.value) in names
    return False


def _root(node: ast.expr) -> str:
    """Return the name that a chain of attributes and calls begins with: "a" of `a.b().c`."""
    while isinstance(node, (ast.Call, ast.Attribute)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _end(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno
