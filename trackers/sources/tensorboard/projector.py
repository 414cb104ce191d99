"""The files of TensorBoard's projector beside a run's events -> embeddings."""

from __future__ import annotations

import io
import math
import posixpath
import re
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from ....storage.errors import BadInput
from ....storage.kinds.embedding import KIND
from ....storage.kinds.parts import pack, split
from ....storage.write_series import NewRecord
from ...media import Embedding
from ...sinks.tensorboard.protos import projector_config_pb2, text_format
from ..base import Piece
from .files import Files
from .origin import Origin

CONFIG = "projector_config.pbtxt"
_ENTRY = re.compile(rb"^\s*embeddings\b", re.MULTILINE)
_STEP = re.compile(r"(?P<tag>.+):(?P<step>\d+)")
"""torch adds the step to the tag: `default:00000`."""


def read_projector(files: Files, origin: Origin, position: int, time: float) -> Iterator[Piece]:
    """Yield the embeddings that a config has beyond a position; torch appends one after the other.

    Raises:
        BadInput: the config is none.
        OSError: it cannot be read.
    """
    data = files.read(origin.path)
    if len(data) <= position:
        return
    try:
        config = text_format.Parse(data, projector_config_pb2.ProjectorConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise BadInput(f"expected {origin.place} to be the projector's config, but got: {error}") from error
    piece = Piece(len(data))
    folder = origin.path.removesuffix(CONFIG)
    for info in config.embeddings[len(_ENTRY.findall(data[:position])) :]:
        try:
            piece.records.append(_embedding(files, folder, info, origin, time))
        except (BadInput, OSError, ValueError) as error:
            piece.problems.append(f"{origin.place}: {info.tensor_name!r} was left out: {error}")
    yield piece


def _embedding(files: Files, folder: str, info: Any, origin: Origin, time: float) -> NewRecord:
    if not info.tensor_path:
        raise BadInput("it lies in a checkpoint of TensorFlow, not in a file of vectors")
    vectors = _vectors(_read(files, folder, info.tensor_path), info)
    header, rows = (), None
    if info.metadata_path:
        header, rows = _metadata(_read(files, folder, info.metadata_path), len(vectors))
    payload = Embedding(vectors, rows, header=header or None).payload()
    arrays = split(payload.facts["parts"], cast("bytes", payload.data))
    facts: dict[str, Any] = {}
    if info.sprite.image_path:
        width, height = (int(size) for size in info.sprite.single_image_dim)
        sheet = _sheet(_read(files, folder, info.sprite.image_path), len(vectors), (width, height))
        arrays["sprite"], facts["image_size"] = np.frombuffer(sheet, np.uint8), (width, height)
    told = _STEP.fullmatch(info.tensor_name)
    name, step = (told["tag"], int(told["step"])) if told is not None else (info.tensor_name, 0)
    return NewRecord(origin.definition(name or "embedding", KIND.name), step, time, pack(arrays, facts))


def _read(files: Files, folder: str, path: str) -> bytes:
    """Return a file that the config names. Raises BadInput when it is none of the place's, OSError."""
    inside = posixpath.normpath(folder + path)
    if inside.startswith("../"):
        raise BadInput(f"{path} lies outside of {files.place}")
    return files.read(inside)


def _vectors(data: bytes, info: Any) -> NDArray[np.float32]:
    """Read vectors as text with tabs, or as float32 in a file that ends in .bytes."""
    if info.tensor_path.endswith(".bytes"):
        return np.frombuffer(data, "<f4").reshape(tuple(info.tensor_shape))
    return np.loadtxt(io.BytesIO(data), np.float32, delimiter="\t", ndmin=2)


def _metadata(data: bytes, count: int) -> tuple[tuple[str, ...], list[Any]]:
    """Return the names of the columns, () for one without a name, and a row or a label for each vector."""
    lines = data.decode("utf-8", "replace").split("\n")
    while lines and not lines[-1] and len(lines) > count:
        lines.pop()
    rows = [line.rstrip("\r").split("\t") for line in lines]
    # Of several columns, the first line has the names.
    header = tuple(rows.pop(0)) if rows and len(rows[0]) > 1 and len(rows) == count + 1 else ()
    if len(rows) != count:
        raise BadInput(f"expected a line of metadata for each of {count} vectors, but got {len(rows)}")
    if header:
        return header, rows
    return (), ["\t".join(row) for row in rows]


def _sheet(data: bytes, count: int, size: tuple[int, int]) -> bytes:
    """Return the pictures on one sheet as the store has them: a PNG with ceil(sqrt(count)) in each row."""
    width, height = size
    across = math.ceil(math.sqrt(count))
    with PIL.Image.open(io.BytesIO(data)) as sheet:
        there = sheet.width // width
        if there == across and sheet.format == "PNG":
            return data
        sheet.load()
        laid = PIL.Image.new("RGBA", (across * width, math.ceil(count / across) * height))
        for number in range(count):
            x, y = number % there * width, number // there * height
            laid.paste(sheet.crop((x, y, x + width, y + height)), _corner(number, across, size))
    buffer = io.BytesIO()
    laid.save(buffer, "PNG")
    return buffer.getvalue()


def _corner(number: int, across: int, size: tuple[int, int]) -> tuple[int, int]:
    return number % across * size[0], number // across * size[1]
