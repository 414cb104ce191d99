"""Console output as a page shows it."""

from __future__ import annotations

import pytest

from stepscope.app.views import console
from stepscope.storage.console import ConsoleLine

BAR = "epoch 0: 100%|██████████| 30/30 [00:00<00:00, 72902.16it/s]"


def rows(*texts: str, **search: str) -> list[tuple[int, str, float | None]]:
    lines = [ConsoleLine("stderr", text) for text in texts]
    return [(row.number, row.text, row.share) for row in console.rows(lines, **search)]


@pytest.mark.parametrize(
    ("line", "share"),
    [
        (BAR, 1.0),
        ("  0%|          | 0/30 [00:00<?, ?it/s]", 0.0),
        (" 43%|████▎     | 3.1k/7.2k [00:04<00:05, 700it/s, loss=0.1]", 0.43),
        ("Epoch 0:  40%|████      | 4/10 [00:00<00:00, v_num=[1], loss=[0.1, 2]]", 0.4),
        ("32/64 ━━━━━━━━━━━━━━━━━━━━ 1s 5ms/step - loss: 0.1", 0.5),
        ("10/10 [==============================] - 1s 5ms/step", None),
        ("we are at 50% of it", None),
    ],
)
def test_progress_bars_are_told_from_lines(line: str, share: float | None) -> None:
    assert rows(line) == [(1, line, share)]


def test_what_is_glued_to_a_bar_gets_a_line_of_its_own() -> None:
    glued = f"{BAR}stepscope: the loader is slow"
    assert rows("first", glued) == [
        (1, "first", None),
        (2, BAR, 1.0),
        (2, "stepscope: the loader is slow", None),
    ]


def test_lines_are_searched_and_keep_their_numbers() -> None:
    assert rows("a Loss", "b", "c loss", find="LOSS") == [(1, "a Loss", None), (3, "c loss", None)]
    lines = [ConsoleLine("stdout", "x"), ConsoleLine("stderr", "x"), ConsoleLine("", "... left out ...")]
    assert [row.number for row in console.rows(lines, stream="stderr")] == [2]


def test_a_line_of_any_length_and_of_half_a_character_is_shown_in_part() -> None:
    [(_, text, _)] = rows("\ud800" * 9000)
    assert len(text) == console.LONGEST_LINE
    text.encode()
    assert console.text_of([ConsoleLine("stdout", "a\ud800"), ConsoleLine("stderr", "b")]) == "a?\nb\n"


def test_a_line_that_is_nearly_a_bar_does_not_hold_the_page_up() -> None:
    assert len(rows(*["1%|" * 1300] * 20, *["1/1 " + "= " * 2000] * 20)) == 40
