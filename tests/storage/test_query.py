"""Asking a SQLite file and a real PostgreSQL; and what needs neither."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stepscope
from contracts.query_contract import QueryContract
from stepscope.storage.errors import BadInput, RunNotFound, StoreError, StoreNotFound
from stepscope.storage.frames import Table, column_of
from stepscope.storage.near import near_names
from stepscope.storage.read import Reader
from support import run_python


class TestSqlite(QueryContract):
    @pytest.fixture
    def url(self, store_url: str) -> str:
        return store_url


@pytest.mark.postgres
class TestPostgres(QueryContract):
    @pytest.fixture
    def url(self, shared_postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        return shared_postgres_url


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFound, match="there is no store at"):
        stepscope.open(tmp_path / "nothing.db")


def test_the_environment_of_a_run_that_is_not_there(store_url: str) -> None:
    stepscope.init(store=store_url).finish()
    with Reader.open(store_url) as reader, pytest.raises(RunNotFound, match="there is no run 'NOSUCH' in"):
        reader.environment("NOSUCH")


def test_a_filter_that_is_none(store_url: str) -> None:
    stepscope.init(store=store_url, project="p").finish()
    with stepscope.open(store_url) as store, pytest.raises(BadInput, match=r"a filter is .* but got int 3"):
        store.runs(filter=3)  # pyright: ignore[reportArgumentType]


def test_a_store_that_was_closed(store_url: str) -> None:
    stepscope.init(store=store_url, name="one").finish()
    with stepscope.open(store_url) as store:
        run = store.run("one")
    for read in (store.runs, store.projects, run.series, lambda: run.last):
        with pytest.raises(StoreError, match=r"was closed, and .* Open it again: stepscope\.open"):
            read()


def test_a_config_whose_joined_keys_are_equal_loses_none(store_url: str) -> None:
    stepscope.init(store=store_url, config={"a": {"b": 1}, "a.b": 2}).finish()
    with stepscope.open(store_url) as store:
        table = store.runs().pandas()
        assert store.runs()[0].config == {"a": {"b": 1}, "a.b": 2}
    assert (table["config.a.b"][0], table["config.a.b (2)"][0]) == (1, 2)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda store: store.run(None), "a run is a text, but got NoneType None"),
        (lambda store: store.run("\udcff"), "a run '.udcff' is not valid Unicode"),
        (lambda store: store.runs(project=["p"]), r"a project is a text, but got list \['p'\]"),
        (
            lambda store: store.run("one").scalars(3),
            r"a name or a list of names, but got int 3\. Write scalars",
        ),
        (lambda store: store.run("one").scalars([3]), "a name is a text, but got int 3"),
        (lambda store: store.run("one").scalars(["loss", "step"]), r"Ask for it alone: scalars\(\"step\"\)"),
        (lambda store: store.run("one").scalars("loss", context="rank=1"), "a context is a dict, such as"),
        (
            lambda store: store.run("one").scalars("loss", first_step="a"),
            "first_step is a whole .* got str 'a'",
        ),
        (lambda store: store.run("one").scalars("loss", last_step=2**63), "last_step is a whole number from"),
        (lambda store: store.run("one").scalars("loss", max_points=1.5), "max_points .* but got float 1.5"),
        (lambda store: store.run("one").history(last_step=float("nan")), "last_step .* but got float nan"),
        (lambda store: store.run("one").records(3), "a name is a text, but got int 3"),
    ],
)
def test_arguments_of_a_wrong_form_are_named(store_url: str, ask: Any, message: str) -> None:
    with stepscope.init(store=store_url, name="one") as run:
        run.log({"loss": 1.0, "step": 2.0})
    with stepscope.open(store_url) as store, pytest.raises(BadInput, match=message):
        ask(store)


def test_whole_numbers_of_any_type_bound_a_read(store_url: str) -> None:
    with stepscope.init(store=store_url, name="one", project="") as run:
        for step in range(10):
            run.log({"loss": 1.0}, step=step)
    stepscope.init(store=store_url, project="other").finish()
    with stepscope.open(store_url) as store:
        assert [one.name for one in store.runs(project="")] == ["one"]
        loss = store.run("one").scalars("loss", first_step=np.int8(2), last_step=1e6)  # pyright: ignore[reportArgumentType]
        assert loss["step"].tolist() == list(range(2, 10))
        assert list(loss) == ["step", "time", "value"]
        assert "value" in loss


def test_reading_numbers_loads_neither_pandas_nor_pyarrow(store_url: str) -> None:
    with stepscope.init(store=store_url, name="one") as run:
        run.log({"loss": 1.0})
    printed = run_python(
        "-c",
        "import sys, stepscope\n"
        f"run = stepscope.open({store_url!r}).run('one')\n"
        "print(run.scalars('loss').numpy()['value'], {'pandas', 'pyarrow'} & set(sys.modules))",
    )
    assert printed.strip() == "[1.] set()"


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([True, False], np.bool_),
        ([1, 2], np.int64),
        ([1, 2.5], np.float64),
        ([1.5, None], np.float64),
        ([1, None], object),
        ([True, 1], object),
        ([2**53 + 1, 0.5], object),
        ([2**63, 1], object),
        ([[1, 2], [3]], object),
        ([[1, 2], [3, 4]], object),
        ([None, None], object),
        (["a", None], object),
        ([], object),
    ],
)
def test_a_column_loses_no_value(values: list[Any], dtype: type) -> None:
    column = column_of(values)
    assert column.dtype == dtype
    assert column.shape == (len(values),)
    table = Table({"x": column})
    for back in (column.tolist(), table.pandas()["x"].tolist()):
        assert [None if value != value or value is None else value for value in map(plain, back)] == values
    assert table.arrow().num_rows == len(values)


def plain(value: Any) -> Any:
    """Return None for pandas' missing value."""
    return None if type(value).__name__ == "NAType" else value


def test_an_unknown_column() -> None:
    table = Table({"step": np.zeros(2, np.int64)})
    with pytest.raises(BadInput, match=r"no column 'steps'\. Near names: 'step'\. The columns are: step"):
        table["steps"]


def test_near_names() -> None:
    assert near_names("Acc", ["train/acc", "acc", "loss"]) == " Near names: 'acc', 'train/acc'."
    assert near_names("", ["a"]) == near_names("zzz", ["a"]) == near_names("x", []) == ""
