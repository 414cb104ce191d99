"""Logdirs of TensorBoard for the benchmarks, written many events at once.

The bytes are those that a training would have written: ten tags, one after the other at each step. Rows are
steps; the events of a step are laid out once by protobuf, and the times, steps, numbers and checksums of all
rows are filled in as columns.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from values import noisy

TAGS = (
    "loss/train",
    "loss/validation",
    "accuracy/train",
    "accuracy/validation",
    "learning_rate",
    "gradient_norm",
    "epoch",
    "seconds/step",
    "seconds/data",
    "memory/device",
)
NAME = "events.out.tfevents.1700000000.benchmark.1.0"
_BEGAN, _SECONDS_A_STEP = 1_700_000_000.0, 0.013
_ROWS = 20_000
_TIME_MARK, _NUMBER_MARK = 1_234_567_890.25, 1234.5
_PIXELS = 64
_BUCKETS = 100

MakeEvent = Callable[[str], Any]


def write_numbers(folder: Path, events: int, form: str) -> Path:
    """Write an event file with so many numbers, as "torch" or "tensorflow" writes them; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    with path.open("wb") as file:
        file.write(_version())
        for rows in _blocks(events // len(TAGS), _EVENTS[form]):
            file.write(rows)
    return path


def write_mixed(folder: Path, bytes_: int) -> Path:
    """Write an event file of about so many bytes: at each 50th step, an image and a histogram besides."""
    from tensorboard.compat.proto import event_pb2

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    chance = np.random.default_rng(1)
    with path.open("wb") as file:
        file.write(_version())
        for step in range(0, 1 << 62, 50):
            for rows in _blocks(50, _EVENTS["torch"], step):
                file.write(rows)
            event = event_pb2.Event(wall_time=_BEGAN + step * _SECONDS_A_STEP, step=step)
            _add_image(event, chance)
            _add_histogram(event, chance)
            file.write(_framed(event.SerializeToString()))
            if file.tell() >= bytes_:
                return path
    return path


def _of_torch(tag: str) -> Any:
    from tensorboard.compat.proto import event_pb2

    event = event_pb2.Event(wall_time=_TIME_MARK)
    event.summary.value.add(tag=tag, simple_value=_NUMBER_MARK)
    return event


def _of_tensorflow(tag: str) -> Any:
    from tensorboard.compat.proto import event_pb2

    event = event_pb2.Event(wall_time=_TIME_MARK)
    value = event.summary.value.add(tag=tag)
    value.tensor.dtype = 1
    value.tensor.tensor_shape.SetInParent()
    value.tensor.tensor_content = struct.pack("<f", _NUMBER_MARK)
    value.metadata.plugin_data.plugin_name = "scalars"
    return event


_EVENTS: dict[str, MakeEvent] = {"torch": _of_torch, "tensorflow": _of_tensorflow}


def _blocks(steps: int, make: MakeEvent, first: int = 0) -> Iterator[bytes]:
    """Yield the records of all tags at so many steps."""
    at, end = first, first + steps
    while at < end:
        # Within a block, steps take as many bytes, so that all rows have one length.
        size = _varint_size(at)
        until = min(end, at + _ROWS, 1 << 7 * size)
        numbers = np.arange(at, until)
        yield np.concatenate([_records(numbers, size, tag, make) for tag in TAGS], axis=1).tobytes()
        at = until


def _records(steps: NDArray[np.int64], size: int, tag: str, make: MakeEvent) -> NDArray[np.uint8]:
    """Return the records of a tag, one in each row."""
    event = make(tag)
    event.step = 1 << 7 * (size - 1)  # the smallest step that takes so many bytes
    data = event.SerializeToString()
    head = struct.pack("<Q", len(data))
    rows = np.empty((len(steps), len(data)), np.uint8)
    rows[:] = np.frombuffer(data, np.uint8)
    times = _BEGAN + steps * _SECONDS_A_STEP
    _fill(rows, data.index(struct.pack("<d", _TIME_MARK)), times.astype("<f8"))
    _fill(rows, data.index(struct.pack("<f", _NUMBER_MARK)), noisy(len(steps)).astype("<f4"))
    for place in range(size):
        more = 0x80 if place < size - 1 else 0
        rows[:, 10 + place] = (steps >> 7 * place & 0x7F) | more
    sums = _masked(_checksums(rows)).astype("<u4")
    front = np.frombuffer(head + struct.pack("<I", _masked_sum(head)), np.uint8)
    fronts = np.broadcast_to(front, (len(steps), len(front)))
    return np.concatenate([fronts, rows, sums[:, None].view(np.uint8)], axis=1)


def _fill(rows: NDArray[np.uint8], at: int, values: NDArray[Any]) -> None:
    rows[:, at : at + values.itemsize] = values[:, None].view(np.uint8)


def _varint_size(step: int) -> int:
    return max(1, -(-step.bit_length() // 7))


def _checksums(rows: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return the CRC-32C of each row."""
    found = np.full(len(rows), 0xFFFFFFFF, np.uint32)
    for column in np.ascontiguousarray(rows.T):
        found = _TABLE[(found & 0xFF) ^ column] ^ (found >> 8)
    return found ^ np.uint32(0xFFFFFFFF)


def _table() -> NDArray[np.uint32]:
    found = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        found = np.where(found & 1, found >> 1 ^ 0x82F63B78, found >> 1).astype(np.uint32)
    return found


_TABLE = _table()


def _masked(sums: NDArray[np.uint32]) -> NDArray[np.uint32]:
    return (sums >> 15 | sums << 17) + np.uint32(0xA282EAD8)


def _masked_sum(data: bytes) -> int:
    return int(_masked(_checksums(np.frombuffer(data, np.uint8)[None]))[0])


def _framed(data: bytes) -> bytes:
    import google_crc32c

    head = struct.pack("<Q", len(data))
    made = np.array([google_crc32c.value(part) for part in (head, data)], np.uint32)
    sums = [struct.pack("<I", one) for one in _masked(made).tolist()]
    return head + sums[0] + data + sums[1]


def _version() -> bytes:
    from tensorboard.compat.proto import event_pb2

    return _framed(event_pb2.Event(wall_time=_BEGAN, file_version="brain.Event:2").SerializeToString())


def _add_image(event: Any, chance: np.random.Generator) -> None:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(chance.integers(0, 255, (_PIXELS, _PIXELS, 3), np.uint8)).save(buffer, "PNG")
    value = event.summary.value.add(tag="sample")
    value.image.height, value.image.width, value.image.colorspace = _PIXELS, _PIXELS, 3
    value.image.encoded_image_string = buffer.getvalue()


def _add_histogram(event: Any, chance: np.random.Generator) -> None:
    counts, edges = np.histogram(chance.normal(size=10_000), _BUCKETS)
    histogram = event.summary.value.add(tag="weights").histo
    histogram.min, histogram.max = float(edges[0]), float(edges[-1])
    histogram.num = float(counts.sum())
    histogram.sum, histogram.sum_squares = 0.0, float(counts.sum())
    histogram.bucket_limit.extend(edges[1:].tolist())
    histogram.bucket.extend(counts.astype(float).tolist())
