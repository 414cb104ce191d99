"""Windows of Visdom that are no curves, as values of Stepscope's kinds. Pure: nothing is read here."""

from __future__ import annotations

import io
import json
import re
import wave
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module, util
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from ....storage.errors import BadInput
from ....storage.kinds.graph import GraphData, GraphNode
from ...media.audio import Audio
from ...media.base import Loggable
from ...media.embedding import Embedding
from ...media.figure import MOST_BYTES
from ...media.graph import Graph
from ...media.image import Image
from ...media.table import Table
from ...media.text import Text
from ...media.video import Video
from ..media_files import PlotlyText
from .html_panes import HtmlPart, data_of, parts_of

Json: TypeAlias = Mapping[str, Any]

_TAG = re.compile(r"<[a-zA-Z!/]|&[a-zA-Z#]")
_FENCE = re.compile(r"`{3,}")
_URI = re.compile(r"(data:[\w.+-]+/[\w.+-]+;base64,)[A-Za-z0-9+/=\s]+")


def value_of(pane: Json, title: str) -> list[Loggable]:
    """Return what a window shows, but for image histories; several values where a text holds several files.

    Raises:
        BadInput: it is damaged, or not of the form that its type has.
    """
    kind, content = pane.get("type"), pane.get("content")
    make = _VALUES.get(str(kind))
    try:
        return (
            make(content, title) if make is not None else [kept_as_text({"type": kind, "content": content})]
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"it is not of the form that {kind!r} has: {error!r:.200}") from error


def image_of(content: Any) -> Loggable:
    """Return a picture with its caption; an animation becomes a video. Raises BadInput."""
    if not isinstance(content, dict):
        raise BadInput(f"a picture needs a source, but this one is {content!r:.80}")
    known = cast("Json", content)
    found = data_of(str(known.get("src")))
    if found is None:
        raise BadInput(f"a picture's source must be its data, but it is {str(known.get('src'))[:80]!r}")
    caption = known.get("caption") or None
    return picture_of(found[0], found[1], None if caption is None else str(caption))


def picture_of(media_type: str, data: bytes, caption: str | None = None) -> Loggable:
    """Return the file of a picture as an image, or as a video when it moves. Raises BadInput."""
    if media_type == "image/gif":
        return Video(data, caption=caption)
    try:
        with Pillow.open(io.BytesIO(data)) as picture:
            mode = picture.mode if picture.mode in ("L", "RGB", "RGBA") else _mode_for(picture)
            return Image(np.asarray(picture.convert(mode)), caption)
    except (OSError, ValueError, Pillow.DecompressionBombError) as error:
        raise BadInput(f"a picture of {len(data):,} bytes is no {media_type}: {error}") from error


def sound_of(media_type: str, data: bytes, caption: str | None = None) -> Loggable:
    """Return a sound. Raises BadInput when it is damaged, or needs PyAV, which is not there."""
    try:
        with wave.open(io.BytesIO(data)) as reader:
            if reader.getsampwidth() == 2:
                frames = np.frombuffer(reader.readframes(reader.getnframes()), "<i2")
                samples = frames.reshape(-1, reader.getnchannels())
                return Audio(samples, reader.getframerate(), caption, layout="NC")
    except (wave.Error, EOFError):
        pass
    if util.find_spec("av") is None:
        raise BadInput(f'a sound of {media_type} needs PyAV. Install it with: pip install "stepscope[video]"')
    return _decoded(media_type, data, caption)


def file_of(part: HtmlPart, caption: str | None = None) -> Loggable:
    """Return a sound, film or picture of a text pane. Raises BadInput."""
    if part.kind == "audio":
        return sound_of(part.media_type, part.data, caption)
    if part.kind == "video":
        return Video(part.data, caption=caption)
    return picture_of(part.media_type, part.data, caption)


def table_of(part: HtmlPart) -> Table:
    """Return a table of a text pane; columns of numbers are numbers again."""
    width = max(map(len, part.rows), default=0)
    rows = [[*row, *[""] * (width - len(row))] for row in part.rows]
    columns = rows.pop(0) if part.has_head and rows else [str(place + 1) for place in range(width)]
    cells = [typed([row[place] for row in rows]) for place in range(width)]
    return Table(columns, [list(row) for row in zip(*cells, strict=True)] if rows else [])


def text_of(content: str) -> Text:
    """Return a text; HTML is kept as its source, and shown as such."""
    if not _TAG.search(content):
        return Text(content)
    longest = max((len(found) for found in _FENCE.findall(content)), default=2)
    fence = "`" * (longest + 1)
    return Text(f"{fence}html\n{content}\n{fence}")


def kept_as_text(content: Any) -> Text:
    """Return what cannot be understood such that nothing of it is lost."""
    if isinstance(content, str):
        return text_of(content)
    return Text(f"```json\n{json.dumps(content, indent=1)}\n```")


def _texts(content: Any, _title: str) -> list[Loggable]:
    """Return the files of a text pane, its table if it is nothing else, or the text."""
    if not isinstance(content, str):
        raise BadInput(f"a text must be a string, but it is {content!r:.80}")
    parts = parts_of(content) if _TAG.search(content) else []
    if [part.kind for part in parts] == ["table"] and parts[0].rows:
        return [table_of(parts[0])]
    files = [part for part in parts if part.kind in ("audio", "video", "image")]
    words = [part for part in parts if part not in files]
    if not files:
        return [text_of(content)]
    # One file with a line below it, as trackers write them: the line is its caption.
    if len(files) == 1 and len(words) == 1 and words[0].kind == "text" and "<table" not in content:
        return [file_of(files[0], words[0].text.strip())]
    found: list[Loggable] = [file_of(part) for part in files]
    return [*found, text_of(_URI.sub(r"\1...", content))] if words else found


def _figure(content: Any, _title: str) -> list[Loggable]:
    spec = cast("Json", content)
    text = json.dumps({"data": spec["data"], "layout": spec.get("layout") or {}}, separators=(",", ":"))
    if len(text) > MOST_BYTES:
        raise BadInput(f"a figure may have {MOST_BYTES >> 20} MiB, but this one has {len(text) >> 20} MiB")
    return [PlotlyText(text)]


def _network(content: Any, title: str) -> list[Loggable]:
    inputs: dict[str, list[str]] = {}
    labels: dict[str, dict[str, str]] = {}
    for edge in content["edges"]:
        source, target = str(edge["source"]), str(edge["target"])
        inputs.setdefault(target, []).append(source)
        labels.setdefault(target, {})[f"edge from {source}"] = str(edge.get("label", ""))
    nodes = [
        GraphNode(
            str(node["name"]),
            str(node.get("label", node["name"])),
            inputs=tuple(inputs.get(str(node["name"]), ())),
            attributes=labels.get(str(node["name"]), {}) | _club(node),
        )
        for node in content["nodes"]
    ]
    return [Graph(GraphData(title, "visdom", "visdom", tuple(nodes)))]


def _club(node: Json) -> dict[str, str]:
    return {"club": str(node["club"])} if "club" in node else {}


def _embedding(content: Any, _title: str) -> list[Loggable]:
    points: Any = content.get("data")
    if not points:  # its projection is still being computed
        return []
    rows = [[str(one.get(key, "")) for key in ("label", "name", "group")] for one in points]
    vectors = np.array([one["position"] for one in points], np.float32)
    return [Embedding(vectors, rows, header=["label", "name", "group"])]


def _mode_for(picture: Pillow.Image) -> str:
    has_alpha = picture.mode in ("LA", "PA", "La", "RGBa") or "transparency" in picture.info
    return "RGBA" if has_alpha else ("L" if picture.mode == "1" else "RGB")


def _decoded(media_type: str, data: bytes, caption: str | None) -> Audio:
    av: Any = import_module("av")
    try:
        with av.open(io.BytesIO(data)) as container:
            resampler = av.AudioResampler(format="s16")
            frames = [part for one in container.decode(audio=0) for part in resampler.resample(one)]
            frames += resampler.resample(None)
    except (OSError, ValueError) as error:  # PyAV's errors are one of these
        raise BadInput(f"a sound of {len(data):,} bytes is no {media_type}: {error}") from error
    if not frames:
        raise BadInput(f"a sound of {len(data):,} bytes holds no samples")
    samples: NDArray[np.int16] = np.concatenate([one.to_ndarray().reshape(-1) for one in frames])
    channels = int(frames[0].layout.nb_channels)
    return Audio(samples.reshape(-1, channels), int(frames[0].sample_rate), caption, layout="NC")


def typed(cells: Sequence[str]) -> list[Any]:
    """Return cells as numbers when each of them is written as Python writes that number."""
    for make in (int, float):
        try:
            numbers = [make(cell) for cell in cells]
        except ValueError:
            continue
        if [str(number) for number in numbers] == list(cells):
            return numbers
    return list(cells)


def _image(content: Any, _title: str) -> list[Loggable]:
    return [image_of(content)]


_VALUES: Mapping[str, Callable[[Any, str], list[Loggable]]] = {
    "plot": _figure,
    "image": _image,
    "text": _texts,
    "network": _network,
    "embeddings": _embedding,
}
