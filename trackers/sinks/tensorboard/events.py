"""A run as TensorBoard's events: one file for the run, and one for each of its sub-runs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from ....storage.events import Event
from ....storage.kinds.hparams import HParamsData
from ....storage.model import Points, Record, Run, Series
from .conceptual import conceptual_value
from .hparams import session_end, session_start
from .layout import LAYOUT_NAME, layout_from_text, layout_value
from .names import Place, places
from .protos import event_pb2, summary_pb2
from .records import framed
from .sidecar import RunFacts, event_value, record_value, run_value, series_value
from .steps import is_step_statistics, step_statistics
from .values import JOINED, Strings, array_values, graph_def, joined, metadata, place_in_joined, strings_of

Write: TypeAlias = Callable[[bytes], None]
OpenFile: TypeAlias = Callable[[str], tuple[Write, bool]]
"""Opens the file of a sub-run; returns what appends to it, and whether it is empty."""

_VERSION = "brain.Event:2"


class RunEvents:
    """Takes the series of a run one after the other, and writes each to the file where it belongs."""

    def __init__(
        self,
        facts: RunFacts,
        open_file: OpenFile,
        *,
        can_restart: bool = False,
        export: str = "",
        known: Mapping[int, Place] | None = None,
    ) -> None:
        """Write nothing yet.

        Args:
            facts: what is known of the run.
            open_file: called with the name of a sub-run, "" for the run itself.
            can_restart: whether `restart` may be called.
            export: of an export that goes on; see tensorboard_sidecar.run_value.
            known: places that series have in it.
        """
        self.export = export or secrets.token_hex(8)
        self.hparams: dict[str, Any] = {}
        self._facts = facts
        self._open_file = open_file
        self._can_restart = can_restart
        self._has_own_layout = False
        self._places = dict(known or {})
        self._files: dict[str, EventFile] = {}

    def add_events(self, events: Sequence[Event]) -> None:
        """Write what the run said of itself."""
        for event in events:
            self._file("").add([event_value(event)], event.step, event.time)

    def restart(self, sub_run: str, step: int, time: float) -> None:
        """Tell readers of a file to forget what they have from a step on: it is written again."""
        self._file(sub_run).restart(step, time)

    def open(self, sub_run: str) -> None:
        """Open the file of a sub-run, if it is not open yet."""
        self._file(sub_run)

    def place(self, series: Sequence[Series]) -> None:
        """Learn of series; those that have a place keep it."""
        new = [one for one in series if one.series_id not in self._places]
        self._places |= places(new, self._places)

    def place_of(self, series: Series) -> Place:
        """Return where a series is."""
        return self._places[series.series_id]

    def add_points(self, series: Series, points: Points) -> None:
        """Write numbers as float32."""
        place = self.place_of(series)
        self._file(place.sub_run).add_points(series, place.tag, points)

    def add_record(self, series: Series, record: Record, value: Any) -> None:
        """Write a value of another kind, and the original beside what TensorBoard shows of it."""
        place = self.place_of(series)
        self._file(place.sub_run).add_record(series, place.tag, record, value)
        if series.kind == "hparams":
            self._add_hparams(record, value)
        elif series.kind == "text" and series.name == LAYOUT_NAME:
            layout = layout_from_text(value.text)
            if layout is not None:
                self._file("").add([layout_value(layout)], record.step, record.time)
                self._has_own_layout = True

    def flush(self) -> None:
        """Write what waits for more values of its step."""
        for file in self._files.values():
            file.flush()

    def write_layout(self, layout: Any | None) -> None:
        """Write which charts TensorBoard shows among the custom scalars, unless the run brought its own."""
        if layout is not None and layout.category and not self._has_own_layout:
            self._file("").add([layout_value(layout)], 0, self._facts.run.created_at)

    def write_facts(self, facts: RunFacts, sub_run: str = "") -> None:
        """Write what is known of the run; what is written last counts."""
        value = run_value(facts, self.export, sub_run)
        self._file(sub_run).add([value], 0, facts.run.created_at)

    def write_start(self) -> None:
        """Write the hyperparameters: the config, and what was logged so far."""
        self._file("").add([session_start(self._facts.run, self.hparams)], 0, self._facts.run.created_at)

    def write_end(self, run: Run) -> None:
        """Write how the run ended, if it has."""
        end = session_end(run)
        if end is not None:
            self._file("").add([end], 0, run.created_at + run.duration)

    def _add_hparams(self, record: Record, value: HParamsData) -> None:
        """Keep hyperparameters for `write_start`; write metrics that are no series of the run."""
        self.hparams.update(value.values)
        shown = {place.tag for place in self._places.values()}
        new = {name: number for name, number in value.metrics.items() if name not in shown}
        metrics = [summary_pb2.Summary.Value(tag=name, simple_value=number) for name, number in new.items()]
        if metrics:
            self._file("").add(metrics, record.step, record.time)

    def _file(self, sub_run: str) -> EventFile:
        if sub_run not in self._files:
            write, is_new = self._open_file(sub_run)
            self._files[sub_run] = EventFile(write, self._facts)
            if is_new:
                self._files[sub_run].begin()
                if self._can_restart:
                    # TensorBoard takes the first for the beginning, and forgets steps at later ones.
                    self.restart(sub_run, 0, self._facts.run.created_at)
                self.write_facts(self._facts, sub_run)
        return self._files[sub_run]


class EventFile:
    """One event file: values in, framed records out."""

    def __init__(self, write: Write, facts: RunFacts) -> None:
        """Take what appends to the file, and what is known of the run."""
        self._write = write
        self._facts = facts
        self._told: set[int] = set()
        self._described: set[int] = set()
        self._waiting: _Waiting | None = None

    def begin(self) -> None:
        """Write what every file begins with."""
        time, source = self._facts.run.created_at, event_pb2.SourceMetadata(writer="stepscope")
        self._event(event_pb2.Event(wall_time=time, file_version=_VERSION, source_metadata=source))

    def add(self, values: Sequence[Any], step: int, time: float) -> None:
        """Write an event with some values."""
        self._event(event_pb2.Event(wall_time=time, step=step, summary={"value": values}))

    def restart(self, step: int, time: float) -> None:
        """Tell readers to forget what they have from a step on: it is written again."""
        log = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._event(event_pb2.Event(wall_time=time, step=step, session_log=log))

    def add_points(self, series: Series, tag: str, points: Points) -> None:
        """Write numbers as float32."""
        if not len(points):
            return
        self._tell(series, tag, int(points.step[0]), float(points.time[0]))
        event = event_pb2.Event()
        value = event.summary.value.add(tag=tag)
        self._describe(series, [value])
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
            numbers = points.last.astype(np.float32)
        records: list[bytes] = []
        for time, step, number in zip(
            points.time.tolist(), points.step.tolist(), numbers.tolist(), strict=True
        ):
            # One message is filled again and again: making a new one costs more than writing it.
            event.wall_time, event.step, value.simple_value = time, step, number
            records.append(framed(event.SerializeToString()))
            if len(records) == 1:
                value.ClearField("metadata")
        self._write(b"".join(records))

    def add_record(self, series: Series, tag: str, record: Record, value: Any) -> None:
        """Write a value of any kind but a scalar, with the original of what TensorBoard shows."""
        self._tell(series, tag, record.step, record.time)
        profile = series.kind == "table" and is_step_statistics(value)
        if series.kind in JOINED and series.name != LAYOUT_NAME and not profile:
            self._add_strings(series, tag, record, value)
            return
        about = {"wall_time": record.time, "step": record.step}
        shown: list[Any] = []
        if series.kind in _ARRAYS:
            shown = array_values(series.kind, tag, value)
            self._describe(series, shown, value)
        elif series.kind == "graph":
            self._event(event_pb2.Event(**about, graph_def=graph_def(value).SerializeToString()))
            shown = [conceptual_value(tag, value)]
        elif profile:
            data = step_statistics(value).SerializeToString()
            self._event(event_pb2.Event(**about, tagged_run_metadata={"tag": tag, "run_metadata": data}))
        self.add([*shown, record_value(series, record, record.time)], record.step, record.time)

    def flush(self) -> None:
        """Write what waits for more values of its step."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        series, records, strings = waiting.series, waiting.records, waiting.strings
        shown = joined(series.kind, waiting.tag, strings)
        self._describe(series, [shown])
        time = records[0].time
        originals = [
            record_value(series, record, time, waiting.tag, place_in_joined(strings, index))
            if string.original
            else record_value(series, record, time)
            for index, (record, string) in enumerate(zip(records, strings, strict=True))
        ]
        self.add([shown, *originals], records[0].step, time)

    def _add_strings(self, series: Series, tag: str, record: Record, value: Any) -> None:
        """Let values of one step wait for each other: TensorBoard shows one value of a step."""
        waiting = self._waiting
        if waiting is not None and not waiting.takes(series, record):
            self.flush()
            waiting = None
        try:
            strings = strings_of(series.kind, value)
        except Exception:
            # What cannot be shown is kept all the same.
            self.add([record_value(series, record, record.time)], record.step, record.time)
            raise
        if waiting is None:
            waiting = self._waiting = _Waiting(series, tag)
        waiting.records.append(record)
        waiting.strings.append(strings)

    def _tell(self, series: Series, tag: str, step: int, time: float) -> None:
        """Say which series a tag is, before its first value."""
        if self._waiting is not None and self._waiting.series.series_id != series.series_id:
            self.flush()
        if series.series_id not in self._told:
            self._told.add(series.series_id)
            self.add([series_value(series, tag)], step, time)

    def _describe(self, series: Series, values: Sequence[Any], data: Any = None) -> None:
        """Put what TensorBoard needs to know of a tag into its first value."""
        if series.series_id in self._described:
            return
        if series.kind in _DESCRIBED:
            values[0].metadata.CopyFrom(metadata(series.kind, data))
        display_name, description = self._facts.titles_of(series.name)
        for value in values:
            if display_name:
                value.metadata.display_name = display_name
            if description:
                value.metadata.summary_description = description
        # Each value of a mesh has its own.
        if series.kind != "mesh":
            self._described.add(series.series_id)

    def _event(self, event: Any) -> None:
        self._write(framed(event.SerializeToString()))


@dataclass(slots=True)
class _Waiting:
    """Values of one series and step."""

    series: Series
    tag: str
    records: list[Record] = field(default_factory=list[Record])
    strings: list[Strings] = field(default_factory=list[Strings])

    def takes(self, series: Series, record: Record) -> bool:
        return series.series_id == self.series.series_id and record.step == self.records[0].step


_ARRAYS = frozenset({"histogram", "pr_curve", "mesh"})
_DESCRIBED = JOINED | {"histogram", "pr_curve"}
"""Kinds whose plugin is told by metadata of the first value."""
