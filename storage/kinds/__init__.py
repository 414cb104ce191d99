"""The kinds of data, one file each. This tuple is the only list of them.

A kind belongs to one of four physical shapes (see base.Shape), so adding one never touches the
schema or SQL. CONTRIBUTING.md tells how to add one.
"""

from . import audio, graph, histogram, image, scalar, text
from .base import EncodedValue, Kind, RawValue, Shape

KINDS: tuple[Kind, ...] = (
    scalar.KIND,
    histogram.KIND,
    image.KIND,
    audio.KIND,
    text.KIND,
    graph.KIND,
)

KIND_OF: dict[str, Kind] = {kind.name: kind for kind in KINDS}

__all__ = ["KINDS", "KIND_OF", "EncodedValue", "Kind", "RawValue", "Shape"]
