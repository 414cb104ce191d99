"""Alerts and notes at the edge of a chart."""

from __future__ import annotations

import numpy as np

from stepscope.app.views.marks import MOST_MARKS, SYMBOLS, Mark, traces, wrapped


def test_marks_lie_at_the_edge_and_say_what_happened() -> None:
    marks = [Mark(3.0, kind, "#0072B2", f"{kind} <b>text</b>") for kind in SYMBOLS]
    (trace,) = traces([*marks, Mark(np.nan, "note", "#0072B2", "without a place")], 0.0, 9.0)
    assert trace["yaxis"] == "y2"
    assert trace["x"].tolist() == [3.0] * len(SYMBOLS)
    assert trace["marker"]["symbol"] == list(SYMBOLS.values())
    assert trace["text"][0] == "error &lt;b&gt;text&lt;/b&gt;"
    assert traces([Mark(np.nan, "note", "#0072B2", "")], 0.0, 9.0) == []
    assert traces(marks, np.nan, np.nan) == []


def test_a_mark_far_from_all_lines_does_not_stretch_the_axis() -> None:
    (trace,) = traces([Mark(x, "note", "#0072B2", "") for x in (-10.0, 0.0, 100.0, 104.0, 110.0)], 0.0, 100.0)
    assert trace["x"].tolist() == [0.0, 100.0, 104.0]


def test_of_very_many_some_are_drawn() -> None:
    (trace,) = traces(
        [Mark(float(place), "note", "#0072B2", "") for place in range(10 * MOST_MARKS)], 0.0, 1e6
    )
    assert len(trace["x"]) == MOST_MARKS


def test_long_texts_are_broken_into_lines_and_cut() -> None:
    lines = wrapped("word " * 1000).split("<br>")
    assert max(map(len, lines)) <= 60
    assert len(lines) <= 6
