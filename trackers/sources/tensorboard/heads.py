"""What the beginning of an event file tells: who wrote it, since when, and with what hyperparameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...sinks.tensorboard.protos import event_pb2
from .files import Files, Found
from .frames import Frames, Records, next_head
from .gathered import MOST_SECONDS
from .hparams import PLUGIN as HPARAMS
from .hparams import session_of
from .originals import run_facts_in

_BYTES = 1 << 16
_MOST_EVENTS = 100
_FIRST_EVENTS = 4
"""Among these are the version, a restart and the facts of an export."""
_EXPORTER = "stepscope"
_NAME = re.compile(
    r"tfevents\.(?P<time>\d{1,10})\.(?P<host>.+?)(?:\.(?P<pid>\d{1,10})\.(?P<number>\d{1,10})(?:\D.*)?)?\Z",
    re.DOTALL,
)
"""torch and TensorFlow 2: time, host, process, a count in it, a suffix. Others end with the host."""


@dataclass(frozen=True, slots=True)
class FileName:
    """What the name of an event file tells."""

    time: float = 0.0
    """When the file was made, in whole seconds; 0.0 when it does not tell."""
    host: str = ""
    pid: int = 0
    """0 when it does not tell."""
    number: int = 0
    """How many files the process had opened before."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the first records tell."""

    began: float = 0.0
    """Seconds since the epoch; 0.0 when no record tells."""
    writer: str = ""
    restarts: bool = False
    """Whether it begins with a session that replaces what was written before."""
    first_tag: str = ""
    """Of its first value that is no hyperparameter."""
    session: bool = False
    """Whether hyperparameters are among the first records."""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    facts: Mapping[str, Any] | None = None
    """What an export of Stepscope says of the run."""


def name_of(file: Found) -> FileName:
    """Return what the name of a file tells."""
    found = _NAME.search(file.name)
    if found is None:
        return FileName()
    return FileName(float(found["time"]), found["host"], int(found["pid"] or 0), int(found["number"] or 0))


def head_of(files: Files, file: Found) -> Head:
    """Read the beginning of an event file; an empty one, or one that cannot be read, tells nothing."""
    try:
        data = files.read(file.path, _BYTES)
        records = Frames().split(data)
        if not len(records.start) or _writer(data, records.start[0], records.length[0]) != _EXPORTER:
            return _head(data, records)
        needed = records.end + records.needed
        if len(records.start) < 2 and needed > len(data):
            data = files.read(file.path, needed)
            records = Frames().split(data)
        return _head(data, records)
    except OSError:
        return Head()


def last_time(files: Files, file: Found) -> float:
    """Return the time of the last event that is whole; 0.0 when none can be found near the end."""
    try:
        with files.open(file.path) as opened:
            opened.seek(max(0, file.size - _BYTES))
            data = bytes(opened.read(_BYTES))
    except OSError:
        return 0.0
    first = next_head(data, 0)
    if first is None:
        return 0.0
    tail = data[first:]
    records = Frames().split(tail)
    event = _event(tail, records.start[-1], records.length[-1])
    return 0.0 if event is None else float(event.wall_time)


def _head(data: bytes, records: Records) -> Head:
    began, writer, first_tag, restarts = 0.0, "", "", False
    config: dict[str, Any] = {}
    session, facts = False, None
    for place in range(min(len(records.start), _MOST_EVENTS)):
        start, length = int(records.start[place]), int(records.length[place])
        if place >= _FIRST_EVENTS and HPARAMS.encode() not in data[start : start + length]:
            continue
        event = _event(data, start, length)
        if event is None:
            continue
        began = began or _moment(event.wall_time)
        writer = writer or event.source_metadata.writer
        restarts = restarts or event.session_log.status == event_pb2.SessionLog.START
        if facts is None:
            facts = run_facts_in(data[start : start + length])
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == HPARAMS:
                session = True
                config.update(_hyperparameters(value.metadata.plugin_data.content))
            else:
                first_tag = first_tag or value.tag
    return Head(began, writer, restarts, first_tag, session, config, facts)


def _moment(time: float) -> float:
    """Return a time since the epoch, 0.0 for what is none."""
    return time if 0 < time < MOST_SECONDS else 0.0


def _hyperparameters(content: bytes) -> Mapping[str, Any]:
    try:
        return session_of(content).values or {}
    except Exception:  # protobuf's error; it is told when the file is read
        return {}


def _writer(data: bytes, start: int, length: int) -> str:
    event = _event(data, start, length)
    return "" if event is None else str(event.source_metadata.writer)


def _event(data: bytes, start: int, length: int) -> Any:
    try:
        return event_pb2.Event.FromString(data[int(start) : int(start) + int(length)])
    except Exception:  # protobuf's error; it is told when the file is read
        return None
