"""What trackio keeps of a logged value, as this store has it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np

from ....storage.chunks import Columns
from ....storage.errors import BadInput
from ....storage.journal_read import SeriesDefinition
from ....storage.kinds import EVENT, EncodedValue
from ....storage.kinds.event import ALERTS
from ....storage.model import SYSTEM_PREFIX
from ....storage.write_series import NewRecord
from ...media import Histogram, Table, Text
from ...media.base import Loggable
from ..base import Piece, record
from ..media_files import value_of
from ..point_rows import as_seconds, by_series

SPECIAL: Mapping[Any, float] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""How trackio writes numbers that JSON has not."""
_LEVELS = {"info": "info", "warn": "warning", "error": "error"}
_Value: TypeAlias = Mapping[str, Any]


@dataclass(slots=True)
class Rows:
    """Rows of one table on their way into a piece."""

    media: Path
    """The folder that paths of files are below."""
    began: float
    """When the run began: measurements of the machine count seconds from there."""
    place: str
    """What problems name: the file and the table."""
    names: list[str] = field(default_factory=list[str])
    steps: list[int] = field(default_factory=list[int])
    times: list[float] = field(default_factory=list[float])
    values: list[float] = field(default_factory=list[float])
    records: list[NewRecord] = field(default_factory=list[NewRecord])
    problems: list[str] = field(default_factory=list[str])

    def add(self, name: str, value: Loggable, step: int, time: float) -> None:
        """Add a value that is no number, or the sentence why it is left out."""
        try:
            self.records.append(record(name, value, step, time))
        except (BadInput, OSError) as error:
            self.problems.append(f"{self.place}: {name} at step {step} was left out: {error}")

    def piece(self, position: int) -> Piece:
        """Return what was gathered."""
        found = by_series(self.names, self.steps, self.times, self.values) if self.names else []
        points: list[tuple[SeriesDefinition, Columns]] = [
            (series, as_seconds(series.name, columns, self.began)) for series, columns in found
        ]
        return Piece(position, points, self.records, problems=self.problems)


Reader: TypeAlias = Callable[[Rows, float, Sequence[Any]], None]
"""Takes the rows, the time of one and its columns. Raises ValueError and TypeError when it is damaged."""


def logged(rows: Rows, time: float, columns: Sequence[Any]) -> None:
    """Take a call of log: columns step and metrics."""
    step, metrics = columns
    _take(rows, flatten_values(json.loads(metrics)), int(step), time)


def measured(rows: Rows, time: float, columns: Sequence[Any]) -> None:
    """Take a measurement of the machine: the column metrics."""
    found = flatten_values(json.loads(columns[0]))
    _take(rows, ((SYSTEM_PREFIX + name, value) for name, value in found), 0, time)


def alert(rows: Rows, time: float, columns: Sequence[Any]) -> None:
    """Take an alert: columns step, title, text and level."""
    step, title, text, level = columns
    facts = {"title": str(title), "level": _LEVELS.get(level, "warning")}
    encoded = EncodedValue(str(text or "").encode("utf-8", "replace"), facts)
    rows.records.append(NewRecord(SeriesDefinition(ALERTS, EVENT.name, {}), int(step or 0), time, encoded))


def chat(rows: Rows, time: float, columns: Sequence[Any]) -> None:
    """Take a trace: columns step, key, messages, metadata and spans."""
    step, key, messages, metadata, spans = columns
    said = [f"**{one.get('role')}**\n\n{one.get('content')}" for one in json.loads(messages)]
    facts = {"metadata": json.loads(metadata), "spans": json.loads(spans)}
    if any(facts.values()):
        said.append(f"```json\n{json.dumps(facts, indent=1, ensure_ascii=False)}\n```")
    rows.add(str(key), Text("\n\n".join(said)), int(step), time)


def flatten_values(found: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the names and values of a call of log, of nested ones as `a.b`."""
    if not isinstance(found, dict):
        raise ValueError(f"it holds {type(found).__name__} in place of names and values")
    for name, value in cast("dict[str, Any]", found).items():
        if isinstance(value, dict) and "_type" not in value:
            yield from flatten_values(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _take(rows: Rows, found: Any, step: int, time: float) -> None:
    for name, value in found:
        number = (
            value
            if isinstance(value, int | float)
            else SPECIAL.get(value)
            if isinstance(value, str)
            else None
        )
        if number is not None:
            rows.names.append(name)
            rows.steps.append(step)
            rows.times.append(time)
            rows.values.append(_float(number))
        elif value is not None:
            _take_other(rows, name, value, step, time)


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _take_other(rows: Rows, name: str, value: Any, step: int, time: float) -> None:
    try:
        rows.add(name, _loggable(value, rows.media), step, time)
    except (BadInput, OSError, KeyError, TypeError, ValueError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        rows.problems.append(f"{rows.place}: {name} at step {step} was left out: {reason}")


def _loggable(value: Any, media: Path) -> Loggable:
    if isinstance(value, str):
        return Text(value)
    if isinstance(value, list):
        return Text(f"```json\n{json.dumps(value, ensure_ascii=False)}\n```")
    return _typed(value, media)


def _typed(value: _Value, media: Path) -> Loggable:
    match value["_type"]:
        case "trackio.histogram":
            return _histogram(value)
        case "trackio.table":
            return _table(value["_value"])
        case "trackio.markdown":
            return Text(str(value["_value"]))
        case "trackio.trace":
            said = [f"**{one.get('role')}**\n\n{one.get('content')}" for one in value["messages"]]
            return Text("\n\n".join(said))
        case _:
            return _file(value, media)


def _histogram(value: _Value) -> Loggable:
    edges, counts = (np.asarray(value[name], np.float64) for name in ("bins", "values"))
    if not counts.sum():
        raise BadInput("the histogram is empty")
    return Histogram(counts=counts, edges=edges)


def _table(rows: Sequence[_Value]) -> Loggable:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return Table([str(name) for name in names], [[_cell(row.get(name)) for name in names] for row in rows])


def _cell(value: Any) -> Any:
    """Return a cell; of a picture its caption, which is what a cell can hold."""
    if isinstance(value, dict) and "_type" in value:
        found = cast("_Value", value)
        return f"({str(found['_type']).removeprefix('trackio.')}) {found.get('caption') or ''}".rstrip()
    if isinstance(value, list):
        return [_cell(one) for one in cast("list[Any]", value)]
    return _number_or(value)


def _file(value: _Value, media: Path) -> Loggable:
    path = (media / str(value["file_path"])).resolve()
    # Whoever may write into a database is not thereby shown files of the whole machine.
    if not path.is_relative_to(media.resolve()):
        raise BadInput(f"its file {value['file_path']} lies outside of {media}")
    found = value_of(path, value.get("caption"))
    if found is None:
        raise BadInput(f"{value['_type']} has no place in a run; its file is {path}")
    return found


def config_of(text: Any) -> dict[str, Any]:
    """Return a config, without the entries that trackio adds. Raises ValueError, TypeError."""
    found: Any = json.loads(text)
    return {str(name): _plain(value) for name, value in found.items() if not str(name).startswith("_")}


def own_facts(text: Any) -> dict[str, Any]:
    """Return the entries that trackio adds to a config: _Created, _Group, _Username."""
    found: Any = json.loads(text)
    return {str(name): value for name, value in found.items() if str(name).startswith("_")}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_plain(one) for one in cast("list[Any]", value)]
    return _number_or(value)


def _number_or(value: Any) -> Any:
    return SPECIAL.get(value, value) if isinstance(value, str) else value
