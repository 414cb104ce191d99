"""Wrapped values: how a layout is told, and what is refused with which words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from stepscope.storage.errors import BadInput
from stepscope.storage.kinds import KIND_OF, RawValue
from stepscope.storage.kinds.graph import GraphData, GraphNode
from stepscope.trackers.media import Audio, Graph, Histogram, Image, Loggable, Text


def stored(value: Loggable) -> Any:
    """Take a value as far as the store would, and back."""
    payload = value.payload()
    data = payload.data if isinstance(payload.data, bytes) else payload.data.tobytes()
    kind = KIND_OF[payload.kind]
    encoded = kind.encode(RawValue(payload.meta(), data))
    return kind.decode(encoded.meta, encoded.data)


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((5, 7), "HW"),
        ((5, 7, 1), "HWC"),
        ((5, 7, 3), "HWC"),
        ((5, 7, 4), "HWC"),
        ((1, 5, 7), "CHW"),
        ((3, 5, 7), "CHW"),
        ((4, 5, 7), "CHW"),
        # Either way would do: as TensorFlow and PIL have it.
        ((3, 5, 3), "HWC"),
        ((1, 1, 1), "HWC"),
    ],
)
def test_the_layout_of_an_array_is_told_from_its_shape(shape: tuple[int, ...], layout: str) -> None:
    assert Image(np.zeros(shape)).payload().facts["layout"] == layout


@pytest.mark.parametrize(
    ("shape", "layout"), [((3, 5, 3), "CHW"), ((3, 5, 7), "CHW"), ((5, 7, 3), "HWC"), ((5, 7), "HW")]
)
def test_torch_puts_channels_first(shape: tuple[int, ...], layout: str) -> None:
    torch = pytest.importorskip("torch")
    assert Image(torch.zeros(shape)).payload().facts["layout"] == layout


def test_a_stated_layout_wins() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    np.testing.assert_array_equal(stored(Image(pixels)).array(), pixels)
    np.testing.assert_array_equal(stored(Image(pixels, layout="CHW")).array(), pixels.transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("data", "layout", "message"),
    [
        (np.zeros(5), None, r"needs shape \(H, W\), \(H, W, C\) or \(C, H, W\).*, but got \(5,\)\. Pass one"),
        (np.zeros((2, 3, 5, 3)), None, r"but got \(2, 3, 5, 3\)\. Pass one image, or a list of Image"),
        (np.zeros((5, 7, 2)), None, r"with 1, 3 or 4 channels, but got \(5, 7, 2\)"),
        (np.float64(1), None, r"but got \(\)"),
        (
            np.zeros((5, 7)),
            "HWC",
            r"layout HWC needs 3 dimensions and 1, 3 or 4 channels, but got",
        ),
        (np.zeros((5, 7, 3)), "CHW", r"layout CHW needs 3 dimensions .* but got shape \(5, 7, 3\)"),
        (np.zeros((0, 7)), None, r"layout HW needs 2 dimensions .* but got shape \(0, 7\)"),
        (np.zeros((5, 7)), "WH", r'layout is "HW", "HWC" or "CHW", but got \'WH\''),
        (np.zeros((5, 7, 3)), 3, r'layout is "HW", "HWC" or "CHW", but got 3'),
        ("cat.png", None, r"an image.s file cannot be read: .*No such file.*cat\.png"),
        (None, None, r"an image needs real numbers, but got NoneType of type object"),
        (np.zeros((5, 7), complex), None, r"needs real numbers, but got ndarray of type complex128"),
    ],
)
def test_what_is_no_image_is_refused(data: Any, layout: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Image(data, layout=layout).payload()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_pil_images_of_any_mode_look_as_they_did(mode: str) -> None:
    ramp = np.linspace(0, 255, 60).astype(np.uint8).reshape(6, 10)
    colours = Pillow.fromarray(np.stack([ramp, ramp[::-1], 255 - ramp], axis=2))
    picture = colours.convert("L").convert("LA") if mode == "LA" else colours.convert(mode)
    found = stored(Image(picture))
    expected = np.asarray(picture.convert("RGBA"))
    seen = Pillow.fromarray(found.array().squeeze()).convert("RGBA")
    np.testing.assert_array_equal(np.asarray(seen), expected)
    assert (found.width, found.height) == (10, 6)


def test_a_transparent_palette_stays_transparent() -> None:
    picture = Pillow.new("P", (2, 2))
    picture.putpalette([255, 0, 0, 0, 255, 0])
    picture.info["transparency"] = 0
    assert stored(Image(picture)).array()[0, 0].tolist() == [255, 0, 0, 0]


@pytest.mark.parametrize(("caption", "kept"), [(None, None), ("cat", "cat"), (5, "5"), (np.int64(7), "7")])
def test_captions(caption: Any, kept: str | None) -> None:
    assert stored(Image(np.zeros((2, 2)), caption)).caption == kept
    assert stored(Audio(np.zeros(5), 8000, caption)).caption == kept


@pytest.mark.parametrize(
    ("shape", "layout", "channels"),
    [
        ((100,), None, 1),
        ((100, 1), None, 1),
        ((100, 2), None, 2),
        ((2, 100), None, 2),
        ((2, 2), None, 2),
        ((3, 100), "NC", 100),
        ((100, 3), "CN", 100),
    ],
)
def test_the_channels_of_a_sound(shape: tuple[int, ...], layout: Any, channels: int) -> None:
    found = stored(Audio(np.zeros(shape), np.int64(8000), layout=layout))
    assert found.channels == channels
    assert found.array().shape == (np.prod(shape) // channels, channels)


def test_samples_stay_in_order() -> None:
    left, right = np.linspace(-1, 1, 50), np.linspace(1, -1, 50)
    found = stored(Audio(np.stack([left, right]), 8000)).array()
    np.testing.assert_allclose(found, np.stack([left, right], axis=1), atol=1e-4)


@pytest.mark.parametrize(
    ("data", "rate", "message"),
    [
        (np.zeros(5), 0, "sample_rate as a positive whole number, but got 0"),
        (np.zeros(5), -8000, "sample_rate as a positive whole number, but got -8000"),
        (np.zeros(5), 8000.0, r"sample_rate as a positive whole number, but got 8000\.0"),
        (np.zeros(5), True, "sample_rate as a positive whole number, but got True"),
        (np.zeros(5), None, "sample_rate as a positive whole number, but got None"),
        (np.zeros(5), 2**40, r"fit into a WAV file, but got 1 channels of 1099511627776 samples a second"),
        (np.zeros((5, 2)), 2**31, r"fit into a WAV file, but got 2 channels of 2147483648 samples"),
        (np.zeros((2, 3, 4)), 8000, r"needs shape \(n,\) or \(n, channels\), but got \(2, 3, 4\)\. Log one"),
        (np.zeros(0), 8000, r"but got \(0,\)"),
        ("a.wav", 8000, "a sound needs real numbers, but got str"),
    ],
)
def test_what_is_no_sound_is_refused(data: Any, rate: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Audio(data, rate).payload()


def test_a_sound_of_too_many_channels_is_refused() -> None:
    with pytest.raises(BadInput, match="but got 40000 channels of 8000 samples a second"):
        Audio(np.zeros((2, 40_000)), 8000, layout="NC").payload()


def test_an_unknown_layout_of_a_sound_is_refused() -> None:
    with pytest.raises(BadInput, match=r'a sound\'s layout is "NC" or "CN", but got \'CHW\''):
        Audio(np.zeros((2, 100)), 8000, layout="CHW").payload()  # type: ignore[arg-type]


def test_text() -> None:
    assert stored(Text("# ä\n\n*b*")).text == "# ä\n\n*b*"
    assert stored(Text("half \ud800 letter")).text == "half ? letter"
    with pytest.raises(BadInput, match="a text must be a string, but got int"):
        Text(5).payload()  # type: ignore[arg-type]


def test_histograms_of_values_and_of_bins() -> None:
    assert stored(Histogram([1, 2, 3])).count == 3
    found = stored(Histogram(counts=[1, 2], edges=[0, 0.5, 2]))
    np.testing.assert_array_equal(found.edges, [0, 0.5, 2])
    assert stored(Histogram([])).count == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "a histogram needs values, or both counts and edges"),
        ({"counts": [1]}, "a histogram needs values, or both counts and edges"),
        ({"values": "x"}, "a histogram needs real numbers, but got str"),
        ({"values": [1j]}, "a histogram needs real numbers, but got list of type complex128"),
        ({"counts": [1, 2], "edges": [0, 1]}, "one more edge than counts, but got 2 edges and 2 counts"),
        ({"counts": [], "edges": [0]}, "one more edge than counts, but got 1 edges and 0 counts"),
        (
            {"counts": [1, 1], "edges": [0.0, 0.2, 0.2]},
            r"edges must ascend, but edges\[2\]=0\.2 comes after edges\[1\]=0\.2\. Pass sorted, distinct",
        ),
        ({"counts": [1], "edges": [0, np.nan]}, r"edges must ascend, but edges\[1\]=nan comes after"),
        ({"counts": [1], "edges": [0, np.inf]}, r"edges must be finite"),
        ({"counts": [0, 0], "edges": [0, 1, 2]}, "counts must be finite, not negative and not all zero"),
        ({"counts": [-1, 3], "edges": [0, 1, 2]}, "counts must be finite, not negative and not all zero"),
        ({"counts": ["a"], "edges": [0, 1]}, "a histogram's counts needs real numbers, but got list"),
    ],
)
def test_what_is_no_histogram_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Histogram(**values).payload()


def test_graph() -> None:
    graph = GraphData("net", "torch", "torch.fx", (GraphNode("x", "input"),))
    assert stored(Graph(graph)) == graph
    with pytest.raises(BadInput, match=r"must be a stepscope GraphData, but got dict\. For a model use"):
        Graph({}).payload()  # type: ignore[arg-type]


def test_the_base_cannot_be_logged() -> None:
    with pytest.raises(BadInput, match="Loggable cannot be logged: wrap Image, Audio, Text"):
        Loggable().payload()
