"""Stepscope's values as Visdom's panes. Pure: nothing is sent or written here.

A pane is a window of the page. Visdom does not document its form: it is what `window()` in
XX of a client's message, and what its page reads back
from an environment file.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...storage.downsample import rebin
from ...storage.kinds.audio import AudioData
from ...storage.kinds.graph import GraphData
from ...storage.kinds.histogram import HistogramData
from ...storage.kinds.image import ImageData
from ...storage.kinds.text import TextData
from ...storage.model import Points, Record, Run

Json: TypeAlias = dict[str, Any]

_BINS = 30
_DOTTED = 50
_SMALLEST_IMAGE = 256
"""Pixels across: Visdom opens a window as large as the image, which for a digit of 8 by 8 is no window."""
_BELOW_IMAGE = 90
"""Pixels for the caption and the slider."""
_WIDE, _TALL = 420, 320
"""Pixels of a window with text: what Visdom gives by itself cuts a player and a table off."""


@dataclass(frozen=True, slots=True)
class Pane:
    """One window, before it is given a place on the page."""

    win: str
    """The window's id: the same pane of the same run or metric replaces itself."""
    type: str
    """As Visdom names it: "plot", "image_history", "text" or "properties"."""
    title: str
    content: Any
    """Of a plot {"data": traces, "layout": ...}, of an image history [{"src": ..., "caption": ...}],
    of a text HTML, of properties [{"type": ..., "name": ..., "value": ...}]."""
    width: int | None = None
    height: int | None = None

    def window(self, place: int) -> Json:
        """Return the pane as an environment file holds it; `place` orders the page."""
        made: Json = {
            "command": "window",
            "id": self.win,
            "title": self.title,
            "inflate": True,
            "width": self.width,
            "height": self.height,
            "contentID": secrets.token_hex(16),
            "content": self.content,
            "type": self.type,
            "i": place,
        }
        if self.type == "image_history":
            made |= {"selected": len(self.content) - 1, "show_slider": True}
        return made

    def message(self, env: str) -> Json:
        """Return the pane as the body of a POST to a server's /events; of a history, its first image."""
        content = self.content[0] if self.type == "image_history" else self.content
        data = content["data"] if self.type == "plot" else [{"type": self.type, "content": content}]
        made: Json = {
            "win": self.win,
            "eid": env,
            "data": data,
            "opts": {"title": self.title, "width": self.width, "height": self.height},
        }
        if self.type == "plot":
            made["layout"] = content["layout"]
        return made


def line_trace(run: Run, name: str, points: Points) -> Json:
    """Return one curve over steps; `meta` tells later exports whose it is."""
    return {
        "type": "scatter",
        # In a long curve dots would hide the line; in a short one, a value between two gaps has no line.
        "mode": "lines" if len(points) > _DOTTED else "lines+markers",
        "name": html.escape(name, quote=False),
        "x": points.step.tolist(),
        "y": _numbers(points.last),
        "meta": {"run": run.run_id},
    }


def line_pane(metric: str, traces: Sequence[Json]) -> Pane:
    """Return a window with the curves of one metric, of any number of runs."""
    layout = _layout(metric, "step")
    # A window needs a trace to be one.
    content = {"data": list(traces) or [{"type": "scatter", "x": [], "y": [], "name": ""}], "layout": layout}
    return Pane(line_window(metric), "plot", metric, content)


def line_window(metric: str) -> str:
    """Return the id of the window of a metric."""
    readable = re.sub(r"\W+", "_", metric, flags=re.ASCII).strip("_")[:40]
    digest = hashlib.blake2s(metric.encode(), digest_size=4).hexdigest()
    return f"scalar_{readable}_{digest}"


def other_traces(window: Mapping[str, Any] | None, run_ids: set[str]) -> list[Json]:
    """Return the curves of an existing window that belong to none of the runs."""
    if not window or window.get("type") != "plot":
        return []
    traces: list[Json] = window["content"]["data"]
    return [trace for trace in traces if trace.get("meta", {}).get("run", "") not in run_ids | {""}]


def record_pane(kind: str, win: str, title: str, records: Sequence[Record], values: Sequence[Any]) -> Pane:
    """Return the window for the records of one series.

    Args:
        kind: "histogram", "image", "audio", "text" or "graph".
        win: the window's id.
        title: shown above the window.
        records: at least one, in the order of steps.
        values: the decoded value of each record.
    """
    steps = [record.step for record in records]
    if kind == "histogram":
        return _histogram_pane(win, title, steps, values)
    if kind == "image":
        return _image_pane(win, title, steps, values)
    if kind == "graph":
        return Pane(win, "text", title, _graph_table(values[-1]), _WIDE, _TALL)
    element = _audio_element if kind == "audio" else _text_element
    parts = [f"<h4>step {step}</h4>{element(value)}" for step, value in zip(steps, values, strict=True)]
    return Pane(win, "text", title, "".join(parts), _WIDE, _TALL)


def config_pane(run: Run, title: str, config: Sequence[tuple[str, str]]) -> Pane:
    """Return a window with a run's config, one property for each key."""
    content = [{"type": "text", "name": key, "value": value} for key, value in config]
    return Pane(f"config_{run.run_id}", "properties", title, content)


def _histogram_pane(win: str, title: str, steps: Sequence[int], values: Sequence[HistogramData]) -> Pane:
    """Return bars of the newest histogram; a click on an older one's name shows it."""
    traces = [_bars(step, value) for step, value in zip(steps, values, strict=True)]
    for trace in traces[:-1]:
        trace["visible"] = "legendonly"
    layout = {**_layout(title, "value"), "barmode": "overlay", "bargap": 0}
    return Pane(win, "plot", title, {"data": traces, "layout": layout})


def _bars(step: int, value: HistogramData) -> Json:
    edges, counts = rebin(value.edges, value.counts, _BINS)
    return {
        "type": "bar",
        "name": f"step {step}",
        # Halved before they are added: the sum of two huge edges is no number.
        "x": _numbers(edges[:-1] / 2 + edges[1:] / 2),
        "y": _numbers(counts),
        "opacity": 0.7,
    }


def _image_pane(win: str, title: str, steps: Sequence[int], values: Sequence[ImageData]) -> Pane:
    images = [
        {"src": _data_uri(value.media_type, value.data), "caption": _caption(step, value.caption)}
        for step, value in zip(steps, values, strict=True)
    ]
    newest = values[-1]
    scale = max(1.0, _SMALLEST_IMAGE / max(newest.width, 1))
    return Pane(
        win,
        "image_history",
        title,
        images,
        width=round(newest.width * scale),
        height=round(newest.height * scale) + _BELOW_IMAGE,
    )


def _audio_element(value: AudioData) -> str:
    source = _data_uri(value.media_type, value.data)
    caption = html.escape(value.caption or "")
    return f'<audio controls><source type="{value.media_type}" src="{source}"></audio><div>{caption}</div>'


def _text_element(value: TextData) -> str:
    # Escaped: what a run logged is shown, never run.
    return f'<pre style="white-space: pre-wrap">{html.escape(value.text)}</pre>'


def _graph_table(value: GraphData) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("layer", "type", "output shape", "parameters"))
    rows = [
        (layer.path or value.name, layer.type, _shape(layer.output_shape), f"{layer.parameters:,}")
        for layer in value.layers
    ]
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    total = f"{value.parameters:,} parameters, {len(value.nodes):,} operations"
    return f'<table class="table"><tr>{head}</tr>{body}</table><p>{total}</p>'


def _shape(shape: tuple[int | None, ...] | None) -> str:
    return "" if shape is None else " x ".join("?" if size is None else str(size) for size in shape)


def _caption(step: int, caption: str | None) -> str:
    return f"step {step}" if caption is None else f"step {step}: {caption}"


def _data_uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def _layout(title: str, x_title: str) -> Json:
    return {
        "title": {"text": html.escape(title, quote=False)},
        "xaxis": {"title": {"text": x_title, "standoff": 4}},
        "showlegend": True,
        "legend": {"orientation": "h", "y": -0.35},
        "margin": {"l": 60, "r": 60, "t": 60, "b": 60},
    }


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    """Return plain numbers; JSON has none that are not finite, and a gap is drawn instead."""
    return [number if np.isfinite(number) else None for number in values.tolist()]
