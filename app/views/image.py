"""An image as the page shows it: the stored file itself, which the browser scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .words import LONGEST_CAPTION, brief


def figure(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a card needs of an image: digest, width, height, caption, media_type.

    Args:
        facts: the meta of the record and the digest of its bytes, a PNG.
    """
    return {
        "digest": facts["digest"],
        "width": int(facts["width"]),
        "height": int(facts["height"]),
        "caption": brief(str(facts.get("caption") or ""), LONGEST_CAPTION),
        "media_type": "image/png",
    }
