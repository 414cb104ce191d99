"""The tree is what pyproject.toml says, no module hides another, and nothing imports in a ring."""

from __future__ import annotations

import graphlib
import sys
import tomllib
from importlib.metadata import packages_distributions

import grimp

from support import ROOT

LAYERS = ("storage", "trackers", "app")


def test_every_folder_of_code_is_a_listed_package() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.parent for layer in LAYERS for path in (ROOT / layer).rglob("*.py")}
    found = {".".join(("stepscope", *folder.relative_to(ROOT).parts)) for folder in folders}
    assert set(listed) == found | {"stepscope"}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]


def test_folders_that_are_no_code_are_no_packages() -> None:
    assert not (ROOT / "conftest.py").exists()
    for folder in ("tests", "tools", "sample_runs", "benchmarks", "docs"):
        assert not list((ROOT / folder).rglob("__init__.py"))


def test_no_module_in_app_hides_another() -> None:
    # Streamlit puts the folder of app/main.py first on the path, for everything it imports later.
    others = set(sys.stdlib_module_names) | set(packages_distributions()) - {"stepscope"}
    names = {path.stem for path in (ROOT / "app").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not (names - {"__init__", "__pycache__"}) & (others | set(LAYERS) | {"pages"})


def test_no_modules_import_each_other_in_a_ring() -> None:
    # Imports inside functions count too: a ring hidden by laziness is still a ring.
    graph = grimp.build_graph("stepscope", exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    graphlib.TopologicalSorter(imports).prepare()  # raises CycleError, which names the ring
