"""Images, sounds and texts as a page shows them."""

from __future__ import annotations

import io
import wave

import numpy as np
import plotly.graph_objects as go
import pytest

from stepscope.app.views import audio, image, text
from stepscope.storage.errors import StoreDamaged
from stepscope.storage.kinds.audio import AudioData
from stepscope.storage.kinds.text import TextData


def wav(samples: np.ndarray, rate: int = 8000) -> AudioData:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as writer:
        writer.setparams((1, 2, rate, len(samples), "NONE", ""))
        writer.writeframes((samples * 32767).astype("<i2").tobytes())
    return AudioData(buffer.getvalue(), rate, 1, len(samples) / rate)


def test_an_image_is_told_to_the_browser_and_never_drawn_anew() -> None:
    told = image.figure({"digest": "ab", "width": 8, "height": 6, "channels": 3, "caption": "a <digit>"})
    assert told == {
        "digest": "ab",
        "width": 8,
        "height": 6,
        "caption": "a <digit>",
        "media_type": "image/png",
    }
    assert image.figure({"digest": "ab", "width": 8, "height": 6, "caption": None})["caption"] == ""


def test_the_facts_of_an_image_that_are_not_whole_say_what_is_missing() -> None:
    with pytest.raises(KeyError, match="width"):
        image.figure({"digest": "ab"})


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
        ("![x](http://a.example/x.png)", "!\u2060[x](http://a.example/x.png)"),
        ("`![code]` ![x][ref]", "`!\u2060[code]` !\u2060[x][ref]"),
        ("`\n\n![x](y)`", "`\n\n!\u2060[x](y)`"),
    ],
)
def test_a_text_loads_no_image_from_anywhere(logged: str, shown: str) -> None:
    assert text.figure(TextData(logged)) == shown


def test_a_very_long_text_is_cut_and_says_so() -> None:
    shown = text.figure(TextData("x" * (text.LONGEST + 1234)))
    assert shown.endswith("1,234 more characters are not shown.")


def test_a_long_caption_is_cut() -> None:
    told = image.figure({"digest": "ab", "width": 8, "height": 8, "caption": "long \ud800" * 20_000})
    assert len(told["caption"]) == 200
    assert "long ?long" in told["caption"]
    told["caption"].encode()
