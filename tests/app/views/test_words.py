from __future__ import annotations

import math

import pytest

from stepscope.app.views import words
from stepscope.app.views.figures import COLOURS, faint, run_colours


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.5, "9.5 s"),
        (75, "1 min 15 s"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
        (180_000, "2 d 2 h"),
    ],
)
def test_duration(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "\u2013"), (0.123456789, "0.12346"), (math.nan, "NaN"), (math.inf, "∞"), (-math.inf, "-∞")],
)
def test_number(value: float | None, said: str) -> None:
    assert words.number(value) == said


@pytest.mark.parametrize(("amount", "said"), [(7, "7"), (999, "999"), (1234, "1.23 k"), (18_000_000, "18 M")])
def test_short_count(amount: int, said: str) -> None:
    assert words.short_count(amount) == said


def test_where_a_run_was_logged() -> None:
    assert words.host("box", 7) == "box, process 7"
    assert words.host("box", 0) == "box"
    assert words.host("", 7) == "process 7"
    assert words.host("", 0) is None


def test_shapes_and_counts() -> None:
    assert words.shape((None, 3)) == "? \u00d7 3"
    assert words.shape(()) == "scalar"
    assert words.shape(None) == ""
    assert [words.one_of(many, "run") for many in (0, 1, 1200)] == ["0 runs", "1 run", "1,200 runs"]


def test_what_was_not_stored_is_one_sentence() -> None:
    assert words.not_stored({"a full disk": 1}) == "1 value was not stored: 1 because of “a full disk”."
    many = {f"reason {number}": number for number in range(1, 101)}
    assert words.not_stored({**many, "no room": 949_906}) == (
        "954,956 values were not stored: 949,906 because of “no room”, 100 because of “reason 100”, "
        "99 because of “reason 99”, 98 because of “reason 98”, 97 because of “reason 97”, "
        "4,656 for other reasons."
    )


def test_markdown_in_a_name_is_shown_and_not_meant() -> None:
    hostile = "![x](http://a) :red[y]\n# <b> `c` $d$"
    plain = words.plain(hostile)
    assert plain.replace("\\", "") == "![x](http://a) :red[y] # <b> `c` $d$"
    assert "\\!\\[" in plain
    assert "\\:red\\[" in plain


def test_runs_keep_their_colours_when_newer_ones_come() -> None:
    few, many = run_colours(["a", "b"]), run_colours(["a", "b", "c"])
    assert many["a"] == few["a"] == COLOURS[0]
    assert len(set(run_colours([str(i) for i in range(16)]).values())) == 16
    assert faint("#0072B2", 0.25) == "rgba(0,114,178,0.25)"


def test_long_and_broken_text_is_cut_and_mended() -> None:
    assert words.brief("a " * 50_000, 10) == "a a a a a…"
    assert words.brief("a\n  b", 3) == "a b"
    assert words.brief(" " * 99 + "abc", 3) == "…"
    assert words.plain("\ud800_", 5) == r"?\_"
