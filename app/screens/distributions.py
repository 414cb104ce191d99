"""Distributions: how histograms of the chosen runs change over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from ...storage.model import Series
from .. import queries
from ..analysis.media_steps import Scale, label_of
from ..graphs.layer_names import by_layer, shared_name
from ..views.histogram import Style
from ..views.words import plain
from ..widgets import grid, histogram_cell, notices, page, step_slider
from ..widgets.histogram_cell import ONE_STEP, Look
from ..widgets.run_picker import Choice

A_PAGE = 12
"""Charts drawn at once in a section; a deep network has hundreds."""
OPEN_AT_FIRST = 1
AUTO = "auto"
BESIDE, ON_TOP = "side by side", "overlaid"
SERIES_OF_SLIDER = 24
"""So many series say which steps the slider offers: hooks log all layers at the same steps."""
_STYLE_HELP = (
    "Bands reach from the smallest to the largest value, the inner ones from 6.68, 15.87 and "
    "30.85 % on: TensorBoard's basis points. The line is the median. Overlaid runs show the "
    "whole range and the middle two thirds. Click a step to see its histogram in full; zoom for finer bins "
    "and more steps."
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the viewer set."""

    style: str
    """A Style, or ONE_STEP."""
    wanted: str
    columns: int | None
    """None for one column a run, so that the same layer of several runs lies side by side."""
    on_top: bool


def show() -> None:
    """Draw the page."""
    page.of_runs(_draw, _controls)


def _controls() -> Options:
    with st.container(horizontal=True):
        wanted = st.text_input(
            "Layers",
            key="layers",
            bind="query-params",
            type="search",
            placeholder="conv1/",
            width=150,
            live=True,
        )
        style = _choice("Shown as", [*(style.value for style in Style), ONE_STEP], "style", _STYLE_HELP)
        place = _choice("Runs", [BESIDE, ON_TOP], "layout")
        columns = st.segmented_control(
            "Columns",
            [AUTO, 1, 2, 3, 4],
            default=AUTO,
            required=True,
            key="series_columns",
            bind="query-params",
        )
    many = columns if isinstance(columns, int) else None
    return Options(style, wanted or "", many, place == ON_TOP)


def _choice(title: str, words: Sequence[str], key: str, help_text: str | None = None) -> str:
    picked = st.segmented_control(
        title, words, default=words[0], required=True, key=key, bind="query-params", help=help_text
    )
    return picked or words[0]


def _draw(chosen: Choice, options: Options) -> None:
    found = queries.series(chosen.run_ids, "histogram")
    if not found:
        notices.nothing("The chosen runs have logged no histograms yet. The hooks log weights and gradients.")
        return
    words = options.wanted.casefold().split()
    fitting = [one for one in found if all(word in _known_as(one) for word in words)]
    if not fitting:
        notices.nothing(f"No histogram's name contains **{plain(options.wanted)}**.")
        return
    age = {run_id: place for place, run_id in enumerate(reversed(chosen.run_ids))}
    fitting.sort(key=lambda one: (shared_name(one.name), age[one.run_id]))
    look = Look(options.style, _slider(fitting) if options.style == ONE_STEP else None)
    run_ids = [run_id for run_id in reversed(chosen.run_ids) if any(one.run_id == run_id for one in fitting)]
    columns = options.columns or int(np.clip(2 if options.on_top else len(run_ids), 2, 4))
    rows = () if options.on_top or options.columns or len(run_ids) > columns else run_ids
    sections = _sections(fitting, rows, on_top=options.on_top)
    for place, (name, layers) in enumerate(sections.items()):
        head = grid.section(
            name, sum(1 for _, members in layers if members), opened=place < OPEN_AT_FIRST or bool(words)
        )
        with head:
            shown = grid.page_of(layers, A_PAGE, key=f"page {name}") if head.open else ()
            for (title, members), cell in grid.cells(shown, columns):
                with cell, notices.guarded(f"histogram {title}"):
                    if not members:
                        continue
                    histogram_cell.draw(title, members, chosen, look)


def _known_as(one: Series) -> str:
    """Return what a search looks through: the name as it was logged, and as the other framework has it."""
    return f"{one.name} {shared_name(one.name)}".casefold()


def _slider(fitting: Sequence[Series]) -> float | None:
    """Let the viewer choose one step for all charts; None stands for each one's newest."""
    steps: set[int] = set()
    for one in fitting[:SERIES_OF_SLIDER]:
        with notices.guarded(f"histogram {one.name}"):
            steps.update(queries.frames(one).steps.tolist())
    if len(steps) < 2:
        return None
    places = sorted(map(float, steps))
    labels = [label_of(place, Scale.STEP) for place in places]
    return step_slider.draw(places, labels, name="step", parameter="step")


def _sections(
    fitting: Sequence[Series], rows: Sequence[str], *, on_top: bool
) -> dict[str, list[tuple[str, Sequence[Series]]]]:
    """Group charts by the first part of their name, weights first; each chart has a title and its series.

    With `rows`, each layer has a chart of each of these runs, empty where a run lacks the layer: so that the
    charts of a run stay below each other.
    """
    sections: dict[str, list[tuple[str, Sequence[Series]]]] = {}
    for layer, members in by_layer(fitting).items():
        head, slash, rest = layer.partition("/")
        title, charts = rest or layer, sections.setdefault(head if slash else "histograms", [])
        if on_top:
            charts.append((title, members))
        elif rows:
            charts += [(title, [one for one in members if one.run_id == run_id]) for run_id in rows]
        else:
            charts += [(title, [one]) for one in members]
    return dict(sorted(sections.items(), key=lambda item: (item[0] != "weights", item[0])))
