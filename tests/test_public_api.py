"""The public face: exactly what is listed, each with a docstring, and light to import."""

from __future__ import annotations

import json
import tomllib
from types import ModuleType

import pytest

import stepscope
from support import ROOT, run_python

HEAVY = ("torch", "tensorflow", "keras", "streamlit", "pandas", "pyarrow", "plotly", "sqlalchemy", "alembic")


def test_all_lists_exactly_what_is_visible() -> None:
    # In a process of its own: here other tests have loaded submodules, which then are attributes too.
    visible = json.loads(
        run_python(
            "-c",
            "import json, types, stepscope as s; names = [n for n in dir(s) if n[0] != '_' and"
            " not isinstance(getattr(s, n), types.ModuleType)]; print(json.dumps(names))",
        )
    )
    assert sorted(visible) == sorted(name for name in stepscope.__all__ if not name.startswith("_"))


def test_all_is_sorted_and_has_no_name_twice() -> None:
    assert list(stepscope.__all__) == sorted(set(stepscope.__all__))


@pytest.mark.parametrize("name", [name for name in stepscope.__all__ if not name.startswith("_")])
def test_each_public_name_is_there_with_a_docstring(name: str) -> None:
    value = getattr(stepscope, name)
    assert not isinstance(value, ModuleType)
    assert (value.__doc__ or "").strip(), f"stepscope.{name} has no docstring"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = stepscope.no_such_name


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import stepscope", HEAVY),
        ("import stepscope; stepscope.init, stepscope.Image, stepscope.open", HEAVY[:-2]),
    ],
)
def test_import_loads_nothing_heavy(statement: str, absent: tuple[str, ...]) -> None:
    loaded = run_python("-c", f"{statement}; import sys; print(*sorted(sys.modules))").split()
    assert not set(absent) & set(loaded)


def test_import_takes_little_time() -> None:
    # Time on the processor, not on the clock: other tests may run beside this one.
    code = "import time, numpy; t = time.process_time(); import stepscope; print(time.process_time() - t)"
    assert min(float(run_python("-c", code)) for _ in range(3)) < 0.25


def test_the_version_is_the_packages_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert stepscope.__version__ == project["version"]
