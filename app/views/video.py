"""A video as the page shows it."""

from __future__ import annotations

from dataclasses import dataclass

from ...storage.kinds.video import VideoData
from .words import LONGEST_CAPTION, TIMES, brief, count, one_of

SMALLEST = 240
"""Pixels: a player's buttons need them."""
UNKNOWN = 400
"""Pixels of a video whose size the store does not know."""


@dataclass(frozen=True, slots=True)
class Clip:
    """What a browser plays."""

    data: bytes
    """An MP4 or WebM file, or a GIF."""
    media_type: str
    width: int
    """Pixels on the page."""
    caption: str
    """What the user wrote, and what is known of it; any string, to be shown literally."""


def figure(data: VideoData, width: int | None = None) -> Clip:
    """Return the video for the page.

    Args:
        data: the video.
        width: pixels on the page; None for its own size.

    Raises:
        StoreDamaged: a WebP, which the page shows as a GIF, is none.
    """
    facts: list[str] = []
    if data.width is not None and data.height is not None:
        facts.append(f"{count(data.width)} {TIMES} {count(data.height)}")
    if data.frames is not None:
        facts.append(one_of(data.frames, "frame"))
    if data.fps is not None:
        facts.append(f"{data.fps:g} a second")
    about = ", ".join(facts)
    caption = brief(data.caption, LONGEST_CAPTION) if data.caption else ""
    shown = max(width or data.width or UNKNOWN, SMALLEST)
    if data.is_animation:
        return Clip(data.gif(), "image/gif", shown, _joined(caption, about))
    return Clip(data.data, data.media_type, shown, _joined(caption, about))


def _joined(caption: str, about: str) -> str:
    return f"{caption} ({about})" if caption and about else caption or about
