"""Kinds that TensorBoard has in another form: what becomes of them. Pure: nothing is written here."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ....storage.errors import MissingExtra
from ....storage.kinds.figure import FigureData
from ....storage.kinds.image import ImageData
from ....storage.kinds.mesh import MeshData
from ....storage.kinds.pr_curve import PrCurveData
from ....storage.kinds.table import TableData, cell_text
from ....storage.kinds.text import TextData
from ....storage.kinds.video import VideoData
from .protos import mesh_data_pb2, mesh_metadata

MOST_ROWS = 200
"""Rows of a table that become text."""
_LONGEST_CELL = 500


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG or a GIF."""

    data: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class MeshPart:
    """One array of a mesh, which TensorBoard keeps under a tag of its own."""

    tag: str
    """The mesh's tag and "_VERTEX", "_FACE" or "_COLOR"."""
    array: NDArray[np.float32]
    """Shape (1, n, 3)."""
    metadata: Any
    """SummaryMetadata."""


def picture_of(value: ImageData | VideoData | FigureData) -> Picture:
    """Return what TensorBoard shows among its images: a video as a GIF, a figure as its picture.

    Where there is none (a plotly figure; a video while PyAV is not installed), a picture says so.
    """
    if isinstance(value, ImageData):
        return Picture(value.data, value.width, value.height)
    return _picture_of(value)


# The live page asks for width, height and data of one picture one after the other.
@lru_cache(maxsize=8)
def _picture_of(value: VideoData | FigureData) -> Picture:
    if isinstance(value, FigureData):
        data = (
            value.data if value.is_picture else _notice("A plotly figure.\nStepscope's Media page shows it.")
        )
    else:
        try:
            data = value.gif()
        except MissingExtra:
            data = _notice('A video. To see it here:\npip install "stepscope[video]"')
    with Image.open(io.BytesIO(data)) as picture:
        return Picture(data, *picture.size)


def markdown_of(value: TextData | TableData) -> str:
    """Return a text as it is, and a table as one in Markdown, with its first 200 rows."""
    if isinstance(value, TextData):
        return value.text
    lines = [_row(value.columns), _row(["---"] * len(value.columns))]
    lines += [_row(row) for row in value.rows[:MOST_ROWS]]
    if len(value.rows) > MOST_ROWS:
        lines += ["", f"The first {MOST_ROWS} of {len(value.rows):,} rows."]
    return "\n".join(lines)


def pr_curve_rows(value: PrCurveData) -> NDArray[np.float32]:
    """Return true positives, false positives, true negatives, false negatives, precision, recall: (6, n)."""
    return value.rows().astype(np.float32)


def mesh_parts(tag: str, value: MeshData) -> Iterator[MeshPart]:
    """Yield vertices, faces and colours, those that there are."""
    types = mesh_data_pb2.MeshPluginData
    found = [(types.VERTEX, value.vertices), (types.FACE, value.faces), (types.COLOR, value.colors)]
    known = [(content, array) for content, array in found if array is not None]
    components = mesh_metadata.get_components_bitmask([content for content, _ in known])
    for content, array in known:
        batch = array[None].astype(np.float32)
        described = mesh_metadata.create_summary_metadata(
            tag, None, content, components, batch.shape, json_config=json.dumps(dict(value.config))
        )
        yield MeshPart(mesh_metadata.get_instance_name(tag, content), batch, described)


def _row(cells: Any) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(cell: Any) -> str:
    return " ".join(cell_text(cell)[:_LONGEST_CELL].replace("|", "\\|").split())


def _notice(text: str) -> bytes:
    picture = Image.new("L", (280, 60), 255)
    ImageDraw.Draw(picture).multiline_text((10, 12), text, fill=60)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
