"""The tables of a dataset: their columns, and what of a run becomes a row of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ....storage.kinds.audio import AudioData
from ....storage.kinds.figure import FigureData
from ....storage.kinds.graph import GraphData
from ....storage.kinds.histogram import HistogramData
from ....storage.kinds.image import ImageData
from ....storage.kinds.text import TextData
from ....storage.kinds.video import VideoData
from ....storage.model import Attempt, Record, Run, Series, words_of


class Repeated(NamedTuple):
    """Texts of a column, and how many rows in a row have each."""

    texts: tuple[str, ...]
    rows: tuple[int, ...]


Column: TypeAlias = Sequence[Any] | NDArray[Any] | Repeated
FileData: TypeAlias = ImageData | AudioData | VideoData | FigureData

_SERIES = {"name": "text", "context": "text", "step": "int", "time": "float"}
_KEYS = {"project_name": "text", "run_id": "text"}
_RUN = {"name": "text", "group": "text", "state": "text", "framework": "text", "tags": "text", "host": "text"}
_TIMES = {"created_at": "float", "finished_at": "float", "archived_at": "float", "duration": "float"}
_TOLD = ("notes", "config", "summary", "environment", "attempts", "error")
_MOMENTS = {"count": "int", "min": "float", "max": "float", "mean": "float", "std": "float"}
_ODD = {"nan_count": "int", "posinf_count": "int", "neginf_count": "int"}
_FILE = {"kind": "text", "path": "text", "media_type": "text", "bytes": "int", "caption": "text"}
TABLES: Mapping[str, Mapping[str, str]] = {
    "runs": _KEYS | _RUN | _TIMES | dict.fromkeys(_TOLD, "text"),
    "points": _SERIES | {"value": "float"},
    "histograms": _SERIES | _MOMENTS | _ODD | {"edges": "floats", "counts": "floats"},
    "documents": _SERIES | {"kind": "text", "text": "text"},
    "media": _SERIES | _FILE,
}
"""Table -> column -> "text", "int" (int64), "float" (float64) or "floats" (a list of them)."""

FILES = frozenset({"image", "audio", "video", "figure"})
DOCUMENTS = frozenset({"text", "table", "hparams", "pr_curve", "mesh", "graph"})
CARRIED = FILES | DOCUMENTS | {"scalar", "histogram"}
ENDINGS = {
    "image/png": "png",
    "audio/wav": "wav",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "image/gif": "gif",
    "image/webp": "webp",
    "application/json": "json",
}


def facts(run: Run, attempts: Sequence[Attempt]) -> dict[str, Column]:
    """Return the row of a run; what has parts is JSON."""
    found: dict[str, Any] = {name: getattr(run, name) for name in (*_RUN, *_TIMES, "notes", "error")}
    found |= {"project_name": run.project, "run_id": run.run_id}
    found |= {name: _json(getattr(run, name)) for name in ("tags", "config", "summary", "environment")}
    found["attempts"] = _json([asdict(one) for one in attempts])
    return {name: [found[name]] for name in TABLES["runs"]}


def of_series(series: Series, rows: int) -> dict[str, Column]:
    """Return the columns that tell the series of some rows."""
    return {
        "name": Repeated((series.name,), (rows,)),
        "context": Repeated((words_of(series.context),), (rows,)),
    }


def of_record(series: Series, record: Record) -> dict[str, Column]:
    """Return the columns that every record has."""
    return of_series(series, 1) | {"step": [record.step], "time": [record.time]}


def of_histogram(value: HistogramData) -> dict[str, Column]:
    """Return the columns of a distribution."""
    numbers: dict[str, Column] = {name: [getattr(value, name)] for name in (*_MOMENTS, *_ODD)}
    return numbers | {"edges": [value.edges], "counts": [value.counts]}


def of_file(kind: str, value: FileData, path: str) -> dict[str, Column]:
    """Return the columns of a value that lies in a file of its own."""
    columns: dict[str, Column] = {"kind": [kind], "path": [path], "media_type": [value.media_type]}
    return columns | {"bytes": [len(value.data)], "caption": [value.caption]}


def ending_of(value: FileData) -> str:
    """Return how the name of a value's file ends."""
    return ENDINGS[value.media_type]


def bytes_of(value: FileData) -> bytes:
    """Return what a value's file holds."""
    return value.data


def text_of(value: Any) -> str:
    """Return a document as text: as it was written, or its fields as JSON."""
    if isinstance(value, TextData):
        return value.text
    if isinstance(value, GraphData):
        return value.to_json()
    if not is_dataclass(value):
        raise ValueError(f"expected a document, but got {type(value).__name__}")
    return _json({field.name: getattr(value, field.name) for field in fields(value)})


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else str(value)
