"""What a logged value is: a number now, a number or array later, or something for the journal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias, cast

import numpy as np

from ..storage.errors import BadInput
from .arrays import is_tf_tensor, is_torch_tensor, to_array
from .device import Snapshot, snapshot
from .media import Figure, Histogram, Loggable
from .media.figure import is_figure
from .raw import Payload

Prepared: TypeAlias = float | Payload | Snapshot

_NUMBERS: tuple[type, ...] = (bool, int, float, np.integer, np.floating, np.bool_)
_NEVER_NUMBERS: tuple[type, ...] = (str, bytes, dict, set)


def prepare(name: str, value: Any) -> Iterator[Prepared]:
    """Yield what to store for one logged value; several for a list of images or the like.

    A Python or numpy number, and an array or tensor of one element, is a number; an array of more
    is a histogram; a tensor on a device is a snapshot that is read later, without waiting. A figure of
    plotly or matplotlib needs no wrapping.

    Raises:
        BadInput: the value is none of these; the message names the series.
    """
    if isinstance(value, Loggable):
        yield _histogram_later(value) or _payload(name, value)
    elif _is_list_of_loggables(value):
        for item in value:
            if not isinstance(item, Loggable):
                raise BadInput(
                    f"{name!r}: a list must hold only wrapped values such as Image, but one of "
                    f"them is {type(item).__name__}"
                )
            yield _histogram_later(item) or _payload(name, item)
    elif isinstance(value, _NUMBERS):
        yield _number(name, value)
    elif value is None or isinstance(value, _NEVER_NUMBERS):
        raise BadInput(_not_a_number(name, value))
    else:
        yield _array_or_snapshot(name, value)


def _is_list_of_loggables(value: Any) -> bool:
    if not isinstance(value, list | tuple):
        return False
    items = cast("Sequence[Any]", value)
    return bool(items) and isinstance(items[0], Loggable)


def from_array(name: str, value: Any, *, histogram: bool = False) -> float | Payload:
    """Return what an array on the CPU stands for: a number, or a histogram; always one if `histogram`."""
    array = to_array(value, f"{name!r}")
    if array.size == 1 and not histogram:
        return float(array.reshape(()))
    if array.size == 0 and not histogram:
        raise BadInput(f"{name!r}: an array needs at least one number, but its shape is {array.shape}")
    return Payload("histogram", array, {})


def _histogram_later(value: Loggable) -> Snapshot | None:
    """Return a histogram of a tensor on a device as a snapshot, None for all else."""
    if not isinstance(value, Histogram) or not (is_torch_tensor(value.values) or is_tf_tensor(value.values)):
        return None
    return snapshot(value.values, histogram=True)


def _payload(name: str, value: Loggable) -> Payload:
    try:
        return value.payload()
    except BadInput as error:
        raise BadInput(f"{name!r}: {error}") from error


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (OverflowError, TypeError) as error:
        if isinstance(value, int):
            return math.inf if value > 0 else -math.inf
        raise BadInput(_not_a_number(name, value)) from error


def number_on_host(value: Any) -> float | None:
    """Return the number in a torch tensor of one element in host memory; None for all else.

    It is the shortest way for what is logged most, a loss.
    """
    if not (is_torch_tensor(value) and value.is_cpu and value.numel() == 1):
        return None
    number = value.item()
    return None if isinstance(number, complex) else float(number)


def _array_or_snapshot(name: str, value: Any) -> float | Payload | Snapshot:
    if isinstance(value, Snapshot):
        return value
    if is_torch_tensor(value) or is_tf_tensor(value):
        later = snapshot(value)
        if later is not None:
            return later
    elif is_figure(value):
        return _payload(name, Figure(value))
    elif not hasattr(value, "__array__") and not isinstance(value, list | tuple):
        raise BadInput(_not_a_number(name, value))
    return from_array(name, value)


def _not_a_number(name: str, value: object) -> str:
    shown = repr(value)[:80]
    hint = "Wrap text in stepscope.Text" if isinstance(value, str) else "Convert it first"
    return (
        f"{name!r} needs a number, an array, a tensor or a stepscope value such as Image, but got "
        f"{type(value).__name__} {shown}. {hint}."
    )
