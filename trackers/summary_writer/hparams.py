"""Hyperparameters as the original takes them, with the errors it raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ..arrays import is_torch_tensor
from .numbers import as_number, as_numpy


def checked(values: Any, metrics: Any, discrete: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """Return hyperparameters, without those that are None, and metrics as numbers.

    Raises:
        TypeError: they are no dicts, or `discrete` does not fit the values.
        ValueError: a value is none of int, float, str, bool or tensor.
    """
    if type(values) is not dict or type(metrics) is not dict:
        raise TypeError("hparam_dict and metric_dict should be dictionary.")
    given, reached = cast("dict[str, Any]", values), cast("dict[str, Any]", metrics)
    _check_discrete(given, discrete or {})
    settled = {key: _settled(value) for key, value in given.items() if value is not None}
    return settled, {key: float(as_number(value)) for key, value in reached.items()}


def of_session(content: bytes) -> dict[str, Any]:
    """Return the hyperparameters that a summary of TensorBoard's hparams plugin holds, {} for another one."""
    from ..sinks.tensorboard.protos import hparams_data_pb2  # noqa: PLC0415 - loads tensorboard

    info = hparams_data_pb2.HParamsPluginData.FromString(content).session_start_info
    return {key: getattr(value, value.WhichOneof("kind")) for key, value in info.hparams.items()}


def _check_discrete(values: Mapping[str, Any], discrete: Any) -> None:
    if not isinstance(discrete, dict):
        raise TypeError("parameter: hparam_domain_discrete should be a dictionary, nothing logged.")
    for key, domain in cast("dict[str, Any]", discrete).items():
        fits = key in values and isinstance(domain, list)
        if not fits or not all(isinstance(one, type(values[key])) for one in cast("list[Any]", domain)):
            raise TypeError(
                f"parameter: hparam_domain_discrete[{key}] should be a list of same type as "
                f"hparam_dict[{key}]."
            )


def _settled(value: Any) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    if is_torch_tensor(value):
        return as_numpy(value).reshape(-1)[0].item()
    raise ValueError("value should be one of int, float, str, bool, or torch.Tensor")
