"""Images, sounds and texts as a page shows them."""

from __future__ import annotations

import io
import wave

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from stepscope.app.views import audio, image, text
from stepscope.storage.errors import StoreDamaged
from stepscope.storage.kinds.audio import AudioData
from stepscope.storage.kinds.image import ImageData
from stepscope.storage.kinds.text import TextData


def png(pixels: np.ndarray, caption: str | None = None) -> ImageData:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    return ImageData(buffer.getvalue(), pixels.shape[1], pixels.shape[0], channels, caption)


def wav(samples: np.ndarray, rate: int = 8000) -> AudioData:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as writer:
        writer.setparams((1, 2, rate, len(samples), "NONE", ""))
        writer.writeframes((samples * 32767).astype("<i2").tobytes())
    return AudioData(buffer.getvalue(), rate, 1, len(samples) / rate)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3), (8, 8, 4)])
def test_a_tiny_image_is_enlarged_pixel_by_pixel(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    picture = image.figure(png(pixels, "a digit"), 160)
    assert picture.width == 160
    assert picture.caption == "a digit (8 \u00d7 8)"
    shown = np.asarray(Image.open(io.BytesIO(picture.data)))
    np.testing.assert_array_equal(shown[10::20, 10::20], pixels)


def test_a_larger_image_is_sent_as_it_is_stored() -> None:
    data = png(np.zeros((20, 400), np.uint8))
    for width in (None, 160):
        picture = image.figure(data, width)
        assert picture.data == data.data
        assert (picture.width, picture.caption) == (width or 400, "400 \u00d7 20")


def test_an_image_that_is_none_says_so() -> None:
    with pytest.raises(StoreDamaged, match="not a PNG"):
        image.figure(ImageData(b"gone", 8, 8, 1))


def test_a_sound_is_drawn_as_its_outline() -> None:
    samples = np.sin(np.arange(8000) / 5) * np.linspace(0, 1, 8000)
    drawn = audio.figure("tone", wav(samples), "#0072B2")
    (outline,) = drawn["data"]
    assert len(outline["x"]) == 2 * audio.OUTLINE_POINTS
    assert outline["y"].max() == pytest.approx(1.0, abs=0.01)
    assert drawn["layout"]["xaxis"]["range"] == [0, 1.0]
    assert go.Figure(drawn)


def test_a_sound_without_samples_and_one_that_is_none() -> None:
    assert len(audio.figure("", wav(np.empty(0)), "#0072B2")["data"][0]["x"]) == 0
    with pytest.raises(StoreDamaged, match="not a WAV"):
        audio.figure("", AudioData(b"gone", 8000, 1, 1.0), "#0072B2")


@pytest.mark.parametrize(
    ("logged", "shown"),
    [
        ("# A *title*", "# A *title*"),
        ("![x](http://a.example/x.png)", "[x](http://a.example/x.png)"),
        ("`![code]` ![x][ref]", "`![code]` [x][ref]"),
        ("```\n![code]\n```\n![x](y)", "```\n![code]\n```\n[x](y)"),
        ("~~~\n![never closed]", "~~~\n![never closed]"),
    ],
)
def test_a_text_loads_no_image_from_anywhere(logged: str, shown: str) -> None:
    assert text.figure(TextData(logged)) == shown


def test_a_very_long_text_is_cut_and_says_so() -> None:
    shown = text.figure(TextData("x" * (text.LONGEST + 1234)))
    assert shown.endswith("1,234 more characters are not shown.")


@pytest.mark.parametrize(
    ("shape", "shown"),
    [((1, 100_000), (160, 1)), ((100_000, 1), (1, 4000)), ((9000, 90), (40, 4000))],
)
def test_an_image_of_no_shape_that_a_page_has_is_squeezed(
    shape: tuple[int, int], shown: tuple[int, int]
) -> None:
    picture = image.figure(png(np.full(shape, 255, np.uint8)), 160)
    drawn = Image.open(io.BytesIO(picture.data))
    assert picture.width == shown[0]
    assert round(drawn.height * picture.width / drawn.width) == shown[1]


def test_a_long_caption_is_cut() -> None:
    picture = image.figure(png(np.zeros((8, 8), np.uint8), "long \ud800" * 20_000))
    assert len(picture.caption) < 220
    assert "long ?long" in picture.caption
    picture.caption.encode()
