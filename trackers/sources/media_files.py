"""Files that other programs keep beside a run, as the values that the dashboard shows."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from PIL import Image as Pillow

from ...storage.errors import BadInput
from ..media import Audio, Figure, Html, Image, Table, Text, Video
from ..media.base import Loggable
from ..raw import Payload
from .wav import wav_samples

MOST_TEXT_BYTES = 1 << 20
"""A larger text is a file to be kept, and not one to be read."""
_Maker: TypeAlias = Callable[[Path, str | None], Loggable]


class PlotlyText(Figure):
    """A figure of plotly that is JSON text already."""

    def payload(self) -> Payload:
        """Return the text. Raises BadInput when it is no text."""
        if not isinstance(self.figure, str):
            raise BadInput(f"expected plotly's JSON as a text, but got {type(self.figure).__name__}")
        facts = {"media_type": "application/json", "caption": self.caption}
        return Payload(self.kind, self.figure.encode("utf-8", "replace"), facts)


def value_of(path: Path, caption: str | None = None) -> Loggable | None:
    """Return a file as a value; None for one that is to be kept as it is.

    Raises:
        BadInput: its ending says what it is, and it is not.
        OSError: it cannot be read.
    """
    if not is_shown(path, path.stat().st_size):
        return None
    try:
        return _MAKERS[path.suffix.lower()](path, caption)
    except BadInput:
        raise
    except (ValueError, EOFError, wave.Error) as error:
        raise BadInput(f"expected {path} to hold what its ending says, but got: {error}") from error


def is_shown(path: Path, size: int) -> bool:
    """Tell by its name and size whether a file becomes a value."""
    ending = path.suffix.lower()
    return ending in _MAKERS and (ending not in _READ or size <= MOST_TEXT_BYTES)


def plotly_json(html: str) -> str | None:
    """Return the JSON of the plotly figure that a page draws; None when it draws none."""
    _, drawn, call = html.partition("Plotly.newPlot(")
    if not drawn:
        return None
    try:
        decoder = json.JSONDecoder()
        data, end = decoder.raw_decode(call, call.index("["))
        layout, _ = decoder.raw_decode(call, call.index("{", end))
    except ValueError:
        return None
    return json.dumps({"data": data, "layout": layout})


def _image(path: Path, caption: str | None) -> Loggable:
    try:
        with Pillow.open(path) as picture:
            # What has a palette, or four inks, has its colours only after this.
            plain = picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert(_mode(picture))
            return Image(np.asarray(plain), caption)
    except (OSError, Pillow.DecompressionBombError) as error:
        raise BadInput(f"the picture {path} cannot be read: {error}") from error


def _mode(picture: Pillow.Image) -> str:
    return "RGBA" if picture.mode in ("LA", "PA") or "transparency" in picture.info else "RGB"


def _audio(path: Path, caption: str | None) -> Loggable:
    samples, rate = wav_samples(path)
    return Audio(samples, rate, caption, layout="NC")


def _video(path: Path, caption: str | None) -> Loggable:
    return Video(path, caption=caption)


def _text(path: Path, _: str | None) -> Loggable:
    return Text(_read(path))


def _json(path: Path, _: str | None) -> Loggable:
    text = _read(path)
    try:
        found: Any = json.loads(text)
    except ValueError:
        return _fenced(text, "json")
    # As pandas writes a table with orient="split".
    if isinstance(found, dict) and {"columns", "data"} <= cast("dict[str, Any]", found).keys():
        return Table([str(name) for name in cast("Any", found["columns"])], cast("Any", found["data"]))
    return _fenced(text, "json")


def _html(path: Path, caption: str | None) -> Loggable:
    text = _read(path)
    figure = plotly_json(text)
    return Html(text) if figure is None else PlotlyText(figure, caption)


def _code(path: Path, _: str | None) -> Loggable:
    return _fenced(_read(path), path.suffix[1:].lower())


def _fenced(text: str, language: str) -> Loggable:
    return Text(f"```{language}\n{text}\n```")


def _read(path: Path) -> str:
    return path.read_text("utf-8", "replace")


_PICTURES: Mapping[str, _Maker] = dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp", ".webp"), _image)
_FILMS: Mapping[str, _Maker] = dict.fromkeys((".gif", ".mp4", ".webm"), _video)
_READ: Mapping[str, _Maker] = {
    ".txt": _text,
    ".md": _text,
    ".log": _text,
    ".json": _json,
    ".html": _html,
    **dict.fromkeys((".yaml", ".yml", ".toml", ".ini", ".csv"), _code),
}
_MAKERS: Mapping[str, _Maker] = {**_PICTURES, **_FILMS, **_READ, ".wav": _audio}
