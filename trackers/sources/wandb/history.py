"""The rows of a W&B history: each has a step, a time, and values under names, which may be nested."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ....storage.chunks import Columns
from ....storage.errors import BadInput
from ....storage.journal_read import SeriesDefinition
from ....storage.write_series import NewRecord
from ...media import Loggable, Text
from ..base import FoundArtifact, columns, record
from .facts import enter, parsed
from .media import files_of, media_of
from .wire import ITEM, STEP, Content, field_at, step_in

_STEP, _TIME, _RUNTIME = "_step", "_timestamp", "_runtime"
_WORDS = {"true": "1", "false": "0", '"NaN"': "nan", '"Infinity"': "inf", '"-Infinity"': "-inf"}
"""What stands for a number without being one in JSON; W&B's versions differ in how they write these."""
_BEGINNINGS = frozenset(b"0123456789-NI")
_NAME, _VALUE = b"\x12", b"\x82\x01"
"""What stands before the name and before the value of an item."""

_MOST_STEPS = 1 << 62

_Tree = dict[str, Any]
"""A nested value: trees, and at their ends what W&B wrote as JSON."""


@dataclass(slots=True)
class _Column:
    """The numbers of one name: in which rows they stand, and their texts."""

    definition: SeriesDefinition
    rows: list[int] = field(default_factory=list[int])
    texts: list[bytes] = field(default_factory=list[bytes])

    def of_row(self, row: int) -> float | None:
        """Return the number of the newest row, None without one."""
        return float(self.texts[-1]) if self.rows and self.rows[-1] == row else None


class Rows:
    """Takes rows one by one, and gives them back as points and records."""

    def __init__(self, folder: Path, parse_item: Callable[[bytes], Any]) -> None:
        """Find the files of media in `folder`; `parse_item` makes a HistoryItem of W&B's of its bytes."""
        self.step = 0
        """The newest step."""
        self.points = 0
        """How many numbers wait to be taken."""
        self.records: list[NewRecord] = []
        self.artifacts: list[FoundArtifact] = []
        """Media that there is no kind for."""
        self.problems: list[str] = []
        self._folder = folder
        self._parse_item = parse_item
        self._definitions: dict[tuple[str, str], SeriesDefinition] = {}
        self._columns: dict[str, _Column] = {}
        self._known: dict[bytes, _Column] = {}
        """Columns by the bytes that stand before their values."""
        self._row = 0
        self._steps: list[int] = []
        self._times: list[float] = []

    def take(self, data: bytes, content: Content, time: float) -> None:
        """Take a record with a row; `time` is when it was logged, where it does not say so itself.

        Raises:
            Exception: protobuf's DecodeError, of an item that is none.
        """
        self._row = len(self._steps)
        others, step = self._take_known(data, content)
        rest: list[tuple[str, str]] = []
        nested: _Tree = {}
        for item in others:
            found = self._parse_item(item)
            path, text = list(found.nested_key), found.value_json or _typed(found)
            if len(path) > 1:
                enter(nested, path, text)
            elif (name := path[0] if path else found.key) and not self._take_number(name, text, item):
                rest.append((name, text))
        self._end_row(step, time)
        for name, text in rest:
            self._take_value(name, parsed(text))
        for name, tree in nested.items():
            self._take_tree(name, tree)

    def _take_known(self, data: bytes, content: Content) -> tuple[list[bytes], int | None]:
        """Take what is a known name and a number, as nearly all items are; return other items, the step."""
        row, known = self._row, self._known
        others: list[bytes] = []
        step: int | None = None
        _, at, end = content
        while at < end:
            if data[at] == ITEM and at + 1 < end and data[at + 1] < 0x80:
                tag, start = ITEM, at + 2
                at = start + data[at + 1]
            else:
                tag, start, at = field_at(data, at)
            if tag == ITEM and start + 1 < at:
                # Name, its length and what stands around them; then the length of a text, then the text.
                front = start + data[start + 1] + 4
                column = known.get(data[start:front])
                if column is not None and data[front] == at - front - 1 and data[front + 1] in _BEGINNINGS:
                    column.rows.append(row)
                    column.texts.append(data[front + 1 : at])
                    self.points += 1
                else:
                    others.append(data[start:at])
            elif tag == STEP:
                step = step_in(data[start:at])
        return others, step

    def _take_number(self, name: str, text: str, item: bytes = b"") -> bool:
        """Take a number of the newest row, and know its name by its item from then on; tell if it is one."""
        data = _WORDS.get(text, text).encode()
        if not data or (data[0] not in _BEGINNINGS and text not in _WORDS):
            return False
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = _Column(SeriesDefinition(name, "scalar", {}))
        encoded = name.encode()
        front = _NAME + bytes([len(encoded) & 0x7F]) + encoded + _VALUE
        if len(encoded) < 0x80 and item.startswith(front):
            self._known[front] = column
        column.rows.append(self._row)
        column.texts.append(data)
        self.points += 1
        return True

    def _end_row(self, step: int | None, time: float) -> None:
        """Find the step and the time of a row."""
        told = {
            name: self._columns[name].of_row(self._row) for name in (_STEP, _TIME) if name in self._columns
        }
        known = step if told.get(_STEP) is None else told[_STEP]
        if known is not None and abs(known) < _MOST_STEPS:  # NaN is not
            self.step = int(known)
        elif known is not None:
            self.problems.append(
                f"{self._folder.parent.name}: a row has the step {known}: it got that before."
            )
        at = told.get(_TIME)
        self._steps.append(self.step)
        self._times.append(time if at is None else at)

    def pass_over(self, data: bytes, content: Content) -> None:
        """Leave out a record with a row that was taken before, but for its step."""
        self.take(data, content, 0.0)
        self.drain()
        self.records, self.artifacts, self.problems = [], [], []

    def drain(self) -> list[tuple[SeriesDefinition, Columns]]:
        """Return the points that wait, and forget them."""
        steps, times = np.asarray(self._steps, np.int64), np.asarray(self._times, np.float64)
        found: list[tuple[SeriesDefinition, Columns]] = []
        for name, column in self._columns.items():
            if column.rows and name not in (_STEP, _TIME, _RUNTIME):
                points = columns(steps[column.rows], times[column.rows], _numbers(column.texts))
                found.append((column.definition, points))
            column.rows.clear()
            column.texts.clear()
        self._steps.clear()
        self._times.clear()
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

    def _take_tree(self, name: str, tree: _Tree) -> None:
        if "_type" in tree:
            self._take_note(name, _unfolded(tree))
            return
        for key, inner in tree.items():
            if isinstance(inner, dict):
                self._take_tree(f"{name}.{key}", cast("_Tree", inner))
            elif not self._take_number(f"{name}.{key}", inner):
                self._take_value(f"{name}.{key}", parsed(inner))

    def _take_value(self, name: str, value: Any) -> None:
        if isinstance(value, dict):
            found = cast("_Tree", value)
            if "_type" in found:
                self._take_note(name, found)
                return
            for key, inner in found.items():
                self._take_value(f"{name}.{key}", inner)
        elif isinstance(value, bool | int | float):
            self._take_number(name, json.dumps(float(value)))
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


def _numbers(texts: list[bytes]) -> NDArray[np.float64]:
    try:
        return np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:  # some begin as numbers do, and are none
        return np.fromiter(map(_number, texts), np.float64, len(texts))


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _typed(item: Any) -> str:
    """Return what newer versions of W&B write in a field of its type, as JSON."""
    which = item.WhichOneof("value") if "value" in item.DESCRIPTOR.oneofs_by_name else None
    if which is None or which == "none":
        return "null"
    value = getattr(item, which)
    return value if which == "json" else json.dumps(value)


def _unfolded(tree: _Tree) -> _Tree:
    return {
        key: _unfolded(cast("_Tree", inner)) if isinstance(inner, dict) else parsed(inner)
        for key, inner in tree.items()
    }
