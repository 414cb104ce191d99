"""PR curves, embeddings and meshes, each where the page stands now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from ...storage.errors import BadInput
from ...storage.kinds.embedding import EmbeddingData
from ...storage.kinds.mesh import MeshData
from ...storage.kinds.pr_curve import PrCurveData
from ...storage.model import Series
from .. import queries
from ..analysis import media_steps
from ..analysis.media_steps import Frames
from ..analysis.projections import Method, Projection
from ..views import embedding, mesh, pr_curve
from ..views.pr_curve import Curve
from ..views.words import count, number, plain
from . import chart, notices

STEPS_OF_AVERAGES = 40
"""At so many steps of a run, evenly chosen, the average precision is computed."""
_PICTURE = 96


@dataclass(frozen=True, slots=True)
class Shown:
    """What one run logged under a name, and where the slider stands for it."""

    series: Series
    frames: Frames
    name: str
    """The run's, with the series' context where there is one."""
    colour: str
    at: float | None
    """Where the slider stands; None for the newest."""

    @property
    def step(self) -> int:
        """The step that is shown: the one nearest to the slider."""
        place = media_steps.nearest(self.frames.steps.astype(np.float64), self.at)
        return int(self.frames.steps[place or 0])

    @property
    def step_words(self) -> str:
        """The step as it is named, with a word where it is not the one that was asked for."""
        words = f"step {count(self.step)}"
        return words if self.at is None or self.at == self.step else f"{words}, the nearest"

    @property
    def what(self) -> str:
        """Names the value, for sentences and screen readers."""
        return f"{self.series.kind} {self.series.name} of run {self.name} at step {self.step}"


@dataclass(frozen=True, slots=True)
class Look:
    """How the viewer wants embeddings."""

    method: Method
    dimensions: int
    colour_by: str
    """The name of a column of the metadata; "" for the first one with few values."""


def draw_pr_curves(name: str, members: Sequence[Shown]) -> None:
    """Draw the curves of all runs on one chart, and how their average precision went."""
    curves: list[Curve] = []
    for one in members:
        with notices.guarded(one.what):
            data: PrCurveData = queries.value_at(one.series, one.step)
            told = f"{one.name} · {one.step_words} · AP {data.average_precision:.4f}"
            curves.append(Curve(told, one.colour, data))
    if not curves:
        return
    several = any(len(one.frames) > 1 for one in members)
    left, right = st.columns(2) if several else (st.container(), None)
    with left:
        title = curves[0].name if len(curves) == 1 else name
        alt = f"{name}: precision over recall of {', '.join(curve.name for curve in curves[:12])}"
        chart.draw(pr_curve.curves(title, curves), key=f"pr_curve {name}", alt=alt)
    if right is not None:
        with right, notices.guarded(f"the average precision of {name}"):
            _averages(name, members)


def _averages(name: str, members: Sequence[Shown]) -> None:
    lines = [
        (one.name, one.colour, *queries.average_precisions(one.series, STEPS_OF_AVERAGES)) for one in members
    ]
    chart.draw(
        pr_curve.averages("average precision over the steps", lines),
        key=f"averages {name}",
        alt=f"{name}: average precision over the steps of {', '.join(one.name for one in members[:12])}",
    )


def draw_embedding(one: Shown, look: Look) -> None:
    """Draw an embedding, and below it what is known of the point that was clicked."""
    data: EmbeddingData = queries.value_at(one.series, one.step)
    with st.spinner(f"{look.method} of {count(len(data.vectors))} vectors …"):
        projection = _projection(one, look)
    names = embedding.columns(data)
    column = names.index(look.colour_by) if look.colour_by in names else embedding.AUTO
    key = f"embedding {one.series.run_id} {one.series.series_id} {look.method} {look.dimensions}"
    figure = embedding.figure(f"{one.name} · {one.step_words}", data, one.colour, projection, column)
    chart.draw(figure, key=key, alt=one.what, clickable=True)
    _clicked(data, projection, chart.clicked(key))


def _projection(one: Shown, look: Look) -> Projection:
    try:
        return queries.projection(one.series, one.step, look.method, look.dimensions)
    except BadInput as error:
        st.caption(plain(str(error)))
        return queries.projection(one.series, one.step, Method.PCA, look.dimensions)


def _clicked(data: EmbeddingData, projection: Projection, x: float | None) -> None:
    if x is None:
        if data.sprite is not None:
            st.caption("Click a point to see its picture.")
        return
    row = int(projection.rows[np.abs(projection.points[:, 0] - x).argmin()])
    told = ", ".join(f"{name}: {cell}" for name, cell in embedding.about(data, row))
    picture = embedding.picture(data, row)
    if picture is None:
        st.caption(plain(told))
    else:
        st.image(picture, caption=plain(told), width=_PICTURE, alt=told)


def draw_mesh(one: Shown) -> None:
    """Draw a mesh; turned to where the viewer left it at another step."""
    data: MeshData = queries.value_at(one.series, one.step)
    figure = mesh.figure(f"{one.name} · {one.step_words}", data, one.colour)
    chart.draw(figure, key=f"mesh {one.series.run_id} {one.series.series_id}", alt=one.what)
    if data.faces is None and data.colors is None:
        low, high = data.vertices.min(axis=0), data.vertices.max(axis=0)
        st.caption(
            " · ".join(
                f"{axis} {number(float(a))} to {number(float(b))}"
                for axis, a, b in zip("xyz", low, high, strict=True)
            )
        )
