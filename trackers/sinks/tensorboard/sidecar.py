"""What TensorBoard's own forms would lose, written beside them as values that no page of TensorBoard shows.

They belong to a plugin that does not exist, `stepscope`, and carry JSON in the metadata's content:

- `_stepscope_/run`, second in each file: what is known of the run, and which part of it the file is.
- `_stepscope_/series`, before the first value of a tag: which series that is. Where `originals` is true, the
  tag's values are for TensorBoard alone, and the records below are the series.
- `_stepscope_/record`: one value as the store keeps it, in a tensor; or, where TensorBoard has these very
  bytes, the tag and the place of them among the strings of its value in the same event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ....storage.events import Event, events_of
from ....storage.kinds.event import ALERTS
from ....storage.metric_definitions import METRICS, MetricDefinition, metric_definitions
from ....storage.model import Attempt, Record, Run, Series
from ....storage.read import Reader
from .protos import hparams_metadata, summary_pb2, tensor_pb2, types_pb2

PLUGIN = "stepscope"
RUN_TAG = "_stepscope_/run"
SERIES_TAG = "_stepscope_/series"
RECORD_TAG = "_stepscope_/record"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What an export tells of a run beside its series."""

    run: Run
    attempts: tuple[Attempt, ...] = ()
    definitions: Mapping[str, MetricDefinition] = field(default_factory=dict[str, MetricDefinition])
    events: tuple[Event, ...] = ()
    """Alerts, and what was said of metrics."""

    def titles_of(self, name: str) -> tuple[str | None, str | None]:
        """Return what people are to see as the name of a metric, and its description, as far as given."""
        display_name, description = None, None
        for definition in self.definitions.values():
            if definition.applies_to(name):
                display_name = definition.display_name or display_name
                description = definition.description or description
        return display_name, description


def facts_of(reader: Reader, run: Run) -> RunFacts:
    """Return what the store knows of a run. Raises StoreError."""
    return RunFacts(
        replace(run, environment=reader.environment(run.run_id)),
        tuple(reader.attempts(run.run_id)),
        metric_definitions(reader, run.run_id),
        (*events_of(reader, [run.run_id], ALERTS), *events_of(reader, [run.run_id], METRICS)),
    )


def run_value(facts: RunFacts, export: str, sub_run: str) -> Any:
    """Return the Summary.Value of a run's facts.

    Args:
        facts: of the run.
        export: what tells the files of this export from those of another one, of the same names.
        sub_run: the part of the run that the file holds; "" for the run itself.
    """
    attempts = [asdict(attempt) for attempt in facts.attempts]
    run = facts.run.to_json()
    return _value(RUN_TAG, {"export": export, "folder": sub_run, "run": run, "attempts": attempts})


def series_value(series: Series, tag: str) -> Any:
    """Return the Summary.Value that tells which series a tag is."""
    originals = series.kind != "scalar"
    return _value(SERIES_TAG, {"tag": tag, **_names(series), "originals": originals})


def record_value(series: Series, record: Record, event_time: float, of: str = "", at: int = 0) -> Any:
    """Return the Summary.Value of a record.

    Args:
        series: of any kind.
        record: with its payload.
        event_time: that of the event into which it goes, which may hold several records.
        of: the tag of the event's value that has the payload among its strings; "" when there is none.
        at: the place of the payload among them.
    """
    facts = {**_names(series), "meta": record.meta}
    if record.time != event_time:
        facts["time"] = record.time
    if of:
        return _value(RECORD_TAG, {**facts, "of": of, "at": at})
    return _value(RECORD_TAG, facts, record.payload or b"")


def event_value(event: Event) -> Any:
    """Return the Summary.Value of what a run said of itself."""
    facts = {"name": event.name, "kind": "event", "context": event.context, "meta": event.facts}
    return _value(RECORD_TAG, facts, event.text.encode())


def _names(series: Series) -> dict[str, Any]:
    return {"name": series.name, "kind": series.kind, "context": series.context}


def _value(tag: str, facts: Mapping[str, Any], data: bytes | None = None) -> Any:
    content = json.dumps({"version": _VERSION, **facts}, default=str).encode()
    metadata = summary_pb2.SummaryMetadata(plugin_data={"plugin_name": PLUGIN, "content": content})
    if data is None:
        tensor = hparams_metadata.NULL_TENSOR
    else:
        tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape={}, string_val=[data])
    return summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)
