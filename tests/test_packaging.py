"""What pip installs: a wheel with every package in it, enough by itself to log and to open the dashboard."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from support import ROOT, run_python

LAYERS = ("storage", "trackers", "app")
FOR_THE_DEMO = (
    "digits_pytorch.py",
    "digits_keras.py",
    "recorded/README.md",
    "recorded/recorded.db.zst",
)

LOG_AND_READ = """
import numpy, stepscope
from stepscope.storage.read import Reader
with stepscope.init(project="bare", store="bare.db") as run:
    run.log({"loss": numpy.float32(0.5), "weights": numpy.arange(100.0)}, step=0)
with Reader.open("bare.db") as reader:
    found = reader.series(run.id)
print(sorted(one.name for one in found if not one.name.startswith("system/")))
"""

RECORDED = """
from stepscope.app.demo.recorded import description, recorded_copy
with recorded_copy() as store: print(description(store))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel from a copy of what git knows, since a build leaves its traces in the tree."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    run_python("-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", target, source)
    return next(target.glob("*.whl"))


def test_the_wheel_holds_every_file_of_the_layers_and_nothing_else(wheel: Path) -> None:
    files = [path for layer in LAYERS for path in (ROOT / layer).rglob("*") if path.is_file()]
    expected = {f"stepscope/{path.relative_to(ROOT)}" for path in files if path.suffix != ".pyc"}
    expected |= {"stepscope/__init__.py", "stepscope/py.typed"}
    expected |= {f"stepscope/sample_runs/{name}" for name in FOR_THE_DEMO}
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == expected


def install(python: Path, wheel: Path) -> None:
    """Install the wheel and what it requires, as people do."""
    subprocess.run([python, "-m", "ensurepip"], check=True, capture_output=True)
    command = [python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel]
    subprocess.run(command, check=True)


def link(python: Path, wheel: Path) -> None:
    """Unpack the wheel, and link what it requires from where it is installed: the same, but for pip."""
    site = next(python.parents[1].glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (own,) = metadata.distributions(name="stepscope", path=[str(site)])
    for name in required(own, set()):
        packages = metadata.distribution(name)
        for first in {path.parts[0] for path in packages.files or () if path.parts[0] != ".."}:
            there = Path(packages.locate_file(first))
            if first != "__pycache__" and not (site / first).exists():
                (site / first).symlink_to(there)
    command = python.with_name("stepscope")
    command.write_text(f"#!{python}\nfrom stepscope.app.cli import main\nraise SystemExit(main())\n")
    command.chmod(0o755)


def required(packages: metadata.Distribution, found: set[str]) -> set[str]:
    """Return what a distribution requires without any extra, and what that requires."""
    for line in packages.requires or ():
        wanted = Requirement(line)
        if wanted.name not in found and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
            found.add(wanted.name)
            required(metadata.distribution(wanted.name), found)
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("put", [link, pytest.param(install, marks=pytest.mark.long)])
def test_the_bare_wheel_logs_and_opens_the_dashboard(
    wheel: Path, tmp_path: Path, put: Callable[[Path, Path], None]
) -> None:
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    put(python, wheel)
    without = [python, "-c", "import importlib.util as u; print(u.find_spec('torch'), u.find_spec('keras'))"]
    assert subprocess.run(without, capture_output=True, text=True, check=True).stdout == "None None\n"
    printed = subprocess.run(
        [python, "-W", "error:::stepscope", "-c", LOG_AND_READ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert printed.stdout.strip() == "['loss', 'weights']", printed.stderr
    code = (
        f"import sys; sys.path.append({str(ROOT / 'tools')!r})\n"
        "from dashboard import running_dashboard\n"
        "with running_dashboard('bare.db') as address: print(address)"
    )
    answered = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answered.stdout.startswith("http://127.0.0.1:"), answered.stderr
    shown = subprocess.run(
        [python, "-c", RECORDED], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert " projects, recorded " in shown.stdout, shown.stderr
    trained = subprocess.run(
        [python.with_name("stepscope"), "demo"], capture_output=True, text=True, check=False
    )
    assert trained.stderr.endswith('pip install "stepscope[torch,tensorflow]"\n')


def test_this_interpreter_runs_the_tree_under_test() -> None:
    assert Path(run_python("-c", "import stepscope; print(stepscope.__file__)").strip()).parent == ROOT
    assert sys.version_info >= (3, 11)
