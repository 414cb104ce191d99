"""TensorBoard's hyperparameters -> a run's config and state, and what a trial reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....storage.model import RunState
from ...sinks.tensorboard.protos import hparams_api_pb2, hparams_data_pb2

PLUGIN = "hparams"
_EXACT = 2**53
"""Above it, a float no longer holds every whole number."""


@dataclass(frozen=True, slots=True)
class Session:
    """What one summary of the hparams plugin says."""

    values: Mapping[str, Any] | None = None
    """The hyperparameters, of the summary that begins a session."""
    facts: Mapping[str, Any] | None = None
    """Fields of the run: how and when it ended, its group."""
    ended: bool = False
    metrics: tuple[str, ...] = ()
    """The tags that an experiment names as its metrics."""
    titles: Mapping[str, tuple[str, str]] | None = None
    """Tag -> the display name and the description that it has there."""


def session_of(content: bytes) -> Session:
    """Read the content of a summary's metadata. Raises protobuf's DecodeError."""
    data = hparams_data_pb2.HParamsPluginData.FromString(content)
    form = data.WhichOneof("data")
    if form == "session_start_info":
        info = data.session_start_info
        facts = {"group": info.group_name} if info.group_name else {}
        return Session({name: _plain(value) for name, value in sorted(info.hparams.items())}, facts)
    if form == "session_end_info":
        return Session(facts=_ended(data.session_end_info), ended=True)
    if form == "experiment":
        return _experiment(data.experiment)
    return Session()


def _experiment(experiment: Any) -> Session:
    infos = experiment.metric_infos
    titles = {info.name.tag: (info.display_name, info.description) for info in infos}
    facts = {"notes": experiment.description} if experiment.description else {}
    return Session(facts=facts, metrics=tuple(info.name.tag for info in infos), titles=titles)


def _ended(info: Any) -> dict[str, Any]:
    states = {
        hparams_api_pb2.STATUS_SUCCESS: RunState.FINISHED,
        hparams_api_pb2.STATUS_FAILURE: RunState.FAILED,
        hparams_api_pb2.STATUS_RUNNING: RunState.RUNNING,
    }
    state = states.get(info.status)
    facts: dict[str, Any] = {} if state is None else {"state": state.value}
    if info.end_time_secs > 0:
        facts["finished_at"] = info.end_time_secs
    return facts


def _plain(value: Any) -> Any:
    """Return what a protobuf Value holds, where all numbers are floats: one that is whole as an int."""
    form = value.WhichOneof("kind")
    if form == "number_value":
        number = float(value.number_value)
        return int(number) if number.is_integer() and abs(number) <= _EXACT else number
    if form == "list_value":
        return [_plain(one) for one in value.list_value.values]
    if form == "struct_value":
        return {key: _plain(one) for key, one in value.struct_value.fields.items()}
    return None if form in (None, "null_value") else getattr(value, form)
