"""One W&B log, read in pieces: its history, machine, console, alerts and files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np

from ....storage.chunks import Columns
from ....storage.journal_read import SeriesDefinition
from ....storage.kinds import EVENT, EncodedValue
from ....storage.kinds.event import ALERTS
from ....storage.metric_definitions import METRICS, MetricDefinition
from ....storage.model import SYSTEM_PREFIX
from ....storage.write_series import NewRecord
from ..base import PIECE_BYTES, PIECE_POINTS, FoundArtifact, Piece, columns, scalar
from ..printed import Printed
from .artifacts import Artifacts
from .facts import parsed, seconds
from .history import Rows
from .log import LogRecord, read_log
from .protos import Protos
from .wire import HISTORY, OUTPUT, OUTPUT_RAW, SUMMARY, Content, content_of

_LEVELS = {"INFO": "info", "WARN": "warning", "ERROR": "error"}
_ALERTS = SeriesDefinition(ALERTS, EVENT.name, {})
_METRICS = SeriesDefinition(METRICS, EVENT.name, {})
_GPU_READINGS = {"gpu": "utilization_percent", "temp": "temperature_c", "powerWatts": "power_w"}
_STDERR = 0
_MAXIMIZE = 2
_OTHER_FILE = 0

_Machine = dict[str, tuple[SeriesDefinition, list[tuple[float, float]]]]
"""Name -> series, and times and values that wait."""


class LogReader:
    """Reads one log from a position on, and then what is added to it."""

    def __init__(self, path: Path, started_at: float, protos: Protos) -> None:
        """Read nothing yet.

        Args:
            path: of the log.
            started_at: when the run began: steps of what is measured of the machine are seconds since then.
            protos: make W&B's objects of bytes.
        """
        self.position = 0
        """Where the next record begins."""
        self._path = path
        self._started_at = started_at
        self._parse = protos.record
        self._rows = Rows(path.with_name("files"), protos.item)
        self._printed = Printed()
        self._machine: _Machine = {}
        self._time = started_at
        self._artifacts = Artifacts()
        self._piece = Piece(0)
        self._bytes = 0
        self._takers: Mapping[str, Callable[[Any], None]] = {
            "stats": self._take_stats,
            "output": self._take_output,
            "output_raw": self._take_output,
            "alert": self._take_alert,
            "metric": self._take_metric,
            "artifact": self._take_artifact,
            "files": self._take_files,
        }

    def pieces(self, *, is_quiet: bool) -> Iterator[Piece]:
        """Yield what was added; an unfinished end is told when the log is quiet.

        Raises:
            OSError: the log cannot be read.
        """
        for entry in read_log(self._path, self.position):
            self._take(entry, is_quiet=is_quiet)
            self.position = entry.end
            if self._rows.points >= PIECE_POINTS or self._bytes >= PIECE_BYTES:
                yield self._finished()
                self._artifacts.clear()
        yield self._finished()
        self._artifacts.clear()

    def pass_over(self, position: int) -> None:
        """Go to a position without a piece; what was printed before is counted, the step there found."""
        newest = b""
        for entry in read_log(self._path):
            if entry.start >= position:
                break
            content = content_of(entry.data)
            if content.kind in (OUTPUT, OUTPUT_RAW):
                self._printed.pass_over(_output(self._parse(entry.data)).line)
            elif content.kind == HISTORY:
                newest = entry.data
        if newest:
            self._rows.pass_over(newest, content_of(newest))
        self.position = position

    def _take(self, entry: LogRecord, *, is_quiet: bool) -> None:
        if entry.problem:
            if is_quiet or not entry.is_tail:
                self._piece.problems.append(entry.problem)
            return
        content = content_of(entry.data)
        if content.kind == SUMMARY:
            return
        try:
            if content.kind == HISTORY:
                self._take_history(entry.data, content)
                return
            record = self._parse(entry.data)
        except Exception as error:  # protobuf's DecodeError, although the checksum is right
            place = f"{self._path}: the record at byte {entry.start:,}"
            self._piece.problems.append(f"{place} is none of W&B's: {error}")
            return
        take = self._takers.get(record.WhichOneof("record_type"))
        if take is not None:
            take(record)
            self._bytes += len(entry.data)

    def _finished(self) -> Piece:
        """Return what was taken since the last piece."""
        piece, rows = self._piece, self._rows
        piece.position = self.position
        piece.points = [*rows.drain(), *self._drain_machine()]
        piece.records += [*rows.records, *self._printed.drain(rows.step)]
        piece.artifacts += rows.artifacts
        piece.problems += rows.problems
        rows.records, rows.artifacts, rows.problems = [], [], []
        self._piece, self._bytes = Piece(0), 0
        return piece

    def _take_history(self, data: bytes, content: Content) -> None:
        before = len(self._rows.records)
        self._rows.take(data, content, self._time)
        self._bytes += sum(len(one.encoded.data) for one in self._rows.records[before:])

    def _take_stats(self, record: Any) -> None:
        self._time = time = seconds(record.stats.timestamp)
        for item in record.stats.item:
            value = parsed(item.value_json)
            if isinstance(value, int | float):
                if item.key not in self._machine:
                    self._machine[item.key] = (scalar(SYSTEM_PREFIX + _name_of(item.key)), [])
                self._machine[item.key][1].append((time, float(value)))

    def _drain_machine(self) -> Iterator[tuple[SeriesDefinition, Columns]]:
        for definition, waiting in self._machine.values():
            if waiting:
                times, values = np.asarray(waiting, np.float64).T
                yield definition, columns(np.maximum(0, times - self._started_at), times, values)
                waiting.clear()

    def _take_output(self, record: Any) -> None:
        output = _output(record)
        time = seconds(output.timestamp)
        self._printed.take(output.line, time, is_error=output.output_type == _STDERR)

    def _take_alert(self, record: Any) -> None:
        alert = record.alert
        facts = {"title": alert.title, "level": _LEVELS.get(alert.level, "info")}
        self._add_event(_ALERTS, alert.text, facts)

    def _take_metric(self, record: Any) -> None:
        made = _definition(record.metric)
        self._add_event(_METRICS, json.dumps(asdict(made)), {"name": made.name})

    def _take_artifact(self, record: Any) -> None:
        found, problems = self._artifacts.found(record.artifact, self._time)
        self._piece.artifacts += [] if found is None else [found]
        self._piece.problems += [f"{self._path.parent.name}: {problem}" for problem in problems]

    def _take_files(self, record: Any) -> None:
        """Take what the user gave to wandb.save: media and W&B's own files are among the values and facts."""
        for file in record.files.files:
            path = self._path.with_name("files") / file.path
            if file.type == _OTHER_FILE and not file.path.startswith("media/") and path.is_file():
                found = FoundArtifact(path, file.path.replace("/", "-"), "files", self._time)
                self._piece.artifacts.append(found)

    def _add_event(self, definition: SeriesDefinition, text: str, facts: dict[str, Any]) -> None:
        encoded = EncodedValue(text.encode("utf-8", "replace"), facts)
        self._piece.records.append(NewRecord(definition, self._rows.step, self._time, encoded))


def _name_of(reading: str) -> str:
    """Return the name of a reading of the machine: ours, where it is the same in the same unit."""
    found = re.fullmatch(r"gpu\.(\d+)\.(\w+)", reading)
    if found is None or found[2] not in _GPU_READINGS:
        return reading
    return f"gpu{found[1]}/{_GPU_READINGS[found[2]]}"


def _output(record: Any) -> Any:
    return record.output_raw if record.HasField("output_raw") else record.output


def _definition(metric: Any) -> MetricDefinition:
    words = ("min", "max", "mean", "best", "last")
    return MetricDefinition(
        # A name stands for itself, whatever a pattern would make of its characters.
        name=metric.glob_name or escape(metric.name),
        step_metric=metric.step_metric or None,
        summary=tuple(word for word in words if getattr(metric.summary, word)),
        goal="maximize" if metric.goal == _MAXIMIZE else "minimize",
        hidden=metric.options.hidden,
    )
