"""A video as the page shows it: the stored file itself, which the browser plays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...storage.kinds.video import MEDIA_TYPES
from .words import LONGEST_CAPTION, brief, one_of


def figure(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a card needs of a video: digest, width, height (None when not known), caption, media_type.

    Args:
        facts: the meta of the record and the digest of its bytes, an MP4, a WebM, a GIF or a WebP.
    """
    about = [brief(str(facts.get("caption") or ""), LONGEST_CAPTION)]
    if facts.get("frames") is not None:
        about.append(one_of(int(facts["frames"]), "frame"))
    if facts.get("fps") is not None:
        about.append(f"{float(facts['fps']):g} a second")
    media_type = facts.get("media_type")
    return {
        "digest": facts["digest"],
        "width": facts.get("width"),
        "height": facts.get("height"),
        "caption": ", ".join(part for part in about if part),
        "media_type": media_type if media_type in MEDIA_TYPES else MEDIA_TYPES[0],
    }
