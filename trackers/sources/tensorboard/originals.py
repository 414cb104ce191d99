"""Reads what an export of Stepscope wrote beside what TensorBoard shows: see sinks/tensorboard/sidecar.py."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from ....storage.errors import BadInput
from ....storage.journal_read import SeriesDefinition
from ....storage.kinds import KIND_OF, EncodedValue
from ....storage.model import Run
from ....storage.write_series import NewRecord
from ...sinks.tensorboard.protos import event_pb2
from ...sinks.tensorboard.sidecar import PLUGIN, RECORD_TAG, RUN_TAG, SERIES_TAG
from .blocks import Block
from .gathered import Gathered


class Originals:
    """Knows the series of an exported file, and takes its records."""

    def __init__(self) -> None:
        """Know no series yet."""
        self._series: dict[str, SeriesDefinition] = {}

    def learn(self, block: Block) -> None:
        """Note which series the tags of a block are; it is said before the first value of each."""
        for event in _events_with(block, SERIES_TAG):
            for value in event.summary.value:
                if value.tag == SERIES_TAG and not (facts := facts_of(value))["originals"]:
                    self._series[facts["tag"]] = _definition(facts)

    def number(self, tag: str) -> SeriesDefinition | None:
        """Return the series of numbers that a tag is; None for all other tags."""
        return self._series.get(tag)

    def take(self, event: Any, value: Any, found: Gathered) -> None:
        """Take one of the values of an event that Stepscope wrote for itself. Raises BadInput."""
        facts = facts_of(value)
        if value.tag != RECORD_TAG:
            return
        definition = _definition(facts)
        if definition.kind not in KIND_OF:
            raise BadInput(f"expected a kind of data, but got {definition.kind!r}: a newer version wrote it")
        data = _payload(event, value, facts)
        time = float(facts.get("time", event.wall_time))
        found.records.append(NewRecord(definition, event.step, time, EncodedValue(data, dict(facts["meta"]))))


def run_facts_in(data: bytes) -> Mapping[str, Any] | None:
    """Return what the event of an export says of its run; None for any other event.

    The run is in it as JSON: see `run_of`. What cannot be read, such as that of a newer version, is none.
    """
    if PLUGIN.encode() not in data:
        return None
    for value in event_pb2.Event.FromString(data).summary.value:
        if value.tag == RUN_TAG and value.metadata.plugin_data.plugin_name == PLUGIN:
            with suppress(BadInput, ValueError):
                facts = facts_of(value)
                run_of(facts)
                return facts
    return None


def run_of(facts: Mapping[str, Any]) -> Run:
    """Return the run that an export tells of. Raises BadInput."""
    try:
        return Run.from_json(facts["run"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"expected the facts of a run, but got {facts!r:.80}: {error!r}") from error


def facts_of(value: Any) -> dict[str, Any]:
    """Return the JSON that a value of ours carries. Raises ValueError."""
    return json.loads(value.metadata.plugin_data.content)


def _definition(facts: Mapping[str, Any]) -> SeriesDefinition:
    return SeriesDefinition(facts["name"], facts["kind"], dict(facts["context"]))


def _payload(event: Any, value: Any, facts: Mapping[str, Any]) -> bytes:
    """Return the bytes of a record: its own, or those of another value of the event."""
    if "of" not in facts:
        return value.tensor.string_val[0]
    [shown] = [one for one in event.summary.value if one.tag == facts["of"]]
    return shown.tensor.string_val[facts["at"]]


def _events_with(block: Block, tag: str) -> Iterator[Any]:
    """Yield the events of a block in which a tag may be."""
    wanted = tag.encode()
    start, length = block.records.start, block.records.length
    found = block.data.find(wanted)
    while found >= 0:
        place = int(start.searchsorted(found, side="right")) - 1
        if place >= 0 and found < start[place] + length[place]:
            end = int(start[place] + length[place])
            yield event_pb2.Event.FromString(block.data[int(start[place]) : end])
            found = block.data.find(wanted, end)
        else:
            found = block.data.find(wanted, found + 1)
