"""Each kind of data comes back as what it was: pixels, samples, text, graphs."""

from __future__ import annotations

import io
import json
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from stepscope.storage.errors import StoreDamaged
from stepscope.storage.kinds import EVENT, KIND_OF, KINDS, RawValue
from stepscope.storage.kinds.audio import AudioData
from stepscope.storage.kinds.graph import GraphData, GraphNode, Layer
from stepscope.storage.kinds.image import ImageData


def raw(array: np.ndarray, **facts: Any) -> RawValue:
    meta = {"dtype": array.dtype.str, "shape": list(array.shape), **facts}
    # Through JSON, as in the journal.
    return RawValue(json.loads(json.dumps(meta)), np.ascontiguousarray(array).tobytes())


def round_trip(kind: str, value: RawValue) -> Any:
    encoded = KIND_OF[kind].encode(value)
    return KIND_OF[kind].decode(json.loads(json.dumps(encoded.meta)), encoded.data)


def image(array: np.ndarray, layout: str, caption: str | None = None) -> ImageData:
    return round_trip("image", raw(array, layout=layout, caption=caption))


def audio(array: np.ndarray, rate: int = 8000) -> AudioData:
    return round_trip("audio", raw(array, sample_rate=rate))


def test_kinds_have_names_of_their_own_and_say_what_they_are() -> None:
    assert [*(kind.name for kind in KINDS), EVENT.name] == list(KIND_OF)
    for kind in KINDS:
        assert re.fullmatch(r"[a-z_]+", kind.name)
        assert re.fullmatch(r"[a-z]+/[a-z0-9-]+", kind.media_type)


@pytest.mark.parametrize("value", [0.1, -0.0, math.inf, -math.inf, 5e-324])
def test_scalar(value: float) -> None:
    found = round_trip("scalar", raw(np.array(value)))
    assert found == value
    assert math.copysign(1, found) == math.copysign(1, value)


@pytest.mark.parametrize(("layout", "shape"), [("HW", (5, 7)), ("HWC", (5, 7, 3)), ("CHW", (3, 5, 7))])
def test_image_layouts(layout: str, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    found = image(pixels, layout, caption="a digit")
    as_hwc = pixels.transpose(1, 2, 0) if layout == "CHW" else pixels.reshape(5, 7, -1)
    np.testing.assert_array_equal(found.array(), as_hwc)
    assert (found.width, found.height, found.caption, found.media_type) == (7, 5, "a digit", "image/png")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_image_channels(channels: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (4, 6, channels), np.uint8)
    found = image(pixels, "HWC")
    assert found.channels == channels
    np.testing.assert_array_equal(found.array(), pixels)
    assert found.array().dtype == np.uint8


def test_image_file_is_a_png_of_that_size() -> None:
    found = image(np.zeros((5, 7, 4), np.uint8), "HWC")
    with PillowImage.open(io.BytesIO(found.data)) as picture:
        assert (picture.format, picture.size, picture.mode) == ("PNG", (7, 5), "RGBA")


@pytest.mark.parametrize(
    ("numbers", "pixels"),
    [
        (np.array([[0, 128, 255]], np.uint8), [0, 128, 255]),
        (np.array([[-5, 128, 300]], np.int64), [0, 128, 255]),
        (np.array([[0, 40000, 255]], np.uint16), [0, 255, 255]),
        (np.array([[False, True, True]]), [0, 255, 255]),
        (np.array([[0.0, 0.5, 1.0]], np.float64), [0, 128, 255]),
        (np.array([[-1.0, 0.25, 7.0]], np.float16), [0, 64, 255]),
        (np.array([[np.nan, np.inf, -np.inf]], np.float32), [0, 255, 0]),
    ],
)
def test_numbers_become_pixels_by_one_rule(numbers: np.ndarray, pixels: list[int]) -> None:
    np.testing.assert_array_equal(image(numbers, "HW").array()[0, :, 0], pixels)


@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3, 4]), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
def test_any_uint8_image_is_kept_to_the_bit(height: int, width: int, channels: int, random: Any) -> None:
    pixels = np.frombuffer(random.randbytes(height * width * channels), np.uint8).reshape(
        height, width, channels
    )
    np.testing.assert_array_equal(image(pixels, "HWC").array(), pixels)


def test_audio_of_integers_is_kept_to_the_bit() -> None:
    samples = np.array([0, 1, -1, 32767, -32768, 12345], np.int16)
    found = audio(samples)
    stored = np.rint(found.array()[:, 0] * 32767).astype(int)
    np.testing.assert_array_equal(stored, samples)
    assert (found.sample_rate, found.channels, found.seconds) == (8000, 1, 6 / 8000)


def test_audio_of_floats_is_kept_to_a_sixteenth_bit() -> None:
    samples = np.sin(np.arange(1000) / 7).astype(np.float32).reshape(500, 2)
    found = audio(samples, 16000)
    assert (found.channels, found.seconds) == (2, 500 / 16000)
    np.testing.assert_allclose(found.array(), samples, atol=0.51 / 32767)
    assert found.array().dtype == np.float32


def test_audio_clips_what_is_too_loud() -> None:
    found = audio(np.array([-7.0, 7.0, np.nan, np.inf, -np.inf]))
    np.testing.assert_array_equal(found.array()[:, 0], [-1, 1, 0, 1, -1])
    found = audio(np.array([100_000, -100_000, 5], np.int64))
    np.testing.assert_array_equal(np.rint(found.array()[:, 0] * 32767), [32767, -32768, 5])


@given(st.text())
@settings(deadline=None)
def test_any_text(text: str) -> None:
    data = text.encode("utf-8", "replace")
    assert round_trip("text", RawValue({}, data)).text == data.decode()


GRAPHS = st.builds(
    GraphData,
    name=st.text(max_size=5),
    framework=st.sampled_from(["torch", "keras"]),
    source=st.text(max_size=5),
    nodes=st.lists(
        st.builds(
            GraphNode,
            node_id=st.text(max_size=5),
            op=st.text(max_size=5),
            module=st.text(max_size=5),
            inputs=st.lists(st.text(max_size=3), max_size=3).map(tuple),
            output_shapes=st.lists(
                st.lists(st.none() | st.integers(0, 9), max_size=3).map(tuple), max_size=2
            ).map(tuple),
            attributes=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
        ),
        max_size=4,
    ).map(tuple),
    layers=st.lists(
        st.builds(
            Layer,
            path=st.text(max_size=5),
            type=st.text(max_size=5),
            parameters=st.integers(0, 2**40),
            trainable=st.integers(0, 2**40),
            output_shape=st.none() | st.lists(st.none() | st.integers(0, 9), max_size=3).map(tuple),
        ),
        max_size=4,
    ).map(tuple),
)


@given(GRAPHS)
@settings(deadline=None, max_examples=50)
def test_any_graph(graph: GraphData) -> None:
    assert GraphData.from_json(graph.to_json()) == graph
    facts = {"nodes": len(graph.nodes), "layers": len(graph.layers), "parameters": graph.parameters}
    encoded = KIND_OF["graph"].encode(RawValue(facts, graph.to_json().encode()))
    assert encoded.meta == facts
    assert KIND_OF["graph"].decode(encoded.meta, encoded.data) == graph


@pytest.mark.parametrize(
    ("kind", "meta", "data", "message"),
    [
        ("text", {}, b"\xff\xfe", "a text of 2 bytes is not UTF-8"),
        ("graph", {}, b"no zstd", "a graph of 7 bytes cannot be read"),
        ("image", {"width": 3}, b"", "an image's row lacks 'height'"),
        ("audio", {"channels": 1}, b"", "a sound's row lacks 'sample_rate'"),
        ("histogram", {"bins": 2}, b"", "a histogram of 0 bytes does not fit"),
        ("histogram", {"count": 1}, b"", "a histogram of 0 bytes does not fit"),
        ("scalar", {}, b"123", "a number of 3 bytes"),
    ],
)
def test_what_cannot_be_decoded_is_damaged(
    kind: str, meta: dict[str, Any], data: bytes, message: str
) -> None:
    with pytest.raises(StoreDamaged, match=message):
        KIND_OF[kind].decode(meta, data)


def test_files_that_are_no_files_are_damaged() -> None:
    with pytest.raises(StoreDamaged, match="an image of 3 bytes is not a PNG"):
        ImageData(b"PNG", 1, 1, 1).array()
    with pytest.raises(StoreDamaged, match="a sound of 3 bytes is not a WAV file"):
        AudioData(b"WAV", 8000, 1, 0.0).array()
    with pytest.raises(StoreDamaged, match=r"not a graph: '{}'"):
        GraphData.from_json("{}")
