"""A chart that a user drew with plotly or matplotlib."""

from __future__ import annotations

import io
from typing import Any

from ...storage.errors import BadInput
from ..raw import Payload
from .base import Loggable, as_caption

MOST_BYTES = 64 << 20
_SCALE = 2
"""Pixels of the picture for each that matplotlib's own size has: sharp on any screen."""
_MOST_PIXELS = 1 << 24
"""Of a larger picture, drawing alone would take gigabytes: it gets fewer pixels."""


class Figure(Loggable):
    """A chart of plotly, which stays interactive, or of matplotlib, which becomes a picture.

    It is drawn when it is logged, since it may change or be closed right after; it is not closed here.
    """

    kind = "figure"

    def __init__(self, figure: Any, caption: str | None = None) -> None:
        """Wrap a plotly or matplotlib figure; `caption` is shown below it."""
        self.figure = figure
        self.caption = caption

    def payload(self) -> Payload:
        """Return plotly's JSON or a PNG. Raises BadInput when it is neither's figure."""
        figure = self.figure
        if hasattr(figure, "gcf"):  # pyplot itself stands for its current figure
            figure = figure.gcf()
        if _is_plotly(figure):
            data, media_type = _plotly(figure), "application/json"
        elif _is_matplotlib(figure):
            data, media_type = _matplotlib(figure), "image/png"
        else:
            raise BadInput(
                f"a figure must be one of plotly or matplotlib, but got {type(figure).__name__}. "
                f"For an array of pixels use Image."
            )
        if len(data) > MOST_BYTES:
            raise BadInput(
                f"a figure may have {MOST_BYTES >> 20} MiB, but this one has {len(data) >> 20} MiB. "
                f"Draw fewer points."
            )
        return Payload(self.kind, data, {"media_type": media_type, "caption": as_caption(self.caption)})


def is_figure(value: Any) -> bool:
    """Tell whether a value is a figure of plotly or matplotlib, or pyplot itself."""
    return _is_plotly(value) or _is_matplotlib(value) or hasattr(value, "gcf")


def _is_plotly(value: Any) -> bool:
    return hasattr(value, "to_plotly_json") and hasattr(value, "to_json")


def _is_matplotlib(value: Any) -> bool:
    return hasattr(value, "savefig") and hasattr(value, "dpi")


def _plotly(figure: Any) -> bytes:
    try:
        return str(figure.to_json()).encode()
    except Exception as error:
        raise BadInput(f"the plotly figure cannot be written as JSON: {error}") from error


def _matplotlib(figure: Any) -> bytes:
    buffer = io.BytesIO()
    try:
        width, height = figure.get_size_inches()
        dpi = min(_SCALE * figure.dpi, (_MOST_PIXELS / (width * height)) ** 0.5)
        figure.savefig(buffer, format="png", dpi=dpi)
    except Exception as error:
        raise BadInput(f"the matplotlib figure cannot be drawn: {error}") from error
    return buffer.getvalue()
