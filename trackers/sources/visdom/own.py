"""Windows that an export of Stepscope made, read back into what they were made of.

What the export thinned out, cut into bins or projected stays so: docs/guide/import-visdom.md tells what.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from PIL import Image as Pillow

from ....storage.errors import BadInput
from ....storage.kinds.graph import GraphData, Layer
from ...media.base import Loggable
from ...media.embedding import Embedding
from ...media.figure import Figure
from ...media.graph import Graph
from ...media.histogram import Histogram
from ...media.hparams import HParams
from ...media.image import Image
from ...media.mesh import Mesh
from ...media.table import Table
from ...media.text import Text
from ...raw import Payload
from ..base import Piece, columns, record, scalar
from .html_panes import HtmlPart, parts_of
from .json_files import as_dict, as_list
from .lines import curve_of, traces_of
from .places import Environment
from .values import file_of, image_of, kept_as_text, table_of, typed, value_of
from .windows import MARK, Slot

Json: TypeAlias = Mapping[str, Any]
Found: TypeAlias = Iterator[tuple[int, Loggable]]
"""Steps, each with a value of that step."""


class PngFigure(Figure):
    """A figure that is a picture already."""

    def payload(self) -> Payload:
        """Return it as a PNG. Raises BadInput when it is no picture."""
        buffer = io.BytesIO()
        Pillow.fromarray(self.figure).save(buffer, "PNG")
        return Payload(self.kind, buffer.getvalue(), {"media_type": "image/png", "caption": self.caption})


_STEP = re.compile(r"step (-?\d+)(?:: (.*))?", re.DOTALL)
_TAKEN = 1
"""The position after an export's window, which is taken as a whole."""


def own_pieces(slot: Slot, pane: Json, environment: Environment) -> Iterator[Piece]:
    """Yield all of a window of an export, or of one curve of it."""
    time = environment.changed_at
    if slot.trace is not None:
        curve = curve_of(traces_of(pane)[slot.trace])
        if curve is None:
            yield Piece(_TAKEN, problems=[f"{environment.place}: the curve {slot.name} is damaged."])
            return
        times = np.full(len(curve.steps), time)
        points = columns(curve.steps, times, curve.values)
        yield Piece(_TAKEN, points=[(scalar(slot.name, slot.context), points)])
        return
    piece = Piece(_TAKEN)
    try:
        for step, value in _values(slot, pane):
            piece.records.append(record(slot.name, value, step, time, slot.context))
    except (AttributeError, BadInput, IndexError, KeyError, TypeError, ValueError) as error:
        piece.problems.append(f"{environment.place}: of {slot.name}, not all could be read: {error!r:.200}")
    yield piece


def _values(slot: Slot, pane: Json) -> Found:
    kind, content = slot.type.removeprefix("own "), pane["content"]
    if isinstance(content, list) and kind != "hparams":
        return _pictures(as_list(content))
    if isinstance(content, str):
        return _of_text(content, kind, slot.name)
    return _PLOTS.get(kind, _newest)(pane)


def _pictures(items: Sequence[Any]) -> Found:
    for place, item in enumerate(items):
        match = _STEP.fullmatch(str(item.get("caption")))
        mark = as_dict(item.get(MARK))
        caption = mark.get("caption", match[2] if match else item.get("caption"))
        step = int(mark.get("step", match[1] if match else place))
        value = image_of({"src": item["src"], "caption": caption})
        if mark.get("kind") == "figure" and isinstance(value, Image):
            value = PngFigure(value.data, caption)
        yield step, value


def _of_text(content: str, kind: str, slot_name: str) -> Found:
    """Yield what stands below each head "step ..."; of a kind that is no text, other words are captions."""
    step = 0
    parts = parts_of(content)
    for place, part in enumerate(parts):
        match = _STEP.fullmatch(part.text.strip()) if part.kind == "head" else None
        if match:
            step = int(match[1])
        elif part.kind == "table":
            table = table_of(part)
            yield step, _graph(table, slot_name) if kind == "graph" else table
        elif part.data:
            yield step, file_of(part, _caption(parts, place + 1))
        elif part.exact:
            yield step, Text(part.text)


def _caption(parts: Sequence[HtmlPart], place: int) -> str | None:
    is_text = place < len(parts) and parts[place].kind == "text"
    return parts[place].text.strip() if is_text else None


def _histogram(pane: Json) -> Found:
    """Yield the newest histogram; exports before those with marks have a trace for each step."""
    for trace in traces_of(pane):
        match = _STEP.fullmatch(str(trace.get("name")))
        centers, counts = np.array(trace["x"], np.float64), np.array(trace["y"], np.float64)
        if len(centers) > 1:
            half = float(centers[1] - centers[0]) / 2
            edges = np.linspace(float(centers[0]) - half, float(centers[-1]) + half, len(centers) + 1)
            yield int(match[1]) if match else _step(pane), Histogram(counts=counts, edges=edges)


def _graph(table: Table, name: str) -> Graph:
    """Return the layers of a graph out of their table."""
    layers: list[Layer] = []
    for path, kind, shape, parameters in table.data:
        sizes = [None if size == "?" else int(size) for size in str(shape).split(" x ") if size]
        count = int(str(parameters).replace(",", ""))
        layers.append(Layer(str(path), str(kind), count, output_shape=tuple(sizes) or None))
    return Graph(GraphData(name, "", "visdom", layers=tuple(layers)))


def _embedding(pane: Json) -> Found:
    vectors: list[Any] = []
    labels: list[str] = []
    for trace in traces_of(pane):
        axes = [as_list(trace[axis]) for axis in "xyz" if axis in trace]
        vectors += zip(*axes, strict=True)
        shown = [html.unescape(str(one)) for one in as_list(trace.get("text"))]
        labels += shown or [str(trace.get("name") or "")] * len(axes[0])
    yield _step(pane), Embedding(np.array(vectors, np.float32), labels if any(labels) else None)


def _hparams(pane: Json) -> Found:
    entries = as_list(pane["content"])
    mark = as_dict(entries[0].get(MARK))
    known = {str(one["name"]): typed([str(one["value"])])[0] for one in entries}
    metrics = {name: float(known.pop(name)) for name in as_list(mark.get("metrics")) if name in known}
    yield int((as_list(mark.get("steps")) or [0])[-1]), HParams(known, metrics)


def _mesh(pane: Json) -> Found:
    [trace, *_] = traces_of(pane)
    vertices = np.array([trace[axis] for axis in "xyz"], np.float32).T
    faces = np.array([trace[axis] for axis in "ijk"], np.int32).T if "i" in trace else None
    colors = as_list(trace.get("vertexcolor")) or as_list(as_dict(trace.get("marker")).get("color"))
    rgb = [[int(one[at : at + 2], 16) for at in (1, 3, 5)] for one in colors] if colors else None
    yield _step(pane), Mesh(vertices, faces, None if rgb is None else np.array(rgb, np.uint8))


def _newest(pane: Json) -> Found:
    """Yield a window as it is, at the newest step that it tells of."""
    try:
        values = value_of(pane, str(pane.get("title") or ""))
    except BadInput:
        values = [kept_as_text(pane["content"])]
    for value in values:
        yield _step(pane), value


def _step(pane: Json) -> int:
    mark = as_dict(as_dict(as_dict(as_dict(pane["content"]).get("layout")).get("meta")).get(MARK))
    return int((as_list(mark.get("steps")) or [0])[-1])


_PLOTS: Mapping[str, Callable[[Json], Found]] = {
    "histogram": _histogram,
    "hparams": _hparams,
    "embedding": _embedding,
    "mesh": _mesh,
}
