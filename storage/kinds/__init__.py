"""The kinds of data, one file each. This tuple is the only list of them.

A kind belongs to one of four physical shapes (see base.Shape), so adding one never touches the
schema or SQL. CONTRIBUTING.md tells how to add one.
"""

from . import (
    audio,
    embedding,
    event,
    figure,
    graph,
    histogram,
    hparams,
    image,
    mesh,
    pr_curve,
    scalar,
    table,
    text,
    video,
)
from .base import EncodedValue, Kind, RawValue, Shape

KINDS: tuple[Kind, ...] = (
    scalar.KIND,
    histogram.KIND,
    image.KIND,
    audio.KIND,
    text.KIND,
    video.KIND,
    figure.KIND,
    table.KIND,
    pr_curve.KIND,
    embedding.KIND,
    mesh.KIND,
    hparams.KIND,
    graph.KIND,
)

EVENT = event.KIND
"""What a run says about itself (see event.py): stored as the kinds are, but no value of a user's."""

KIND_OF: dict[str, Kind] = {kind.name: kind for kind in (*KINDS, EVENT)}

__all__ = ["EVENT", "KINDS", "KIND_OF", "EncodedValue", "Kind", "RawValue", "Shape"]
