"""The records of one series as a pane of Visdom. Pure: nothing is sent or written here."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...storage.kinds.audio import AudioData
from ...storage.kinds.figure import FigureData
from ...storage.kinds.graph import GraphData
from ...storage.kinds.hparams import HParamsData
from ...storage.kinds.image import ImageData
from ...storage.kinds.table import TableData, cell_text
from ...storage.kinds.text import TextData
from ...storage.kinds.video import VideoData
from ...storage.model import Record
from .visdom_panes import Pane
from .visdom_plots import embedding_pane, figure_pane, histogram_pane, mesh_pane, pr_curve_pane

_SMALLEST_IMAGE = 256
"""Pixels across: Visdom opens a window as large as the image, which for a digit of 8 by 8 is no window."""
_BELOW_IMAGE = 90
"""Pixels for the caption and the slider."""
_WIDE, _TALL = 420, 320
"""Pixels of a window with text: what Visdom gives by itself cuts a player and a table off."""
_MOST_ROWS = 200
_LONGEST_CELL = 500


def record_pane(kind: str, win: str, title: str, records: Sequence[Record], values: Sequence[Any]) -> Pane:
    """Return the window for the records of one series.

    Args:
        kind: any but "scalar".
        win: the window's id.
        title: shown above the window.
        records: at least one, in the order of steps.
        values: the decoded value of each record.
    """
    return _PANES[kind](win, title, [record.step for record in records], values)


def _image_pane(win: str, title: str, steps: Sequence[int], values: Sequence[ImageData | FigureData]) -> Pane:
    images = [
        {"src": _data_uri(value.media_type, value.data), "caption": _caption(step, value.caption)}
        for step, value in zip(steps, values, strict=True)
    ]
    newest = values[-1]
    scale = max(1.0, _SMALLEST_IMAGE / max(newest.width or 0, 1))
    return Pane(
        win,
        "image_history",
        title,
        images,
        width=round((newest.width or 0) * scale),
        height=round((newest.height or 0) * scale) + _BELOW_IMAGE,
    )


def _audio_element(value: AudioData) -> str:
    source = _data_uri(value.media_type, value.data)
    caption = html.escape(value.caption or "")
    return f'<audio controls><source type="{value.media_type}" src="{source}"></audio><div>{caption}</div>'


def _text_element(value: TextData) -> str:
    # Escaped: what a run logged is shown, never run.
    return f'<pre style="white-space: pre-wrap">{html.escape(value.text)}</pre>'


def _graph_table(value: GraphData) -> str:
    rows = [
        (layer.path or value.name, layer.type, _shape(layer.output_shape), f"{layer.parameters:,}")
        for layer in value.layers
    ]
    total = f"{value.parameters:,} parameters, {len(value.nodes):,} operations"
    return f"{_html_table(('layer', 'type', 'output shape', 'parameters'), rows)}<p>{total}</p>"


def _figure_pane(win: str, title: str, steps: Sequence[int], values: Sequence[FigureData]) -> Pane:
    """Return the newest figure if it is plotly's, else all pictures."""
    if not values[-1].is_picture:
        return figure_pane(win, title, values[-1])
    pictures = [(step, value) for step, value in zip(steps, values, strict=True) if value.is_picture]
    return _image_pane(win, title, [step for step, _ in pictures], [value for _, value in pictures])


def _each(element: Callable[[Any], str]) -> Callable[..., Pane]:
    def pane(win: str, title: str, steps: Sequence[int], values: Sequence[Any]) -> Pane:
        parts = [f"<h4>step {step}</h4>{element(value)}" for step, value in zip(steps, values, strict=True)]
        return Pane(win, "text", title, "".join(parts), _WIDE, _TALL)

    return pane


def _newest(element: Callable[[Any], str]) -> Callable[..., Pane]:
    def pane(win: str, title: str, steps: Sequence[int], values: Sequence[Any]) -> Pane:
        return Pane(win, "text", title, f"<h4>step {steps[-1]}</h4>{element(values[-1])}", _WIDE, _TALL)

    return pane


def _graph_pane(win: str, title: str, _steps: Sequence[int], values: Sequence[GraphData]) -> Pane:
    return Pane(win, "text", title, _graph_table(values[-1]), _WIDE, _TALL)


def _hparams_pane(win: str, title: str, _steps: Sequence[int], values: Sequence[HParamsData]) -> Pane:
    """Return the newest hyperparameters and metrics, one property for each."""
    known = {**values[-1].values, **values[-1].metrics}
    content = [{"type": "text", "name": name, "value": _cell(value)} for name, value in known.items()]
    return Pane(win, "properties", title, content)


def _video_element(value: VideoData) -> str:
    source, caption = _data_uri(value.media_type, value.data), html.escape(value.caption or "")
    if value.is_animation:
        return f'<img src="{source}"><div>{caption}</div>'
    shape = "max-width: 100%; height: 230px"
    film = f'<source type="{value.media_type}" src="{source}">'
    return f'<video controls loop style="{shape}">{film}</video><div>{caption}</div>'


def _table_element(value: TableData) -> str:
    rows = [[_cell(cell) for cell in row] for row in value.rows[:_MOST_ROWS]]
    more = len(value.rows) - len(rows)
    return _html_table(value.columns, rows) + (f"<p>{more:,} more rows</p>" if more else "")


def _html_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    # Escaped: what a run logged is shown, never run.
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<table class="table"><tr>{head}</tr>{body}</table>'


def _cell(cell: Any) -> str:
    return cell_text(cell)[:_LONGEST_CELL]


def _shape(shape: tuple[int | None, ...] | None) -> str:
    return "" if shape is None else " x ".join("?" if size is None else str(size) for size in shape)


def _caption(step: int, caption: str | None) -> str:
    return f"step {step}" if caption is None else f"step {step}: {caption}"


def _data_uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


_PANES: Mapping[str, Callable[..., Pane]] = {
    "histogram": histogram_pane,
    "image": _image_pane,
    "audio": _each(_audio_element),
    "text": _each(_text_element),
    "video": _newest(_video_element),
    "figure": _figure_pane,
    "table": _newest(_table_element),
    "pr_curve": pr_curve_pane,
    "embedding": embedding_pane,
    "mesh": mesh_pane,
    "hparams": _hparams_pane,
    "graph": _graph_pane,
}
"""Kind -> (id of the window, title, steps, values) -> the window."""
