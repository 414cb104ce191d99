"""One metric of the chosen runs as a chart: which series are read, how finely, and how they become lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...storage.metric_definitions import MetricDefinition
from ...storage.model import SYSTEM_PREFIX, Attempt, Points, Run
from .. import queries
from ..analysis import metric_groups
from ..analysis.happenings import Happening
from ..analysis.metric_groups import Member
from ..views import axes, bands, ranks, scalar
from ..views.axes import Axis, XAxis
from ..views.marks import Mark
from ..views.scalar import Line, Look
from ..views.words import brief
from . import chart, notices
from .chart_controls import ALL_RANKS, DEFINED, RANK_0, Options
from .run_picker import Choice

POINTS_A_CHART = 6 * queries.POINTS_A_LINE
"""A browser needs a second for some ten thousand points: of more lines, each has fewer."""
FEWEST_POINTS = 125
NAMED = 12
"""How many lines the text for screen readers names."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the charts of a page have in common."""

    chosen: Choice
    options: Options
    metrics: Mapping[str, Sequence[Member]]
    """All metrics of the chosen runs: any can be the horizontal axis."""
    axis: Axis
    """The unit of relative time, and whether it is logarithmic."""
    definitions: Mapping[str, Mapping[str, MetricDefinition]]
    happened: Sequence[Happening]
    attempts: Mapping[str, Sequence[Attempt]]
    """Run -> its attempts, of those whose older ones are to be shown."""
    groups: Mapping[str, str]
    """Run -> the group that it is shown in; empty when runs are shown one by one."""


def draw(metric: str, members: Sequence[Member], shown: Shown) -> None:
    """Draw the chart of a metric where the page stands now."""
    key = f"metric {metric}"
    axis = _axis(metric, members, shown)
    zoom = chart.zoomed(key, axis.word)
    view = (zoom.first, zoom.last) if zoom else None
    lines = _grouped(members, shown, axis, view) if shown.groups else _single(members, shown, axis, view)
    options = shown.options
    still = metric.partition("/")[0] in metric_groups.SETTINGS or metric_groups.is_counter(metric)
    smoothing = 0.0 if still else options.smoothing
    look = Look(axis, smoothing, options.log_y, options.outliers, view)
    figure = scalar.figure(metric, lines, look, _marks(members, shown, axis))
    chart.draw(figure, key=key, alt=_alt(metric, lines), cursor=axis.word, zoomable=True)


def _axis(metric: str, members: Sequence[Member], shown: Shown) -> Axis:
    """Return the horizontal axis that the viewer wants, or that the first run has defined for the metric."""
    wanted = shown.options.x
    if wanted == DEFINED:
        wanted = next((name for one in members if (name := _defined(one, shown))), XAxis.STEP)
    if wanted in (XAxis.STEP, XAxis.RELATIVE, XAxis.WALL) and wanted not in shown.metrics:
        axis = replace(shown.axis, kind=XAxis(wanted))
        if axis.kind is XAxis.STEP and metric.startswith(SYSTEM_PREFIX):
            return replace(axis, steps="seconds since start")
        return axis
    return replace(shown.axis, kind=XAxis.METRIC, metric=wanted, counts=metric_groups.is_counter(wanted))


def _defined(one: Member, shown: Shown) -> str | None:
    """Return the metric that is the axis of a series by what its run said last, if that is there."""
    said = shown.definitions.get(one.run.run_id, {})
    names = [each.step_metric for each in said.values() if each.applies_to(one.series.name)]
    metric = queries.naming().parse(names[-1]).metric if names and names[-1] else None
    return metric if metric in shown.metrics else None


def _alt(metric: str, lines: Sequence[Line]) -> str:
    named = ", ".join(line.name for line in lines[:NAMED])
    return f"{metric} of {named}" + (f" and {len(lines) - NAMED} more" if len(lines) > NAMED else "")


def _single(
    members: Sequence[Member], shown: Shown, axis: Axis, view: tuple[float, float] | None
) -> list[Line]:
    """Return a line for each series, or for all ranks of one."""
    sources = _sources(members, shown.options.ranks)
    most = _points_a_line(sources)
    lines: list[Line] = []
    for group in sources:
        one, run_name = group[0], shown.chosen.names[group[0].run.run_id]
        several = len(group) > 1
        name = one.words_across(run_name, f"mean of {len(group)} ranks") if several else one.words(run_name)
        with notices.guarded(f"series {one.series.name} of {name}"):
            colour = shown.chosen.colours[one.run.run_id]
            lines += _ghosts(group, shown, axis, most, name)
            points, x = _read(group, shown, axis, view, most)
            lines.append(Line(name, colour, points, x, one.name.split, one.name.granularity))
    return lines


def _grouped(
    members: Sequence[Member], shown: Shown, axis: Axis, view: tuple[float, float] | None
) -> list[Line]:
    """Return a line for each group of runs, of each split and granularity."""
    sources = _sources(members, shown.options.ranks)
    most = _points_a_line(sources)
    parts: dict[tuple[str, ...], list[list[Member]]] = {}
    for group in sources:
        one = group[0]
        key = (shown.groups[one.run.run_id], one.words_across("", ""))
        parts.setdefault(key, []).append(group)
    lines: list[Line] = []
    order = list(dict.fromkeys(shown.groups.values()))
    for (value, _), found in sorted(parts.items(), key=lambda item: order.index(item[0][0])):
        read: list[tuple[Floats, Points]] = []
        for group in found:
            with notices.guarded(
                f"series {group[0].series.name} of {shown.chosen.names[group[0].run.run_id]}"
            ):
                points, x = _read(group, shown, axis, view, most)
                read.append((x, points))
        one, options = found[0][0], shown.options
        # Thinned evenly over the whole axis: what is read finer for a view must not be lost by it.
        places = bands.MOST_PLACES * (3 if view else 1)
        x, points = bands.across(read, options.centre, options.band, places)
        runs = len({group[0].run.run_id for group in found})
        name = one.words_across(value, f"{options.centre} of {runs} runs" if runs > 1 else "1 run")
        colour = shown.chosen.group_colours[value]
        lines.append(Line(name, colour, points, x, one.name.split, one.name.granularity, banded=True))
    return lines


def _sources(members: Sequence[Member], which: str) -> list[list[Member]]:
    """Return the members of each line: the ranks of a run that are shown as one."""
    groups = metric_groups.by_rank(members)
    if which == ALL_RANKS:
        return [[one] for group in groups for one in group]
    return [group[:1] for group in groups] if which == RANK_0 else groups


def _points_a_line(sources: Sequence[Sequence[Member]]) -> int:
    """Return how finely lines are read, in a few degrees: one more run seldom means reading all anew."""
    most = queries.POINTS_A_LINE
    counts = [group[0].series.count for group in sources]
    while most > FEWEST_POINTS and sum(min(count, most) for count in counts) > POINTS_A_CHART:
        most //= 2
    return most


def _read(
    group: Sequence[Member], shown: Shown, axis: Axis, view: tuple[float, float] | None, most: int
) -> tuple[Points, Floats]:
    """Return the entries of one line, finer where the viewer looks, and their places on the axis."""
    points = _points(group, most)
    x = _placed(points, group[0], shown, axis)
    window = axes.steps_of_view(points, x, *view) if view and points.bucketed else None
    if window:
        # Half of them are in its margin.
        points = axes.refined(points, _points(group, 2 * most, *window))
        x = _placed(points, group[0], shown, axis)
    return points, x


def _points(group: Sequence[Member], most: int, first: int | None = None, last: int | None = None) -> Points:
    found = [_marked(queries.points(each.series, most, first, last)) for each in ranks.chosen(group)]
    return ranks.across(found) if len(found) > 1 else found[0]


def _marked(points: Points) -> Points:
    """Return entries whose `last` is no number where any point of their bucket is none: charts mark that."""
    if points.odd is None:
        return points
    return replace(points, last=np.where(points.odd != 0, points.odd, points.last), odd=None)


def _placed(points: Points, one: Member, shown: Shown, axis: Axis) -> Floats:
    other = _other(one, shown, axis)
    if other is None:
        return axes.place(points, axis, one.run.created_at)
    values = queries.points(other.series)
    return axes.place(points, axis, one.run.created_at, values, by_time=_by_time(one, other))


def _by_time(one: Member, other: Member) -> bool:
    """Whether the two count different steps: those of the machine's own series are seconds."""
    return one.series.name.startswith(SYSTEM_PREFIX) != other.series.name.startswith(SYSTEM_PREFIX)


def _other(one: Member, shown: Shown, axis: Axis) -> Member | None:
    """Return the series of the same run that is the horizontal axis, the one that is most like this one."""
    if axis.kind is not XAxis.METRIC:
        return None
    found = [each for each in shown.metrics.get(axis.metric, ()) if each.run.run_id == one.run.run_id]
    return max(found, key=lambda each: _likeness(one, each), default=None)


def _likeness(one: Member, other: Member) -> tuple[float, ...]:
    return (
        # What says nothing of a split, such as a step's time, is of the training.
        (other.name.split or "train") == (one.name.split or "train"),
        other.name.granularity == one.name.granularity,
        other.series.context.get("rank") == one.series.context.get("rank"),
        not other.series.context,
        other.series.count,
    )


def _ghosts(group: Sequence[Member], shown: Shown, axis: Axis, most: int, name: str) -> list[Line]:
    """Return what older attempts logged of a series from the step on at which a newer one replaces it."""
    one = group[0]
    attempts = shown.attempts.get(one.run.run_id, ())
    found: list[Line] = []
    for place, attempt in enumerate(attempts[:-1]):
        begun = [newer.first_step for newer in attempts[place + 1 :] if newer.first_step is not None]
        if not begun or one.series.name.startswith(SYSTEM_PREFIX):
            continue
        points = queries.points(one.series, most, min(begun), None, attempt.attempt)
        if len(points):
            x = _placed(points, one, shown, axis)
            colour = shown.chosen.colours[one.run.run_id]
            words = f"{name} · attempt {attempt.attempt + 1}"
            found.append(Line(words, colour, points, x, one.name.split, one.name.granularity, ghost=True))
    return found


def _marks(members: Sequence[Member], shown: Shown, axis: Axis) -> list[Mark]:
    """Return the alerts and notes of the runs on a chart, at their places on its axis."""
    first: dict[str, Member] = {}
    for one in members:
        first.setdefault(one.run.run_id, one)
    found: list[Mark] = []
    for one in shown.happened:
        member = first.get(one.run_id)
        if member is not None:
            name = shown.chosen.names[one.run_id]
            text = f"{name} · step {one.step} · {one.kind}: {brief(one.text)}"
            place = _place_of(one, member, shown, axis)
            found.append(Mark(place, one.kind, shown.chosen.colours[one.run_id], text))
    return found


def _place_of(one: Happening, member: Member, shown: Shown, axis: Axis) -> float:
    run: Run = member.run
    if axis.kind is XAxis.STEP and member.series.name.startswith(SYSTEM_PREFIX):
        return one.time - run.created_at
    step, time = np.array([one.step]), np.array([one.time])
    other = _other(member, shown, axis)
    values = None if other is None else queries.points(other.series)
    by_time = other is not None and other.series.name.startswith(SYSTEM_PREFIX)
    return float(axes.place_of(step, time, axis, run.created_at, values, by_time=by_time)[0])
