"""A run's config, and the hyperparameters that it logged, as TensorBoard's hyperparameters.

Only the sessions are written, not the "experiment" that may list all hyperparameters and metrics:
TensorBoard takes the first experiment that it finds in a folder and hides what it does not list, so
runs that were exported one after the other would hide each other's. Without one, it collects
them itself from all sessions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ....storage.model import Run, RunState
from ....storage.nested import flatten
from .protos import hparams_api_pb2, hparams_data_pb2, hparams_metadata, summary_pb2

_EXACT = 2**53
"""Above it, a double no longer holds every whole number."""


def session_start(run: Run, logged: Mapping[str, Any] | None = None) -> Any:
    """Return the Summary.Value that gives the run's config to TensorBoard, nested keys joined by "/".

    Args:
        run: the run.
        logged: hyperparameters that it logged beside its config; they win.
    """
    info = hparams_data_pb2.SessionStartInfo(start_time_secs=run.created_at)
    for key, value in {**flatten(run.config, "/"), **(logged or {})}.items():
        _set(info.hparams[key], value)
    data = hparams_data_pb2.HParamsPluginData(session_start_info=info)
    return _value(hparams_metadata.SESSION_START_INFO_TAG, data)


def session_end(run: Run) -> Any | None:
    """Return the Summary.Value that tells how the run ended, None while it runs."""
    if run.state is RunState.RUNNING:
        return None
    good = run.state is RunState.FINISHED
    info = hparams_data_pb2.SessionEndInfo(
        status=hparams_api_pb2.STATUS_SUCCESS if good else hparams_api_pb2.STATUS_FAILURE,
        end_time_secs=run.created_at + run.duration,
    )
    return _value(
        hparams_metadata.SESSION_END_INFO_TAG, hparams_data_pb2.HParamsPluginData(session_end_info=info)
    )


def _set(field: Any, value: Any) -> None:
    """Fill a protobuf Value with a boolean, a number that it holds exactly, or a text."""
    if isinstance(value, bool):
        field.bool_value = value
    elif isinstance(value, int | float) and abs(value) <= _EXACT:
        field.number_value = value
    else:
        field.string_value = value if isinstance(value, str) else json.dumps(value, default=str)


def _value(tag: str, data: Any) -> Any:
    made: Any = hparams_metadata.create_summary_metadata(data)
    made.data_class = summary_pb2.DATA_CLASS_TENSOR
    return summary_pb2.Summary.Value(tag=tag, tensor=hparams_metadata.NULL_TENSOR, metadata=made)
