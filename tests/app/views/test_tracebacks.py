"""Where a run failed."""

from __future__ import annotations

import traceback

import numpy as np
import pytest

from stepscope.app.views.tracebacks import read


def traceback_of(fail: object) -> str:
    try:
        fail()  # pyright: ignore[reportCallIssue]
    except Exception:
        return traceback.format_exc()
    raise AssertionError


def test_the_place_is_in_the_users_own_code() -> None:
    told = read(traceback_of(lambda: np.linalg.inv(np.zeros((2, 2)))))
    assert told.what.endswith("LinAlgError: Singular matrix")
    assert told.place.startswith(f"{__file__}, line ")
    assert told.place.endswith(", in <lambda>")


def test_of_chained_exceptions_the_last_one_counts() -> None:
    def fail() -> None:
        try:
            raise ValueError("first")
        except ValueError as error:
            raise RuntimeError("second\nof two lines") from error

    told = read(traceback_of(fail))
    assert told.what == "RuntimeError: second\nof two lines"
    assert told.place.endswith(", in fail")


@pytest.mark.parametrize(
    ("error", "what", "place"),
    [
        ("killed by signal 9", "killed by signal 9", ""),
        ('Traceback\n  File "train.py", line 3, in <module>\nOSError', "OSError", "train.py, line 3"),
        (
            '  File "train.py", line 3\n    x = = 1\n        ^\nSyntaxError: bad',
            "SyntaxError: bad",
            "train.py, line 3",
        ),
        ("", "", ""),
    ],
)
def test_what_is_no_common_traceback(error: str, what: str, place: str) -> None:
    told = read(error)
    assert (told.what, told.place) == (what, place)
