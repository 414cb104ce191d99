"""The values of Aim's series -> values to log."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import numpy as np

from ....storage.errors import BadInput
from ....storage.journal_read import SeriesDefinition
from ....storage.kinds import EVENT, EncodedValue
from ....storage.kinds.event import ALERTS
from ....storage.write_series import NewRecord
from ...media import Histogram, Loggable, Text
from ..media_files import PlotlyText
from ..tensorboard.media import picture, sound
from .database import Custom, Key

_ALERTS = SeriesDefinition(ALERTS, EVENT.name, {})
_TITLE_CHARACTERS = 200

_Fields = Mapping[Key, Any]


def values_of(found: Any) -> Iterator[Loggable]:
    """Yield what was tracked at one step: a value, or each of a list. Raises BadInput."""
    for one in cast("list[Any]", found) if isinstance(found, list) else [found]:
        if not isinstance(one, Custom):
            yield Text(one if isinstance(one, str) else json.dumps(one, default=str))
            continue
        make = _MAKERS.get(one.kind)
        if make is None:
            raise BadInput(f"there is no place for what Aim calls {one.kind!r}")
        try:
            yield make(one.fields)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise BadInput(f"a value of {one.kind} cannot be read: {error!r}") from error


def alert_of(found: Any, step: int, time: float) -> NewRecord:
    """Return a record of Aim's log, such as that of run.log_warning, as an alert. Raises BadInput."""
    fields: _Fields = found.fields if isinstance(found, Custom) else {}
    level = int(fields.get("log_level") or 0)
    message = str(fields.get("message") or "")
    words = "error" if level >= logging.ERROR else "warning" if level >= logging.WARNING else "info"
    place = cast("list[Any]", fields.get("__logger_info") or [])
    others = fields.get("extra_args")
    told = [message if len(message) > _TITLE_CHARACTERS else "", _named(others), ":".join(map(str, place))]
    text = "\n".join(line for line in told if line)
    facts = {"title": " ".join(message.split())[:_TITLE_CHARACTERS], "level": words}
    return NewRecord(_ALERTS, step, time, EncodedValue(text.encode("utf-8", "replace"), facts))


def _named(others: Any) -> str:
    return (
        ", ".join(f"{key}={value}" for key, value in cast("_Fields", others).items())
        if isinstance(others, dict)
        else ""
    )


def _image(fields: _Fields) -> Loggable:
    made = picture(fields["data"])
    made.caption = fields.get("caption") or None
    return made


def _audio(fields: _Fields) -> Loggable:
    return sound(fields["data"], fields.get("caption") or "")


def _text(fields: _Fields) -> Loggable:
    return Text(str(fields["data"]))


def _distribution(fields: _Fields) -> Loggable:
    counts = np.frombuffer(fields["data"], fields["dtype"])[: fields["bin_count"]].astype(np.float64)
    first, last = fields["range"]
    return Histogram(counts=counts, edges=np.linspace(first, last, len(counts) + 1))


def _figure(fields: _Fields) -> Loggable:
    data = fields["data"]
    return PlotlyText(data.decode("utf-8", "replace") if isinstance(data, bytes) else data)


_MAKERS: Mapping[str, Callable[[_Fields], Loggable]] = {
    "aim.image": _image,
    "aim.audio": _audio,
    "aim.text": _text,
    "aim.distribution": _distribution,
    "aim.figure": _figure,
}
