"""Values that Visdom shows as HTML. Everything that a run logged is escaped: it is shown, never run."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import Any

from ....storage.kinds.audio import AudioData
from ....storage.kinds.graph import GraphData
from ....storage.kinds.table import TableData, cell_text
from ....storage.kinds.text import TextData
from ....storage.kinds.video import VideoData

MOST_BYTES = 16 << 20
"""Of one sound or video, and of one window."""
_MOST_ROWS = 200
_LONGEST_CELL = 500
_LONGEST_TEXT = 100_000


def audio_element(value: AudioData) -> str:
    """Return a player with its caption. Raises ValueError when it is too large."""
    source = data_uri(value.media_type, value.data)
    caption = html.escape(value.caption or "")
    return f'<audio controls><source type="{value.media_type}" src="{source}"></audio><div>{caption}</div>'


def video_element(value: VideoData) -> str:
    """Return a player with its caption. Raises ValueError when it is too large."""
    source, caption = data_uri(value.media_type, value.data), html.escape(value.caption or "")
    if value.is_animation:
        return f'<img src="{source}" style="max-width: 100%"><div>{caption}</div>'
    shape = "max-width: 100%; height: 230px"
    film = f'<source type="{value.media_type}" src="{source}">'
    return f'<video controls loop style="{shape}">{film}</video><div>{caption}</div>'


def text_element(value: TextData) -> str:
    """Return the text as it was logged; at most its first 100,000 characters."""
    shown, left = value.text[:_LONGEST_TEXT], len(value.text) - _LONGEST_TEXT
    more = f"<p>{left:,} more characters</p>" if left > 0 else ""
    return f'<pre style="white-space: pre-wrap">{html.escape(shown)}</pre>{more}'


def table_element(value: TableData) -> str:
    """Return a table, at most its first 200 rows."""
    rows = [[cell(one) for one in row] for row in value.rows[:_MOST_ROWS]]
    more = len(value.rows) - len(rows)
    return _html_table(value.columns, rows) + (f"<p>{more:,} more rows</p>" if more else "")


def graph_element(value: GraphData) -> str:
    """Return a table of the layers."""
    rows = [
        (layer.path or value.name, layer.type, _shape(layer.output_shape), f"{layer.parameters:,}")
        for layer in value.layers
    ]
    total = f"{value.parameters:,} parameters, {len(value.nodes):,} operations"
    return f"{_html_table(('layer', 'type', 'output shape', 'parameters'), rows)}<p>{total}</p>"


def cell(value: Any) -> str:
    """Return a cell as text, not too long."""
    return cell_text(value)[:_LONGEST_CELL]


def data_uri(media_type: str, data: bytes) -> str:
    """Return a file as a URL. Raises ValueError when it is too large."""
    if len(data) > MOST_BYTES:
        raise ValueError(
            f"it has {len(data) / 1e6:.0f} MB, and Visdom's page, which holds everything in memory, "
            f"gets at most {MOST_BYTES / 1e6:.0f} MB"
        )
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def _html_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(one)}</td>" for one in row) + "</tr>" for row in rows)
    return f'<table class="table"><tr>{head}</tr>{body}</table>'


def _shape(shape: tuple[int | None, ...] | None) -> str:
    return "" if shape is None else " x ".join("?" if size is None else str(size) for size in shape)
