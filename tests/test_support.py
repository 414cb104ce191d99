"""The tests' own servers work, so that a failure elsewhere is not theirs."""

from __future__ import annotations

import psycopg
import pytest

from support import run_python, wait_for, wait_until


def test_wait_until_returns_the_first_truthy_answer() -> None:
    answers = iter([0, "", "there"])
    assert wait_until(lambda: next(answers)) == "there"


def test_wait_until_names_what_it_waited_for() -> None:
    with pytest.raises(AssertionError, match=r"waited 0\.05 s for the moon, but the last answer was False"):
        wait_until(lambda: False, 0.05, "the moon")


def test_wait_for_shows_what_came_instead() -> None:
    answers = iter([1, 2])
    wait_for(2, lambda: next(answers), "the count")
    with pytest.raises(AssertionError, match=r"waited 0\.05 s for the names: \['a'\], but it is \['b'\]"):
        wait_for(["a"], lambda: ["b"], "the names", 0.05)


def test_run_python_shows_why_a_process_failed() -> None:
    with pytest.raises(AssertionError, match=r"exit 3\b[\s\S]*out of luck"):
        run_python("-c", "import sys; print('out of luck'); sys.exit(3)")


@pytest.mark.postgres
def test_postgres_gives_each_test_a_database_of_its_own(postgres_url: str) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        assert connection.execute(tables).fetchone() == (0,)
        assert connection.execute("SELECT current_database()").fetchone() != ("postgres",)
