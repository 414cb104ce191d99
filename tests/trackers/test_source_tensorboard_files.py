"""Framing and columns: what is read of event files is what protobuf reads, and damage costs what it hit."""

from __future__ import annotations

import io
import math
import os
import random
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from tensorboard.compat.proto import event_pb2, summary_pb2

from stepscope.storage.errors import BadInput
from stepscope.storage.journal_read import SeriesDefinition
from stepscope.trackers.sinks.tensorboard.records import framed
from stepscope.trackers.sources.base import Piece
from stepscope.trackers.sources.tensorboard.frames import Frames, next_head
from stepscope.trackers.sources.tensorboard.media import picture
from stepscope.trackers.sources.tensorboard.plain import Plain
from stepscope.trackers.sources.tensorboard.scalars import Scalars
from stepscope.trackers.sources.tensorboard.source import TensorBoardSource
from support import wait_until

NAME = "events.out.tfevents.1700000000.node.7.0"


def number_event(tag: str, step: int, value: float, time: float = 1.7e9) -> bytes:
    summary = summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=tag, simple_value=value)])
    return event_pb2.Event(wall_time=time, step=step, summary=summary).SerializeToString()


def log_file(folder: Path, events: Sequence[bytes], name: str = NAME) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    version = event_pb2.Event(wall_time=1.7e9, file_version="brain.Event:2").SerializeToString()
    path = folder / name
    path.write_bytes(b"".join(map(framed, [version, *events])))
    return path


def pieces_of(source: TensorBoardSource, positions: dict[str, int] | None = None) -> list[Piece]:
    """Return what is new in all parts, beyond positions by run and part, which are moved on."""
    found: list[Piece] = []
    positions = {} if positions is None else positions
    for run in source.runs():
        for part in run.parts:
            name = f"{run.key}: {part.name}"
            for piece in source.read(run, part, positions.get(name, 0)):
                found.append(piece)
                positions[name] = piece.position
    return found


def steps_of(pieces: Sequence[Piece]) -> list[int]:
    return [step for piece in pieces for _, columns in piece.points for step in columns.step.tolist()]


def problems_of(pieces: Sequence[Piece]) -> list[str]:
    return [problem for piece in pieces for problem in piece.problems]


# --- columns ---

_TENSORS: list[dict[str, Any]] = [
    {"dtype": 1, "float_val": [0.5]},
    {"dtype": 2, "double_val": [1e300]},
    {"dtype": 1, "tensor_content": struct.pack("<f", -2.5)},
    {"dtype": 2, "tensor_content": struct.pack("<d", 2.0**60)},
    {"dtype": 9, "tensor_content": struct.pack("<q", -7)},
    {"dtype": 3, "int_val": [70_000]},
    {"dtype": 19, "tensor_content": np.float16(0.5).tobytes()},
    {"dtype": 1, "float_val": [1.0, 2.0], "tensor_shape": {"dim": [{"size": 2}]}},
]
_metadata = st.sampled_from([None, "scalars", "text", "own"])


@st.composite
def _values(draw: st.DrawFn) -> Any:
    value = summary_pb2.Summary.Value(tag=draw(st.sampled_from(["a", "b", "loss", "é", "x" * 200])))
    plugin = draw(_metadata)
    if plugin is not None:
        value.metadata.plugin_data.plugin_name = plugin
        value.metadata.plugin_data.content = draw(st.binary(max_size=2))
    if draw(st.booleans()):
        value.simple_value = draw(st.floats(width=32))
    else:
        value.tensor.CopyFrom(_tensor(draw(st.sampled_from(_TENSORS))))
    return value


def _tensor(fields: dict[str, Any]) -> Any:
    from tensorboard.compat.proto import tensor_pb2

    made = tensor_pb2.TensorProto(**fields)
    made.tensor_shape.SetInParent()
    return made


@st.composite
def _events(draw: st.DrawFn) -> bytes:
    event = event_pb2.Event(wall_time=draw(st.floats()), step=draw(_steps))
    event.summary.value.extend(draw(st.lists(_values(), max_size=2)))
    data = event.SerializeToString()
    change = draw(st.sampled_from(["", "", "", "cut", "flip", "twice"]))
    if change == "cut":
        return data[: draw(st.integers(0, len(data)))]
    if change == "flip":
        at = draw(st.integers(0, len(data) - 1))
        return data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
    return data + data if change == "twice" else data


_steps = st.one_of(st.integers(0, 300), st.integers(-(2**63), 2**63 - 1))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(_events(), st.integers(1, 6)), min_size=1, max_size=12), st.randoms())
@example([(number_event("loss", -1, math.nan, math.inf), 9)], random.Random(0))
@example([(number_event("loss", 1, 1.0)[:-4] + b"\x01\x00\x80\x7f", 9)], random.Random(0))  # a signalling NaN
def test_columns_hold_exactly_what_protobuf_reads(
    several: list[tuple[bytes, int]], chance: random.Random
) -> None:
    # Each event comes several times, as most do but for step and number.
    events = [event for event, times in several for _ in range(times)]
    chance.shuffle(events)
    data = b"".join(map(framed, events))
    records = Frames().split(data)
    assert len(records.start) == len(events)
    numbers, rest = Scalars(_by_tag).take(data, records)
    seen = sorted([*rest.tolist(), *(place for one in numbers for place in one.place.tolist())])
    assert seen == list(range(len(events)))
    for one in numbers:
        for place, step, time, number in zip(one.place, *one.columns, strict=True):
            event = event_pb2.Event.FromString(events[place])
            [value] = event.summary.value
            assert (value.tag, event.step) == (one.definition.name, step)
            assert repr(event.wall_time) == repr(float(time))
            assert repr(_number(value)) == repr(float(number))


def _by_tag(plain: Plain) -> SeriesDefinition | None:
    try:
        summary_pb2.SummaryMetadata.FromString(plain.metadata or b"")
        return SeriesDefinition(plain.tag.decode(), "scalar", {})
    except Exception:
        return None


def _number(value: Any) -> float:
    from tensorboard.util.tensor_util import make_ndarray

    if value.WhichOneof("value") == "simple_value":
        return float(value.simple_value)
    return float(make_ndarray(value.tensor).reshape(()))


def test_most_events_are_read_by_columns() -> None:
    events = [number_event(f"tag {step % 7}", step, step / 3, 1.7e9 + step) for step in range(3_000)]
    data = b"".join(map(framed, events))
    numbers, rest = Scalars(_by_tag).take(data, Frames().split(data))
    # Step 0 alone has no field for the step, so that there are too few of its form to look at together.
    assert len(rest) < 8
    assert sum(len(one.place) for one in numbers) == len(events) - len(rest)


# --- damage ---


def test_a_file_that_ends_in_a_record_is_read_up_to_it_and_on_when_it_has_grown(tmp_path: Path) -> None:
    path = log_file(tmp_path, [number_event("loss", step, 1.0) for step in range(10)])
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    source, positions = TensorBoardSource(tmp_path), dict[str, int]()
    pieces = pieces_of(source, positions)
    assert steps_of(pieces) == list(range(9))
    [problem] = problems_of(pieces)
    assert problem.startswith(f"{NAME} ends at byte {len(whole) - 5:,} in the midst of a record of ")
    # Nothing is told again while the file stays as it is.
    assert pieces_of(source, positions) == []
    path.write_bytes(whole)
    again = pieces_of(source, positions)
    assert steps_of(again) == [9]
    assert problems_of(again) == []
    assert list(positions.values()) == [len(whole)]


@pytest.mark.parametrize("at", ["length", "its checksum", "data", "their checksum"])
def test_a_damaged_record_costs_itself_alone(tmp_path: Path, at: str) -> None:
    events = [number_event("loss", step, 1.0) for step in range(20)]
    path = log_file(tmp_path, events)
    data = bytearray(path.read_bytes())
    start = data.index(framed(events[7]))
    data[
        start + {"length": 0, "its checksum": 9, "data": 20, "their checksum": len(framed(events[7])) - 1}[at]
    ] ^= 4
    path.write_bytes(data)
    pieces = pieces_of(TensorBoardSource(tmp_path))
    assert steps_of(pieces) == [step for step in range(20) if step != 7]
    assert problems_of(pieces) == [
        f"{NAME} is damaged at byte {start:,}: {len(framed(events[7])):,} bytes were passed over."
    ]


def test_garbage_of_many_blocks_is_passed_over(tmp_path: Path) -> None:
    path = log_file(tmp_path, [number_event("loss", step, 1.0) for step in range(10)])
    size = path.stat().st_size
    garbage = random.Random(1).randbytes(9 << 20)
    after = b"".join(framed(number_event("loss", step, 1.0)) for step in range(10, 20))
    with path.open("ab") as file:
        file.write(garbage + after)
    pieces = pieces_of(TensorBoardSource(tmp_path))
    assert steps_of(pieces) == list(range(20))
    assert problems_of(pieces) == [
        f"{NAME} is damaged at byte {size:,}: {len(garbage):,} bytes were passed over."
    ]


def test_zeros_at_the_end_may_be_written_yet(tmp_path: Path) -> None:
    path = log_file(tmp_path, [number_event("loss", step, 1.0) for step in range(5)])
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(10_000))
    source, positions = TensorBoardSource(tmp_path), dict[str, int]()
    pieces = pieces_of(source, positions)
    assert steps_of(pieces) == list(range(5))
    assert problems_of(pieces) == [
        f"{NAME} cannot be read from byte {len(whole):,} on: up to its end, there are zeros (10,000 bytes)."
    ]
    assert list(positions.values()) == [len(whole)]
    later = framed(number_event("loss", 5, 1.0))
    path.write_bytes(whole + later + bytes(10_000 - len(later)))
    # The size is the same: only an import that looks anew sees it.
    assert steps_of(pieces_of(TensorBoardSource(tmp_path), positions)) == [5]
    path.write_bytes(whole + later + bytes(100) + framed(number_event("loss", 6, 1.0)))
    again = pieces_of(TensorBoardSource(tmp_path), positions)
    assert steps_of(again) == [6]
    assert "100 bytes were passed over" in problems_of(again)[0]


def test_a_record_that_is_no_event_is_told(tmp_path: Path) -> None:
    path = log_file(tmp_path, [b"\xff\xff", number_event("loss", 1, 1.0)])
    pieces = pieces_of(TensorBoardSource(tmp_path))
    assert steps_of(pieces) == [1]
    [problem] = problems_of(pieces)
    at = path.read_bytes().index(framed(b"\xff\xff")) + 12
    assert problem.startswith(f"{NAME}, byte {at}: a record of 2 bytes is no event")


@pytest.mark.parametrize(
    ("tag", "plugin", "content"),
    [
        ("_hparams_/session_start_info", "hparams", b"\xff"),
        ("_stepscope_/run", "stepscope", b"{}"),
        ("_stepscope_/run", "stepscope", b"\xff"),
        ("_stepscope_/run", "stepscope", b'{"run": {"run_id": "x", "state": "none of ours"}}'),
    ],
)
def test_a_beginning_that_nobody_can_read_costs_itself_alone(
    tmp_path: Path, tag: str, plugin: str, content: bytes
) -> None:
    event = event_pb2.Event(wall_time=1.7e9)
    event.summary.value.add(tag=tag).metadata.plugin_data.plugin_name = plugin
    event.summary.value[0].metadata.plugin_data.content = content
    log_file(tmp_path / "odd", [event.SerializeToString(), number_event("loss", 1, 1.0)])
    log_file(tmp_path / "sound", [number_event("loss", 2, 1.0)])
    pieces = pieces_of(TensorBoardSource(tmp_path))
    assert steps_of(pieces) == [1, 2]
    assert len(problems_of(pieces)) == 1


def test_grey_pictures_of_16_bits_keep_their_brightness() -> None:
    grey = np.array([[0, 256, 32768, 65535]], np.uint16)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    kept = picture(file.getvalue()).payload()
    assert isinstance(kept.data, np.ndarray)
    assert kept.data.reshape(-1).tolist() == [0, 1, 128, 255]


def test_a_projector_reads_nothing_outside_of_the_place(tmp_path: Path) -> None:
    log_file(tmp_path / "logs", [number_event("loss", 1, 1.0)])
    (tmp_path / "secret").write_text("1\t2\n")
    (tmp_path / "logs" / "projector_config.pbtxt").write_text('embeddings { tensor_path: "../secret" }')
    [problem] = problems_of(pieces_of(TensorBoardSource(tmp_path / "logs")))
    assert problem.endswith(f"'' was left out: ../secret lies outside of {tmp_path / 'logs'}")


def test_the_name_of_a_file_without_events_tells_its_time(tmp_path: Path) -> None:
    names = ("events.out.tfevents.1600000000.host", f"events.out.tfevents.1.host.{'9' * 30}.0")
    for name in names:
        (tmp_path / name.replace(".", "")).mkdir()
        (tmp_path / name.replace(".", "") / name).touch()
    runs = [found.run for found in TensorBoardSource(tmp_path).runs()]
    assert {(run.created_at, run.pid) for run in runs} == {(1.6e9, 0), (1.0, 0)}


def test_empty_files_and_other_files_get_a_sentence(tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    other = tmp_path / "other" / "events.out.tfevents.text"
    other.parent.mkdir()
    other.write_text("this is no event file at all, whatever its name says")
    os.mkfifo(other.with_name("events.out.tfevents.pipe"))
    problems = problems_of(pieces_of(TensorBoardSource(tmp_path)))
    assert problems[0] == f"{NAME} is empty: it holds no events."
    assert "cannot be read from byte 0 on: up to its end, there are bytes that are no records" in problems[1]


def test_a_place_without_event_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"expected event files in .*, but found none"):
        TensorBoardSource(tmp_path).runs()
    with pytest.raises(BadInput, match=r"there is no .*missing"):
        TensorBoardSource(tmp_path / "missing")


@pytest.mark.parametrize("damaged", [False, True])
def test_a_record_larger_than_a_block_is_read(tmp_path: Path, damaged: bool) -> None:
    value = summary_pb2.Summary.Value(tag="note")
    value.metadata.plugin_data.plugin_name = "text"
    value.tensor.dtype = 7
    value.tensor.string_val.append(b"long " * (2 << 20))
    event = event_pb2.Event(wall_time=1.7e9, step=3, summary={"value": [value]}).SerializeToString()
    path = log_file(tmp_path, [number_event("loss", 1, 1.0), event, number_event("loss", 2, 1.0)])
    if damaged:
        data = path.read_bytes()
        path.write_bytes(data.replace(framed(event), b"lost" + framed(event)))
    pieces = pieces_of(TensorBoardSource(tmp_path))
    assert steps_of(pieces) == [1, 2]
    assert len(problems_of(pieces)) == int(damaged)
    [note] = [record for piece in pieces for record in piece.records]
    assert note.encoded.data == b"long " * (2 << 20)


def test_a_truncation_at_any_byte_loses_the_record_it_hit(tmp_path: Path) -> None:
    path = log_file(tmp_path, [number_event("loss", step, 1.0) for step in range(4)])
    data = path.read_bytes()
    ends = [len(data) - len(framed(number_event("loss", 3, 1.0))) * one for one in range(3)]
    for cut in range(ends[2], len(data)):
        path.write_bytes(data[:cut])
        pieces = pieces_of(TensorBoardSource(tmp_path))
        assert len(steps_of(pieces)) == 4 - sum(cut < end for end in ends)
        assert bool(problems_of(pieces)) is (cut not in ends)


def test_the_next_record_is_found_wherever_it_lies() -> None:
    record = framed(number_event("loss", 1, 1.0))
    for before in (0, 1, 7, 12, 100):
        assert next_head(bytes(before) + record, 0) == before
        assert next_head(b"\x01" * before + record[:-1], 0) is None


# --- growing, remote ---


def test_a_file_that_grows_is_followed_by_a_reader_that_knows_its_tags(tmp_path: Path) -> None:
    def text(step: int, plugin: str) -> bytes:
        value = summary_pb2.Summary.Value(tag="note")
        value.metadata.plugin_data.plugin_name = plugin
        value.tensor.dtype = 1
        value.tensor.tensor_shape.dim.add(size=3)
        value.tensor.float_val.extend([1.0, 2.0, 4.0])
        return event_pb2.Event(wall_time=1.7e9, step=step, summary={"value": [value]}).SerializeToString()

    # The plugin "audio" takes no numbers: values without metadata are known by what the first one said.
    path = log_file(tmp_path, [text(0, "audio")])
    source, positions = TensorBoardSource(tmp_path), dict[str, int]()
    assert len(problems_of(pieces_of(source, positions))) == 1
    for reader in (source, TensorBoardSource(tmp_path)):
        with path.open("ab") as file:
            file.write(framed(text(1, "")))
        assert wait_until(lambda reader=reader: len(problems_of(pieces_of(reader, positions))) == 1)


def test_urls_are_read_through_fsspec() -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    version = framed(event_pb2.Event(wall_time=1.7e9, file_version="brain.Event:2").SerializeToString())
    for run in ("one", "two/deep"):
        with memory.open(f"/logs/{run}/{NAME}", "wb") as file:
            file.write(version + b"".join(framed(number_event("loss", step, 2.0)) for step in range(50)))
    source = TensorBoardSource("memory://logs")
    found = source.runs()
    assert [run.run.name for run in found] == ["one", "two/deep"]
    assert [run.key for run in found] == ["memory:///logs/one", "memory:///logs/two/deep"]
    assert steps_of(pieces_of(source)) == [*range(50)] * 2
    with pytest.raises(BadInput, match="there is no memory://nowhere"):
        TensorBoardSource("memory://nowhere")
    with pytest.raises(BadInput, match="expected a path or a URL that fsspec can read, but got zip://"):
        TensorBoardSource("zip:///")
    with pytest.raises(BadInput, match="expected a path or a URL that fsspec can read"):
        TensorBoardSource("nothing://x")
