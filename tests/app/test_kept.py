from __future__ import annotations

import pytest

from stepscope.app.kept import Kept


def test_what_was_asked_for_last_is_kept_and_the_rest_released() -> None:
    released: list[str] = []
    kept = Kept[str](2, released.append)
    assert [kept.get(key, lambda key=key: key.upper()) for key in "abac"] == ["A", "B", "A", "C"]
    assert released == ["B"]
    assert kept.get("a", lambda: "another") == "A"


def test_what_could_not_be_made_is_made_again() -> None:
    kept = Kept[int](2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert kept.get("a", lambda: 1) == 1


def test_of_two_that_were_made_at_once_one_is_released() -> None:
    released: list[str] = []
    kept = Kept[str](2, released.append)
    assert kept.get("a", lambda: kept.get("a", lambda: "first") and "second") == "first"
    assert released == ["second"]


def test_of_what_grows_only_the_newest_is_kept() -> None:
    released: list[str] = []
    kept = Kept[str](10, released.append)
    for state in range(5):
        assert kept.get("line", lambda state=state: f"line {state}", state) == f"line {state}"
    assert released == [f"line {state}" for state in range(4)]
    assert kept.get("line", lambda: "made anew", 4) == "line 4"
    assert kept.get("line", lambda: "an older one", 3) == "an older one"


def test_what_is_kept_may_be_counted_by_its_size() -> None:
    kept = Kept[str](5, size=len)
    for key in ("ab", "cd", "efg"):
        kept.get(key, lambda key=key: key)
    assert [kept.has(key) for key in ("ab", "cd", "efg")] == [False, True, True]
    assert not kept.has("cd", "another state")
    kept.get("cd", lambda: "c", "another state")
    kept.get("x", lambda: "x")
    assert [kept.has("cd", "another state"), kept.has("efg"), kept.has("x")] == [True, True, True]
