"""Words that cannot rot: paths exist, commands exist, Python runs."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from stepscope.app.cli import main
from stepscope.storage.kinds import KINDS
from support import ROOT, run_python

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
MADE_BY_PROGRAMS = (
    ".venv",
    ".make/",
    ".bench/",
    "stepscope.db",
    "stepscope.toml",
    "screenshots/",
    "logs/",
    "visdom/",
    "src/",
)


def words_of(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def blocks_of(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def framework_of(code: str) -> str:
    """Tell which framework a snippet loads; one that says KERAS_BACKEND=torch loads torch."""
    if re.search(r"\btorch\b|lightning|transformers|summary_writer", code):
        return "torch"
    return "tensorflow" if re.search(r"\b(keras|tensorflow)\b", code) else "neither"


def looks_like_a_path(quoted: str) -> bool:
    """Tell paths from names of series: `docs/guide`, `app/` and `setup.py`, but not `loss/val`."""
    first, last = quoted.partition("/")[0], quoted.rpartition("/")[2]
    return not last or "." in last or (ROOT / first).is_dir()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_paths_it_names_exist(page: Path) -> None:
    words = words_of(page)
    linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", words)
    assert not [path for path in linked if not (page.parent / path).exists()]
    quoted = re.findall(r"`([\w.-]+/[\w./-]*|\w[\w.-]*\.(?:py|toml|md|txt))`", words)
    named = [path for path in quoted if looks_like_a_path(path) and not path.startswith(MADE_BY_PROGRAMS)]
    # A bare file name may be one in the root only; everything else is written from the root.
    assert not [path for path in named if not (ROOT / path).exists()]


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["torch", "tensorflow", "neither"])
def test_python_in_the_pages_runs_as_it_is_printed(framework: str, tmp_path: Path) -> None:
    for page in PAGES:
        for number, block in enumerate(blocks_of(page, "python"), 1):
            if framework_of(block) == framework:
                (tmp_path / f"{page.stem}_{number}.py").write_text(block)
    printed = run_python(ROOT / "tests" / "snippets.py", tmp_path, STEPSCOPE_STRICT="1")
    last_line = printed.strip().splitlines()[-1]
    assert json.loads(last_line) == {}


@pytest.mark.parametrize(
    "command",
    sorted(
        {
            line
            for page in PAGES
            for block in blocks_of(page, "sh")
            for line in block.splitlines()
            if line.startswith("stepscope ")
        }
    ),
)
def test_commands_take_the_options_they_are_shown_with(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(command)[1:]
    actions = [word for word in words if re.fullmatch(r"[a-z]+", word)]
    options = [word for word in words if word.startswith("--")]
    depth = next(n for n, word in enumerate([*words, ""]) if word not in actions)
    with pytest.raises(SystemExit) as ended:
        main([*words[:depth], "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert not [option for option in options if option not in shown]


def test_the_targets_of_make_that_pages_name_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert named <= targets
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {"demo", "test", "check", "clean"} <= set(
        re.findall(r"^make ([a-z-]+)", shown.stdout, re.MULTILINE)
    )


def test_the_guide_names_all_its_pages() -> None:
    guide = ROOT / "docs" / "guide"
    linked = set(re.findall(r"\]\(([\w-]+\.md)\b", (guide / "README.md").read_text()))
    assert linked | {"README.md"} == {page.name for page in guide.glob("*.md")}


def test_the_readme_names_every_kind() -> None:
    table = (ROOT / "README.md").read_text().partition("| kind |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE) == [kind.name for kind in KINDS]


def test_the_changelog_tells_of_this_version() -> None:
    version = run_python("-c", "import stepscope; print(stepscope.__version__)").strip()
    assert f"\n## {version} " in (ROOT / "CHANGELOG.md").read_text()
