"""What W&B keeps of pictures, sounds, tables and the like: a note in the history, a file beside the log."""

from __future__ import annotations

import contextlib
import io
import json
import wave
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from PIL import Image as Pillow

from ....storage.errors import BadInput
from ...media import Audio, Histogram, Html, Image, Loggable, Mesh, Table, Text, Video
from ..media_files import PlotlyText, value_of
from ..wav import wav_samples

_MOST_BYTES = 256 << 20
_MOST_FILE_BYTES = 1 << 40
_UNREADABLE = (OSError, EOFError, wave.Error, ValueError, TypeError, KeyError, IndexError, RecursionError)
_BOX_COLUMNS = ("class", "label", "min x", "max x", "min y", "max y", "unit", "caption", "scores")

_Note = Mapping[str, Any]


class Medium(NamedTuple):
    """One value of a note."""

    suffix: str
    """What its series has behind the note's own name: "" or "/masks/prediction"."""
    value: Loggable


def media_of(note: _Note, folder: Path) -> Iterator[Medium]:
    """Yield the values that a note of the history stands for.

    Args:
        note: with its "_type", as W&B wrote it.
        folder: that in which the paths of notes begin: `files` beside the log.

    Raises:
        BadInput: there is no place for it here, or its file is not there or not what it should be.
    """
    kind = str(note["_type"])
    for one in _parts_of(kind, note):
        reader = _READERS.get(str(one.get("_type", kind)).removesuffix("-file"))
        if reader is None:
            raise BadInput(f"there is no place for what W&B calls {kind!r}")
        try:
            yield from reader(one, folder)
        except BadInput:
            raise
        except _UNREADABLE as error:
            raise BadInput(f"a {kind}{_at(one)} cannot be read: {error}") from error


def files_of(note: _Note, folder: Path) -> list[Path]:
    """Return the files of a note that are there."""
    found: list[Path] = []
    for one in _parts_of(str(note["_type"]), note):
        with contextlib.suppress(OSError, KeyError, BadInput):
            found.append(_file(one, folder, _MOST_FILE_BYTES))
    return found


def _parts_of(kind: str, note: _Note) -> list[_Note]:
    """Return the note of each value, of a note about several that were logged at once."""
    if kind == "images/separated":
        captions = note.get("captions")
        texts = cast("list[Any]", captions) if isinstance(captions, list) else []
        names = cast("list[str]", note["filenames"])
        return [
            {"_type": "image", "path": name, "caption": texts[at] if at < len(texts) else None}
            | _beside(note, at)
            for at, name in enumerate(names)
        ]
    many = {"audio": "audio", "videos": "videos", "html": "html", "object3D": "objects"}
    listed = note.get(many.get(kind, ""))
    if kind == "molecule" and "filenames" in note:
        listed = [{"path": name} for name in cast("list[str]", note["filenames"])]
    if not isinstance(listed, list):
        return [note]
    captions = cast("list[Any]", note.get("captions") or [])
    notes = cast("list[dict[str, Any]]", listed)
    return [
        {"_type": kind.removesuffix("s"), "caption": captions[at] if at < len(captions) else None} | one
        for at, one in enumerate(notes)
    ]


def _beside(note: _Note, at: int) -> dict[str, Any]:
    """Return masks and boxes of one of several images."""
    found: dict[str, Any] = {}
    for one, many in (("masks", "all_masks"), ("boxes", "all_boxes")):
        listed = note.get(many)
        if isinstance(listed, list) and at < len(cast("list[Any]", listed)) and listed[at]:
            found[one] = listed[at]
    return found


def _image(note: _Note, folder: Path) -> Iterator[Medium]:
    yield Medium("", _picture(note, folder, note.get("caption")))
    for name, mask in _named(note.get("masks")):
        yield Medium(f"/masks/{name}", _mask(_file(mask, folder)))
    for name, boxes in _named(note.get("boxes")):
        yield Medium(f"/boxes/{name}", _boxes(json.loads(_text(boxes, folder))))


def _picture(note: _Note, folder: Path, caption: str | None) -> Loggable:
    path = _file(note, folder)
    value = value_of(path, caption)
    if value is None:
        raise BadInput(f"there is no place for pictures of the form {path.suffix}")
    return value


def _mask(path: Path) -> Loggable:
    """Return a picture of the numbers of classes as greys that can be told apart."""
    with Pillow.open(path) as picture:
        classes = np.asarray(picture.convert("L"))
    factor = 255 // max(1, int(classes.max()))
    return Image(classes * np.uint8(factor), None if factor == 1 else f"classes times {factor}")


def _named(found: Any) -> list[tuple[str, _Note]]:
    return list(cast("dict[str, _Note]", found).items()) if isinstance(found, dict) else []


def _boxes(found: _Note) -> Table:
    labels = cast("dict[str, Any]", found.get("class_labels") or {})
    rows: list[tuple[Any, ...]] = []
    for box in cast("list[dict[str, Any]]", found["box_data"]):
        at = box["position"]
        if "middle" in at:
            (x, y), width, height = at["middle"], at["width"], at["height"]
            at = {
                "minX": x - width / 2,
                "maxX": x + width / 2,
                "minY": y - height / 2,
                "maxY": y + height / 2,
            }
        label = labels.get(str(box.get("class_id")))
        edges = (at["minX"], at["maxX"], at["minY"], at["maxY"])
        told = (box.get("domain") or "share", box.get("box_caption"), box.get("scores"))
        rows.append((box.get("class_id"), label, *edges, *told))
    return Table(_BOX_COLUMNS, rows)


def _audio(note: _Note, folder: Path) -> Iterator[Medium]:
    samples, rate = wav_samples(_file(note, folder))
    yield Medium("", Audio(samples, rate, note.get("caption"), layout="NC"))


def _video(note: _Note, folder: Path) -> Iterator[Medium]:
    yield Medium("", Video(_file(note, folder), caption=note.get("caption")))


def _table(note: _Note, folder: Path) -> Iterator[Medium]:
    found = json.loads(_text(note, folder))
    yield Medium("", Table(found["columns"], found["data"]))


def _histogram(note: _Note, _: Path) -> Iterator[Medium]:
    packed = note.get("packedBins")
    edges: Any = note.get("bins")
    if isinstance(packed, dict):
        start, size, count = (float(cast("_Note", packed)[key]) for key in ("min", "size", "count"))
        edges = start + size * np.arange(int(count) + 1)
    yield Medium(
        "", Histogram(counts=np.asarray(note["values"], np.float64), edges=np.asarray(edges, np.float64))
    )


def _html(note: _Note, folder: Path) -> Iterator[Medium]:
    yield Medium("", Html(io.StringIO(_text(note, folder))))


def _plotly(note: _Note, folder: Path) -> Iterator[Medium]:
    yield Medium("", PlotlyText(_text(note, folder), note.get("caption")))


def _object_3d(note: _Note, folder: Path) -> Iterator[Medium]:
    path = _file(note, folder)
    if path.suffix != ".json":
        raise BadInput(f"there is no place for a 3D object of the form {path.suffix}")
    found: Any = json.loads(_text(note, folder))
    points = np.asarray(found["points"] if isinstance(found, dict) else found, np.float64)
    if points.ndim != 2 or points.shape[1] not in (3, 4, 6):
        raise BadInput(f"a 3D object needs points of 3, 4 or 6 numbers, but got the shape {points.shape}")
    colors = np.clip(points[:, 3:6], 0, 255).astype(np.uint8) if points.shape[1] == 6 else None
    yield Medium("", Mesh(points[:, :3], colors=colors))
    if points.shape[1] == 4:
        yield Medium("/categories", Table(["category"], points[:, 3:].tolist()))


def _source(note: _Note, folder: Path) -> Iterator[Medium]:
    """Yield a file of text as it is: no page draws it, but nothing of it is lost."""
    yield Medium("", Text(f"```\n{_text(note, folder)}\n```"))


def _file(note: _Note, folder: Path, most: int = _MOST_BYTES) -> Path:
    root = folder.resolve()
    path = (folder / str(note["path"])).resolve()
    if not path.is_relative_to(root):
        raise BadInput(f"its file {note['path']!r} does not lie in the run's folder")
    size = path.stat().st_size
    if size > most:
        raise BadInput(f"its file has {size >> 20} MiB, of at most {most >> 20}: {path}")
    return path


def _text(note: _Note, folder: Path) -> str:
    return _file(note, folder).read_text(encoding="utf-8", errors="replace")


def _at(note: _Note) -> str:
    return f" ({note['path']})" if note.get("path") else ""


_READERS: Mapping[str, Callable[[_Note, Path], Iterator[Medium]]] = {
    "image": _image,
    "audio": _audio,
    "video": _video,
    "table": _table,
    "incremental-table": _table,
    "histogram": _histogram,
    "html": _html,
    "plotly": _plotly,
    "object3D": _object_3d,
    "molecule": _source,
}
