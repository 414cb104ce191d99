"""Curves and shapes: PR curves, embeddings and meshes of the chosen runs at one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from ...storage.kinds.embedding import EmbeddingData
from ...storage.model import Series
from .. import queries
from ..analysis import media_steps
from ..analysis.media_steps import Scale
from ..analysis.projections import Method
from ..views import embedding
from ..views.words import plain
from ..widgets import curves, grid, notices, page, step_slider, webgl
from ..widgets.curves import Look, Shown
from ..widgets.run_picker import Choice

KINDS = {"pr_curve": "precision and recall", "embedding": "embeddings", "mesh": "meshes"}
FLAT_A_PAGE = 6
SPACES_A_PAGE = 4
"""Charts in space at once: a browser keeps a few WebGL contexts, and drops the oldest without a word."""
COLOUR_BY = "curves_colour"


@dataclass(frozen=True, slots=True)
class Options:
    """What the viewer set."""

    wanted: str
    look: Look
    columns: int


def show() -> None:
    """Draw the page."""
    page.of_runs(_draw, _controls)


def _controls() -> Options:
    with st.container(horizontal=True):
        wanted = st.text_input(
            "Names",
            key="curves",
            bind="query-params",
            type="search",
            placeholder="Filter: validation",
            width=190,
            live=True,
        )
        method = st.segmented_control(
            "Embeddings by",
            [one.value for one in Method],
            default=Method.PCA.value,
            required=True,
            key="curves_method",
            bind="query-params",
            help="PCA: true distances, on the principal axes. t-SNE: neighbours together; takes seconds.",
        )
        space = st.segmented_control(
            "In", ["2-D", "3-D"], default="2-D", required=True, key="curves_space", bind="query-params"
        )
        columns = st.segmented_control(
            "Columns", [1, 2, 3], default=2, required=True, key="curves_columns", bind="query-params"
        )
    look = Look(Method(method or Method.PCA.value), 3 if space == "3-D" else 2, "")
    return Options(wanted or "", look, columns or 2)


def _draw(chosen: Choice, options: Options) -> None:
    found = [one for one in queries.series(chosen.run_ids) if one.kind in KINDS]
    if not found:
        notices.nothing("The chosen runs have logged no PR curves, embeddings or meshes yet.")
        return
    fitting = [one for one in found if options.wanted.casefold() in one.name.casefold()]
    if not fitting:
        notices.nothing(f"No name contains **{plain(options.wanted)}**.")
        return
    shown = _at_step(_shown(fitting, chosen))
    if any(one.series.kind == "mesh" for one in shown) or options.look.dimensions == 3:
        webgl.warn()
    for kind, title in KINDS.items():
        members = [one for one in shown if one.series.kind == kind]
        if members:
            head = grid.section(title, len(members), opened=True, kind="curves ")
            with head:
                _section(kind, members if head.open else [], options)


def _shown(found: Sequence[Series], chosen: Choice) -> list[Shown]:
    age = {run_id: place for place, run_id in enumerate(reversed(chosen.run_ids))}
    shown: list[Shown] = []
    for one in sorted(found, key=lambda one: (one.name, age[one.run_id], one.label)):
        with notices.guarded(f"{one.kind} {one.name} of run {chosen.names[one.run_id]}"):
            frames = queries.frames(one)
            name = chosen.names[one.run_id] + one.label.removeprefix(one.name)
            if len(frames):
                shown.append(Shown(one, frames, name, chosen.colours[one.run_id], None))
    return shown


def _at_step(shown: Sequence[Shown]) -> list[Shown]:
    """Ask for the step and return what is shown there; the address has it for the Media page, too."""
    steps = [one.frames.steps.astype(float) for one in shown]
    places = media_steps.places_of(steps)
    if len(places) < 2:
        return list(shown)
    labels = [media_steps.label_of(place, Scale.STEP) for place in places]
    at = step_slider.draw(places, labels, name="step", parameter=str(Scale.STEP))
    return [replace(one, at=at) for one in shown]


def _section(kind: str, members: Sequence[Shown], options: Options) -> None:
    if kind == "pr_curve":
        names = list(dict.fromkeys(one.series.name for one in members))
        for name in grid.page_of(names, FLAT_A_PAGE, key="page of pr_curves"):
            curves.draw_pr_curves(name, [one for one in members if one.series.name == name])
        return
    space = kind == "mesh" or options.look.dimensions == 3
    # Meshes and embeddings in space share what the browser has.
    most = (SPACES_A_PAGE // 2 if options.look.dimensions == 3 else SPACES_A_PAGE) if space else FLAT_A_PAGE
    part = grid.page_of(members, most, key=f"page of {kind}s")
    look = _coloured(part, options.look) if kind == "embedding" and part else options.look
    for name in dict.fromkeys(one.series.name for one in part):
        st.markdown(f"**{plain(name)}**")
        for one, cell in grid.cells([each for each in part if each.series.name == name], options.columns):
            with cell, notices.guarded(one.what):
                if kind == "mesh":
                    curves.draw_mesh(one)
                else:
                    curves.draw_embedding(one, look)


def _coloured(members: Sequence[Shown], look: Look) -> Look:
    """Ask by which column of the metadata points are coloured, where any has some."""
    names: dict[str, None] = {}
    for one in members:
        with notices.guarded(one.what):
            data: EmbeddingData = queries.value_at(one.series, one.step)
            names |= dict.fromkeys(embedding.columns(data))
    if not names:
        return look
    picked = st.selectbox(
        "Coloured by",
        list(names),
        index=None,
        key=COLOUR_BY,
        bind="query-params",
        placeholder="Coloured by the first column of few values",
        label_visibility="collapsed",
        width=330,
    )
    return replace(look, colour_by=picked or "")
