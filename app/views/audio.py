"""A sound as the page shows it: its outline over time. The page adds the player."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...storage.kinds.audio import AudioData
from .figures import Figure, faint, layout

OUTLINE_POINTS = 400
SHORTEST = 0.001
"""Seconds: browsers call a sound of a sample or two an error, and nobody hears it."""


def figure(title: str, data: AudioData, colour: str) -> Figure:
    """Draw the loudest and the softest sample of each short stretch, all channels together.

    Args:
        title: shown literally.
        data: the sound.
        colour: the run's, `#RRGGBB`.

    Raises:
        StoreDamaged: the bytes are not a WAV file.
    """
    samples = data.array()
    parts = np.array_split(samples, max(1, min(OUTLINE_POINTS, len(samples))))
    known = [part for part in parts if part.size]
    low = np.array([part.min() for part in known], dtype=np.float64)
    high = np.array([part.max() for part in known], dtype=np.float64)
    seconds = (np.arange(len(known)) + 0.5) * data.seconds / max(len(known), 1)
    outline = {
        "type": "scatter",
        "mode": "lines",
        "x": np.concatenate([seconds, seconds[::-1]]),
        "y": np.concatenate([high, low[::-1]]),
        "fill": "toself",
        "fillcolor": faint(colour, 0.5),
        "line": {"width": 0.75, "color": colour},
        "hoverinfo": "skip",
    }
    axes: dict[str, Any] = {
        "xaxis": {"title": {"text": "seconds"}, "range": [0, data.seconds]},
        "yaxis": {"range": [-1, 1], "showticklabels": False, "zeroline": True},
    }
    return {"data": [outline], "layout": layout(title, height=150, **axes)}
