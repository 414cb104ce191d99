"""What summaries hold -> values to log: a function for each of TensorBoard's plugins, and for the old forms.

It takes the messages of TensorFlow and of the tensorboard package alike, and imports neither.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from ....storage.errors import BadInput
from ...media import Audio, Histogram, Image, Loggable, PrCurve, Text, Video
from ...raw import Payload
from ..wav import wav_samples
from .tensors import ndarray_of

_PR_ROWS = ("TP", "FP", "TN", "FN", "precision", "recall")

Made: TypeAlias = float | Loggable | list[Any]
"""A number, a value, or several of them."""

TOLD_ELSEWHERE = frozenset({"graph_keras_model", "graph_run_metadata"})
"""Plugins whose values tell of a graph or a profile that comes in another form as well."""


def made_of(value: Any, plugin: str) -> Made:
    """Return what a Summary.Value holds.

    Args:
        value: the message.
        plugin: what its tag's first value said; one that is not known here is taken for numbers or words.

    Raises:
        BadInput: there is no way to show it.
    """
    form = value.WhichOneof("value")
    if form in _OLD_FORMS:
        return _OLD_FORMS[form](getattr(value, form))
    if form != "tensor":
        raise BadInput(f"expected a summary with a value, but the one of {value.tag!r} has {form or 'none'}")
    return PLUGINS.get(plugin, _plain)(ndarray_of(value.tensor))


class _WithMoments(Histogram):
    """Buckets made by who had seen the numbers: the moments are those of the numbers."""

    def __init__(self, buckets: Histogram, moments: Mapping[str, float]) -> None:
        super().__init__(counts=buckets.counts, edges=buckets.edges)
        self._moments = moments

    def payload(self) -> Payload:
        """Return the buckets with the moments. Raises BadInput as Histogram does."""
        made = super().payload()
        return replace(made, facts={**made.facts, **self._moments})


def binned(left: NDArray[Any], right: NDArray[Any], counts: NDArray[Any]) -> Histogram:
    """Return the histogram of buckets, of which there may be none, or some without width."""
    if not len(counts) or not counts.sum():
        return Histogram(np.empty(0))
    if (right > left).all() and (left[1:] == right[:-1]).all():
        return Histogram(counts=counts, edges=np.append(left, right[-1]))
    edges = np.unique(np.append(left, right[-1]))
    if len(edges) == 1:
        edges = np.array([np.nextafter(edges[0], -np.inf), np.nextafter(edges[0], np.inf)])
    places = np.clip(np.searchsorted(edges, left, side="right") - 1, 0, len(edges) - 2)
    return Histogram(counts=np.bincount(places, counts, len(edges) - 1), edges=edges)


def picture(encoded: bytes) -> Image | Video:
    """Return a picture, or a video if it moves: that is how torch writes one. Raises BadInput."""
    try:
        with PIL.Image.open(io.BytesIO(encoded)) as opened:
            if getattr(opened, "n_frames", 1) > 1 and opened.format == "GIF":
                return Video(encoded)
            opened.load()
            if opened.mode.startswith("I"):
                # Grey of 16 bits, of which pillow would cut off what is above 255.
                return Image((np.asarray(opened) >> 8).astype(np.uint8))
            if opened.mode not in ("1", "L", "RGB", "RGBA"):
                # A palette, say, whose numbers are no brightness.
                return Image(opened.convert("RGBA" if "A" in opened.getbands() else "RGB"))
            return Image(opened.copy())
    except (OSError, SyntaxError, ValueError) as error:
        reason = "in no format that is known" if isinstance(error, PIL.UnidentifiedImageError) else error
        raise BadInput(f"expected a picture, but {len(encoded):,} bytes cannot be read: {reason}") from error


def sound(encoded: bytes, label: str = "") -> Audio:
    """Return the sound of a WAV file. Raises BadInput."""
    try:
        samples, rate = wav_samples(io.BytesIO(encoded))
    except (wave.Error, EOFError) as error:
        reason = str(error) or "they end too early"
        raise BadInput(f"expected a WAV file, but {len(encoded):,} bytes cannot be read: {reason}") from error
    return Audio(samples, rate, label or None, layout="NC")


def _scalar(tensor: NDArray[Any]) -> Made:
    return float(tensor.reshape(())) if tensor.size == 1 and tensor.dtype != object else _plain(tensor)


def _histogram(buckets: NDArray[Any]) -> Histogram:
    """Read rows of left, right, count."""
    rows = buckets.reshape(-1, 3).astype(np.float64)
    return binned(rows[:, 0], rows[:, 1], rows[:, 2])


def _images(parts: NDArray[Any]) -> list[Image | Video]:
    """Read width, height, then one encoded picture after the other."""
    return [picture(encoded) for encoded in parts.reshape(-1)[2:]]


def _sounds(rows: NDArray[Any]) -> list[Audio]:
    """Read rows of a WAV file and, maybe, its label."""
    rows = rows.reshape(len(rows), -1) if rows.ndim else rows.reshape(1, 1)
    return [sound(row[0], row[1].decode("utf-8", "replace") if len(row) > 1 else "") for row in rows]


def _text(tensor: NDArray[Any]) -> Text | list[Any]:
    """Read one text, the texts of a vector, or rows of cells as a table, as TensorBoard shows them."""
    words = [_word(encoded) for encoded in tensor.reshape(-1)]
    if tensor.ndim < 2 or not words:
        return [Text(word) for word in words]
    columns: int = tensor.shape[-1]
    rows = [" | ".join(words[at : at + columns]) for at in range(0, len(words), columns)]
    return Text("\n".join([rows[0], " | ".join(["---"] * columns), *rows[1:]]))


def _word(encoded: Any) -> str:
    return encoded.decode("utf-8", "replace") if isinstance(encoded, bytes) else str(encoded)


def _pr_curve(rows: NDArray[Any]) -> PrCurve:
    if rows.ndim != 2 or len(rows) != len(_PR_ROWS):
        raise BadInput(f"expected the rows {', '.join(_PR_ROWS)} of a PR curve, but got shape {rows.shape}")
    return PrCurve.from_counts(*rows)


def _plain(tensor: NDArray[Any]) -> Made:
    """Take what no plugin explains for what it is: numbers or words."""
    if tensor.dtype == object:
        return _text(tensor)
    return float(tensor.reshape(())) if tensor.size == 1 else Histogram(tensor)


def _old_histogram(proto: Any) -> Histogram:
    """Read TensorFlow 1's buckets, whose outermost limits are the largest numbers there are."""
    if len(proto.bucket_limit) != len(proto.bucket):
        sizes = f"{len(proto.bucket_limit)} limits and {len(proto.bucket)} buckets"
        raise BadInput(f"expected as many limits as buckets, but got {sizes}")
    limits = np.clip(np.array(proto.bucket_limit), proto.min, proto.max)
    made = binned(np.append(proto.min, limits[:-1]), limits, np.array(proto.bucket))
    if made.values is not None or proto.num <= 0:
        return made
    mean = proto.sum / proto.num
    spread = max(0.0, proto.sum_squares / proto.num - mean * mean) ** 0.5
    moments = {"count": int(proto.num), "min": proto.min, "max": proto.max, "mean": mean, "std": spread}
    return _WithMoments(made, moments)


def _old_image(proto: Any) -> Image | Video:
    return picture(proto.encoded_image_string)


def _old_audio(proto: Any) -> Audio:
    return sound(proto.encoded_audio_string)


_OLD_FORMS: dict[str, Callable[[Any], Made]] = {
    "simple_value": float,
    "histo": _old_histogram,
    "image": _old_image,
    "audio": _old_audio,
}
"""The fields that TensorFlow 1 fills, and torch's and tensorboardX's writers."""

PLUGINS: dict[str, Callable[[NDArray[Any]], Made]] = {
    "scalars": _scalar,
    "histograms": _histogram,
    "images": _images,
    "audio": _sounds,
    "text": _text,
    "pr_curves": _pr_curve,
}
