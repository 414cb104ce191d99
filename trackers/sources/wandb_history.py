"""The rows of a W&B history: each has a step, a time, and values under names, which may be nested."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...storage.chunks import Columns
from ...storage.errors import BadInput
from ...storage.journal_read import SeriesDefinition
from ...storage.write_series import NewRecord
from ..media import Loggable, Text
from .base import FoundArtifact, columns, record
from .wandb_facts import parsed
from .wandb_media import files_of, media_of

_STEP, _TIME, _RUNTIME = "_step", "_timestamp", "_runtime"
_WORDS = {"true": "1", "false": "0", '"NaN"': "nan", '"Infinity"': "inf", '"-Infinity"': "-inf"}
"""What stands for a number without being one in JSON; W&B's versions differ in how they write these."""
_BEGINNINGS = frozenset("0123456789-NIni")
_NOT_NUMBERS = ("null", "")

_Tree = dict[str, Any]
"""A nested value: trees, and at their ends what W&B wrote as JSON."""


@dataclass(slots=True)
class _Column:
    """The numbers of one name: in which rows they stand, and their texts."""

    definition: SeriesDefinition
    rows: list[int] = field(default_factory=list[int])
    texts: list[str] = field(default_factory=list[str])


class Rows:
    """Takes rows one by one, and gives them back as points and records."""

    def __init__(self, folder: Path) -> None:
        """Find the files of media in a folder: `files` beside the log."""
        self.step = 0
        """The newest step."""
        self.points = 0
        """How many numbers wait to be taken."""
        self.records: list[NewRecord] = []
        self.artifacts: list[FoundArtifact] = []
        """Media that there is no kind for."""
        self.problems: list[str] = []
        self._folder = folder
        self._definitions: dict[tuple[str, str], SeriesDefinition] = {}
        self._columns: dict[str, _Column] = {}
        self._steps: list[int] = []
        self._times: list[float] = []

    def take(self, history: Any, time: float) -> None:
        """Take a HistoryRecord; `time` is when it was logged, where it does not say so itself."""
        facts: dict[str, float] = {}
        plain: list[tuple[str, str]] = []
        nested: _Tree = {}
        for item in history.item:
            path = item.nested_key
            text = item.value_json or _typed(item)
            if len(path) > 1:
                _enter(nested, path, text)
                continue
            name = path[0] if path else item.key
            if name in (_STEP, _TIME, _RUNTIME):
                facts[name] = float(text)
            else:
                plain.append((name, text))
        self._place(history, facts, time)
        for name, text in plain:
            self._take_text(name, text)
        for name, tree in nested.items():
            self._take_tree(name, tree)

    def drain(self) -> list[tuple[SeriesDefinition, Columns]]:
        """Return the points that wait, and forget them."""
        steps, times = np.asarray(self._steps, np.int64), np.asarray(self._times, np.float64)
        found: list[tuple[SeriesDefinition, Columns]] = []
        for column in self._columns.values():
            rows = np.asarray(column.rows)
            found.append((column.definition, columns(steps[rows], times[rows], _numbers(column.texts))))
        self._columns, self._steps, self._times = {}, [], []
        self.points = 0
        return found

    def add(self, name: str, value: Loggable) -> None:
        """Take a value of the newest row. A value that cannot be kept becomes a problem."""
        definition = self._definition(name, value.kind)
        try:
            made = record(name, value, self._steps[-1], self._times[-1])
        except BadInput as error:
            self._problem(name, error)
            return
        self.records.append(made._replace(definition=definition))

    def pass_over(self, history: Any) -> None:
        """Leave out a row that was taken before."""
        steps = [item.value_json for item in history.item if _STEP in (item.key, *item.nested_key)]
        self._place(history, dict.fromkeys((_STEP,) * len(steps), float((steps or ["0"])[-1])), 0.0)
        self.drain()

    def _place(self, history: Any, facts: Mapping[str, float], time: float) -> None:
        """Begin a row."""
        if _STEP in facts:
            self.step = int(facts[_STEP])
        elif history.HasField("step"):
            self.step = int(history.step.num)
        self._steps.append(self.step)
        self._times.append(facts.get(_TIME, time))

    def _take_text(self, name: str, text: str) -> None:
        """Take what W&B wrote as JSON."""
        number = _WORDS.get(text, text)
        if number[:1] in _BEGINNINGS and number not in _NOT_NUMBERS:
            self._take_number(name, number)
        else:
            self._take_value(name, parsed(text))

    def _take_number(self, name: str, text: str) -> None:
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = _Column(self._definition(name, "scalar"))
        column.rows.append(len(self._steps) - 1)
        column.texts.append(text)
        self.points += 1

    def _take_tree(self, name: str, tree: _Tree) -> None:
        if "_type" in tree:
            self._take_note(name, _unfolded(tree))
            return
        for key, inner in tree.items():
            if isinstance(inner, dict):
                self._take_tree(f"{name}.{key}", cast("_Tree", inner))
            else:
                self._take_text(f"{name}.{key}", inner)

    def _take_value(self, name: str, value: Any) -> None:
        if isinstance(value, dict):
            found = cast("_Tree", value)
            if "_type" in found:
                self._take_note(name, found)
                return
            for key, inner in found.items():
                self._take_value(f"{name}.{key}", inner)
        elif isinstance(value, bool | int | float):
            self._take_number(name, repr(float(value)))
        elif value is not None:
            self.add(name, Text(value if isinstance(value, str) else json.dumps(value)))

    def _take_note(self, name: str, note: Mapping[str, Any]) -> None:
        try:
            for medium in media_of(note, self._folder):
                self.add(f"{name}{medium.suffix}", medium.value)
        except BadInput as error:
            kept = [
                FoundArtifact(path, name.replace("/", "-"), "media", self._times[-1])
                for path in files_of(note, self._folder)
            ]
            self.artifacts += kept
            self._problem(name, f"{error}. Its file is kept as an artifact." if kept else error)

    def _problem(self, name: str, error: object) -> None:
        self.problems.append(f"{self._folder.parent.name}: {name}: {error}")

    def _definition(self, name: str, kind: str) -> SeriesDefinition:
        key = (name, kind)
        if key not in self._definitions:
            self._definitions[key] = SeriesDefinition(name, kind, {})
        return self._definitions[key]


def _numbers(texts: list[str]) -> NDArray[np.float64]:
    return np.fromiter(map(float, texts), np.float64, len(texts))


def _typed(item: Any) -> str:
    """Return what newer versions of W&B write in a field of its type, as JSON."""
    which = item.WhichOneof("value") if "value" in item.DESCRIPTOR.oneofs_by_name else None
    if which is None or which == "none":
        return "null"
    value = getattr(item, which)
    return value if which == "json" else json.dumps(value)


def _enter(tree: _Tree, path: Any, text: str) -> None:
    for key in path[:-1]:
        inner = tree.get(key)
        if not isinstance(inner, dict):
            inner = tree[key] = {}
        tree = cast("_Tree", inner)
    tree[path[-1]] = text


def _unfolded(tree: _Tree) -> _Tree:
    return {
        key: _unfolded(cast("_Tree", inner)) if isinstance(inner, dict) else parsed(inner)
        for key, inner in tree.items()
    }
