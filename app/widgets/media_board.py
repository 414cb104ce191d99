"""Pictures and films of one key, a card for each run, drawn in the browser (see browser/media_board.js)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import streamlit.components.v2 as components_v2
from numpy.typing import NDArray

from ..routing import browser_files

_render = components_v2.component(
    "stepscope_media_board",
    js=browser_files.starts("media_board.js"),
    css=Path(__file__).with_suffix(".css").read_text(encoding="utf-8"),
)


class Wipe(StrEnum):
    """What lies on top of each other, with a divider to move."""

    OFF = "off"
    RUNS = "runs"
    """The first run and each other one."""
    STEPS = "steps"
    """Two steps of each run."""


@dataclass(frozen=True, slots=True)
class Strip:
    """What one run shows under the key."""

    run_id: str
    name: str
    colour: str
    steps: NDArray[np.int64]
    """Shape (n,)."""
    positions: NDArray[np.float64]
    """Where the steps lie on the slider's scale, shape (n,); NaN for nowhere."""
    frames: Sequence[Sequence[Mapping[str, Any]]]
    """Of each step, its pictures as the views have them: digest, caption, width, height, media_type."""


@dataclass(frozen=True, slots=True)
class Look:
    """How the cards look, and which slider they follow."""

    size: int | None
    """Pixels of the width of a card; None for the pictures' own size."""
    wipe: Wipe
    event: str
    """The event of the step slider, and of the one that says the step before the divider."""
    before_event: str
    at: float | None
    """Where the slider stands; None for the newest."""
    scale: float = 1.0
    """Pixels of a picture for each on the page."""


def draw(strips: Sequence[Strip], look: Look, *, what: str, name: str, key: str) -> None:
    """Draw the cards.

    Args:
        strips: at least one run with at least one step.
        look: how.
        what: names the pictures for screen readers: "image samples".
        name: the key that they were logged under, for the names of saved files.
        key: unique on the page.
    """
    data = {
        "runs": [_strip(one) for one in strips],
        "what": what,
        "name": name,
        "size": look.size,
        "wipe": look.wipe.value,
        "event": look.event,
        "before_event": look.before_event,
        "at": look.at,
        "scale": look.scale,
    }
    _render(data=data, key=f"media_board_{hashlib.sha256(key.encode()).hexdigest()[:16]}")


def _strip(one: Strip) -> dict[str, Any]:
    return {
        "id": one.run_id,
        "name": one.name,
        "colour": one.colour,
        "steps": one.steps.tolist(),
        "positions": [None if np.isnan(place) else place for place in one.positions.tolist()],
        "frames": one.frames,
        "most": max(map(len, one.frames), default=0),
    }
