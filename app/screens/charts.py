"""Charts: every number of the chosen runs, one chart for each metric, however the frameworks name it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import streamlit as st

from ...storage.errors import StepscopeError
from .. import queries, url_state
from ..analysis import grouping, metric_groups
from ..analysis.metric_groups import Member
from ..views import axes, words
from ..views.axes import Axis
from ..views.bands import Band
from ..views.words import plain
from ..widgets import chart_controls, export, grid, metric_chart, notices, page, run_picker
from ..widgets.chart_controls import Options
from ..widgets.metric_chart import Shown
from ..widgets.run_picker import Choice

CHARTS_A_PAGE = 24
"""Of a section with more, the viewer turns pages."""
LINES_AT_ONCE = 600
"""A page of a section has fewer charts where they hold more lines; sections beyond it are folded at first."""
FEWEST_CHARTS = 4
PINS = "pins"
"""Under which name the address holds the pinned metrics."""
TURNED = "sections"
"""Under which name the address holds the sections that are not open or closed as at first."""
PINNED = "pinned"
GROUPS_NAMED = 12
"""How many groups the line above the charts names."""
_STYLE = """<style>
.st-key-chart_more { padding-top: 1.75rem; }
/* The pin lies beside the menu of its chart, and its words are for screen readers alone. */
.stVerticalBlock:has(> [class*="st-key-pin-"]) { position: relative; }
[class*="st-key-pin-"] { position: absolute; top: 0.1rem; right: 1.6rem; z-index: 2; width: auto; }
[class*="st-key-pin-"] { opacity: 0.35; }
[class*="st-key-pin-"]:is(:hover, :focus-within) { opacity: 1; }
[class*="st-key-pin-"] button { min-height: 1.4rem; padding: 0.1rem; }
[class*="st-key-pin-"] button p { position: absolute; width: 1px; height: 1px; clip-path: inset(50%); }
</style>"""


def show() -> None:
    """Draw the page."""
    page.of_runs(_draw, _controls)


def _controls() -> Options:
    try:
        chosen = run_picker.choice_of(queries.runs())
        metrics, said = queries.metrics(chosen.runs), queries.definitions(chosen.run_ids)
    except StepscopeError:
        # What is drawn below says what is wrong with the store.
        return chart_controls.show((), defined=False, ranked=False, grouped=False, resumed=False)
    with st.sidebar:
        export.button(chosen.run_ids, key="export_charts")
    return chart_controls.show(
        metrics,
        defined=any(one.step_metric for each in said.values() for one in each.values()),
        ranked=_ranked(metrics),
        grouped=bool(chosen.group_key),
        resumed=any(run.attempt for run in chosen.runs),
    )


def _ranked(metrics: Mapping[str, Sequence[Member]]) -> bool:
    """Return whether a run has several ranks of one metric."""
    return any("rank" in one.series.context for members in metrics.values() for one in members)


def _draw(chosen: Choice, options: Options) -> None:
    st.html(_STYLE)
    metrics = queries.metrics(chosen.runs)
    if not metrics:
        notices.nothing("The chosen runs have logged no numbers yet.")
        return
    shown = _shown(chosen, options, metrics)
    fitting = metric_groups.fitting(_wanted(metrics, shown), options.wanted)
    if not fitting:
        notices.nothing(f"No metric fits **{plain(options.wanted)}**.")
        return
    if shown.groups:
        # No caption: that would pale the colours.
        st.markdown(f":small[{_about_groups(shown)}]")
    st.caption(_legend(fitting, shown))
    pinned = [metric for metric in url_state.texts(PINS) if metric in fitting]
    sections = metric_groups.sections(set(fitting) - set(pinned))
    lines = 0
    for section, names in (({PINNED: pinned} if pinned else {}) | sections).items():
        at_first = section not in metric_groups.LAST and lines < LINES_AT_ONCE
        _section(section, names, fitting, shown, at_first=at_first)
        lines += sum(len(fitting[metric]) for metric in names[: _charts_a_page(names, fitting)])


def _shown(chosen: Choice, options: Options, metrics: Mapping[str, Sequence[Member]]) -> Shown:
    longest = max((run.duration for run in chosen.runs), default=0.0)
    key = chosen.group_key
    groups = grouping.groups(list(reversed(chosen.runs)), key) if key else {}
    return Shown(
        chosen,
        options,
        metrics,
        axes.in_units_of(Axis(log=options.log_x), longest),
        queries.definitions(chosen.run_ids),
        queries.happened(chosen.run_ids) if options.marks else (),
        {run.run_id: queries.attempts(run.run_id) for run in chosen.runs if run.attempt and options.ghosts},
        {run.run_id: value for value, runs in groups.items() for run in runs},
    )


def _wanted(metrics: Mapping[str, Sequence[Member]], shown: Shown) -> dict[str, list[Member]]:
    """Return the metrics without those that all their runs call hidden, unless the viewer looks for some."""
    if shown.options.wanted or not shown.definitions:
        return {metric: list(members) for metric, members in metrics.items()}
    return {
        metric: list(members)
        for metric, members in metrics.items()
        if not all(_hidden(one, shown) for one in members)
    }


def _hidden(one: Member, shown: Shown) -> bool:
    said = shown.definitions.get(one.run.run_id, {}).values()
    return any(each.hidden for each in said if each.applies_to(one.series.name))


def _charts_a_page(names: Sequence[str], metrics: Mapping[str, Sequence[Member]]) -> int:
    """Return how many charts of a section are drawn at once."""
    lines = max(len(metrics[name]) for name in names)
    return max(FEWEST_CHARTS, min(CHARTS_A_PAGE, LINES_AT_ONCE // lines))


def _section(
    name: str, names: Sequence[str], metrics: Mapping[str, list[Member]], shown: Shown, *, at_first: bool
) -> None:
    turned = url_state.texts(TURNED)
    searched = bool(shown.options.wanted)
    head = grid.section(name, len(names), opened=searched or at_first != _turned_at_first(name, turned))
    # What a search has opened was not the viewer's choice.
    if not searched and (bool(head.open) != at_first) != (name in turned):
        others = [one for one in turned if one != name]
        url_state.set_texts(TURNED, others if name in turned else [*others, name])
    with head:
        if head.open:
            some = grid.page_of(names, _charts_a_page(names, metrics), key=f"page of {name}")
            for metric, cell in grid.cells(some, shown.options.columns):
                with cell, notices.guarded(f"metric {metric}"):
                    _pin(metric, pinned=name == PINNED)
                    _chart(metric, metrics[metric], shown)


def _turned_at_first(name: str, turned: Sequence[str]) -> bool:
    """Return what the address said of a section when it came onto the page.

    What it says later comes from the viewer's click: to tell the section again would turn it back.
    """
    if f"section {name}" not in st.session_state:
        st.session_state[f"turned {name}"] = name in turned
    return bool(st.session_state.get(f"turned {name}"))


def _chart(metric: str, members: Sequence[Member], shown: Shown) -> None:
    def draw() -> None:
        with notices.guarded(f"metric {metric}"):
            metric_chart.draw(metric, members, shown)

    # Each by itself: who zooms into one does not wait for the others.
    st.fragment(draw, key=f"chart of {metric}")()


def _pin(metric: str, *, pinned: bool) -> None:
    st.button(
        f"{'Unpin' if pinned else 'Pin'} {plain(metric)}",
        key=f"pin {metric}",
        icon=":material/keep_off:" if pinned else ":material/keep:",
        type="tertiary",
        help="Put it back into its section" if pinned else "Show it first",
        on_click=_turn_pin,
        args=(metric,),
    )


def _turn_pin(metric: str) -> None:
    pins = url_state.texts(PINS)
    url_state.set_texts(PINS, [one for one in pins if one != metric] if metric in pins else [*pins, metric])


def _legend(metrics: Mapping[str, Sequence[Member]], shown: Shown) -> str:
    """Return how the lines of different splits differ, if there are several, and what lines stand for."""
    members = [one for found in metrics.values() for one in found]
    names = [one.name for one in members]
    splits = {name.split or "train" for name in names}
    strokes = {"train": "━━ train", "validation": "╍╍ validation", "test": "┅┅ test"}
    told = [strokes[split] for split in strokes if split in splits] if len(splits) > 1 else []
    if shown.attempts:
        told.append("┈┈ what a newer attempt of a run has replaced")
    if any(name.granularity == "epoch" for name in names):
        told.append("● one value for each epoch")
    if any(one.name.granularity == "batch" and one.run.framework == "keras" for one in members):
        told.append("Keras' values per batch are its running means over the epoch")
    return "  ·  ".join(told or ["drag to zoom, double click to see all"])


def _about_groups(shown: Shown) -> str:
    options = shown.options
    band = "" if options.band is Band.NONE else f", in a band of {options.band}"
    sizes = Counter(shown.groups.values())
    named = [
        f"{run_picker.swatch(shown.chosen.group_colours[value])} {plain(value)} ({words.one_of(many, 'run')})"
        for value, many in list(sizes.items())[:GROUPS_NAMED]
    ]
    more = f" and {len(sizes) - GROUPS_NAMED} more" if len(sizes) > GROUPS_NAMED else ""
    key = plain(shown.chosen.group_key or "")
    return f"{options.centre} of the runs of one **{key}**{band}: {'  '.join(named)}{more}"
