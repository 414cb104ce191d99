"""Every figure of the benchmarks runs, with counts so small that the numbers mean nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support import ROOT, run_python

BENCHMARKS = ROOT / "benchmarks"
BENCH = BENCHMARKS / "bench.py"


SOME = {"log_call", "dict_of_50", "latency", "histogram", "image", "import_time"}
"""Figures that take a second or two each, and need none of the others."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "which",
    [
        "some",
        pytest.param("all others", marks=pytest.mark.long),
        pytest.param("dashboard", marks=pytest.mark.long),
    ],
)
def test_every_figure_runs_for_stepscope(tmp_path: Path, which: str) -> None:
    every = set(_in_benchmarks("from figures import registry; print(*registry.FIGURES)").split())
    in_a_browser = {name for name in every if name.startswith("dashboard")}
    wanted = {"some": SOME, "all others": every - SOME - in_a_browser, "dashboard": in_a_browser}[which]
    chosen = ["--tiny", "--peers", "stepscope", "--only", *sorted(wanted)]
    printed = run_python(BENCH, *chosen, "--results", tmp_path, deadline_s=550, STEPSCOPE_STRICT="")
    (path,) = tmp_path.glob("*.json")
    results = json.loads(path.read_text())
    assert results["failed"] == {}
    assert results["missing"] == {}
    assert all(f"| {goal['what']} | {goal['goal']} |" in printed for goal in results["goals"])
    figures = set(results["trials"])
    elsewhere = {"log_call_all_cores", "hooks_gpu"}  # for the full size alone, and where there is a GPU
    assert figures - elsewhere == set(results["figures"]) - elsewhere
    assert len(results["goals"]) > len(figures)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_others_are_measured_beside_it(tmp_path: Path) -> None:
    chosen = ["--peers", "stepscope", "summary_writer", "--only", "log_call"]
    printed = run_python(BENCH, "--tiny", *chosen, "--results", tmp_path, deadline_s=250)
    (path,) = tmp_path.glob("*.json")
    results = json.loads(path.read_text())
    assert results["failed"] == {}
    assert "torch" in results["versions"]["summary_writer"]
    assert "beside SummaryWriter | at least 25 times less |" in printed
    assert "|  | Stepscope | SummaryWriter |" in printed


def test_the_tables_replace_what_lies_between_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(
        _in_benchmarks("import report; print('a', report.BEGIN, 'old', report.END, 'b', sep='\\n')")
    )
    code = (
        "import sys, report; from pathlib import Path; "
        "results = report.Results('2 cores', '2026-01-02', False, []); "
        "report.write_into(Path(sys.argv[1]), results)"
    )
    _in_benchmarks(code, page)
    lines = page.read_text().split("\n")
    assert lines[0] == "a"
    assert "old" not in lines
    assert "Measured on 2026-01-02, on 2 cores; medians, all in one run." in lines
    assert lines[-3:] == ["<!-- to here -->", "b", ""]


def test_a_page_without_markers_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("no markers")
    code = (
        "import sys, report; from pathlib import Path\n"
        "try: report.write_into(Path(sys.argv[1]), report.Results('', '', False, []))\n"
        "except SystemExit as error: print(error)"
    )
    assert "README.md needs the lines" in _in_benchmarks(code, page)
    assert page.read_text() == "no markers"


def test_a_readme_has_the_markers() -> None:
    wanted = _in_benchmarks("import report; print(report.BEGIN, report.END, sep='\\n')").split("\n")
    text = (ROOT / "README.md").read_text()
    assert 0 < text.index(wanted[0]) < text.index(wanted[1])


def _in_benchmarks(code: str, *arguments: str | Path) -> str:
    found = f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r}); "
    return run_python("-c", found + code, *arguments)
