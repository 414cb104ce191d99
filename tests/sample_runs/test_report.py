"""The report of a small store: medians, spreads, ratios; and the page as it is committed."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import stepscope
from support import ROOT, run_python

sys.path.insert(0, str(ROOT / "sample_runs"))  # as it is for report.py itself

from reporting.headings import HEADINGS
from reporting.measures import PROCESSES, PROJECT, Process, process_table
from reporting.page import faults
from reporting.spread import Spread, beside, in_short, number, spread_of

PAGE = ROOT / "docs" / "pytorch-vs-tensorflow.md"
EMPTY_PAGE = "# Figures\n\nBy hand.\n\n" + "\n\n".join(
    f"<!-- begin: {name} -->\n<!-- end: {name} -->\n\nAfter {name}." for name in HEADINGS
)


def log_run(store: Path, name: str, seed: int, step_seconds: float, accuracy: float) -> Process:
    """Log a run of 30 steps, the first of which are slow, whose accuracy on validation data climbs."""
    project, _, framework = name.rpartition("-")
    began = time.time()
    config = {"seed": seed, "device": "cpu"}
    with stepscope.init(project=project, name=name, config=config, store=store, console=False) as run:
        for step in range(1, 31):
            run.log({"step_time": 1.0 if step <= 10 else step_seconds, "accuracy/val": accuracy * step / 30})
        run.summary.update(train_accuracy=1.0, test_accuracy=accuracy)
    return Process(project, framework, seed, "finished", began, time.time() - began, 1.0, 100.0 + seed)


def log_processes(store: Path, processes: Sequence[Process]) -> None:
    config = {"seeds": 3, "repeat": 1, "device": "cpu", "epochs": None}
    with stepscope.init(project=PROJECT, name="all samples", config=config, store=store) as run:
        run.log({PROCESSES: process_table(processes)})


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    store, path = folder / "samples.db", folder / "page.md"
    milliseconds = {"digits-pytorch": (2, 4, 3), "digits-keras": (5, 9, 6), "gan-pytorch": (1, 1, 1)}
    accuracies = {"digits-pytorch": (0.96, 0.98, 0.97), "digits-keras": (0.95, 0.97, 0.99)}
    processes = [
        log_run(store, name, seed, times[seed] / 1000, accuracies.get(name, (0.5,) * 3)[seed])
        for seed in range(3)
        for name, times in milliseconds.items()
    ]
    log_run(store, "digits-keras", 7, 123.0, 0.1)  # of somebody else: run_all.py has not started it
    failed = Process("gan", "keras", 0, "failed", time.time(), 1.0, 1.0, 100.0, "exit status 1")
    log_processes(store, [*processes, failed])
    # Its run was deleted, so that no figure is of it.
    log_processes(store, [Process("digits", "pytorch", 9, "finished", 1.0, 1.0, 1.0, 1.0)])
    path.write_text(EMPTY_PAGE)
    printed = run_python(ROOT / "sample_runs" / "report.py", store, "--page", path)
    assert f"{len(HEADINGS)} blocks from 9 runs of 9 programs" in printed
    return path.read_text()


def block(page: str, name: str) -> str:
    return page.partition(f"<!-- begin: {name} -->")[2].partition(f"<!-- end: {name} -->")[0]


def test_it_gives_medians_with_their_spread_and_ratios_of_medians(page: str) -> None:
    row = "| digits | 3.00 ms (2.00 to 4.00; 3) | 6.00 ms (5.00 to 9.00; 3) | TensorFlow 2.00 times as much |"
    assert row in block(page, "speed")
    assert "PyTorch has more in 0 and TensorFlow has more in 1; in 0 the spreads" in block(page, "speed")


def test_it_says_where_spreads_overlap(page: str) -> None:
    told = block(page, "accuracy")
    assert "| digits | 97.0 % (96.0 to 98.0; 3) | 97.0 % (95.0 to 99.0; 3) | equal |" in told
    assert re.search(r"\| digits, 95 % \| [\d.]+ s \(.*; 3\) \| [\d.]+ s \(.*; 3\) \|", told)
    assert "| digits | 101 MiB (100 to 102; 3) | 101 MiB (100 to 102; 3) | equal |" in block(page, "speed")


def test_all_comparisons_are_counted(page: str) -> None:
    told = block(page, "overview")
    assert "| One step (less is better) | 1 | 0 | 1 | 0 |" in told
    assert "| Accuracy on the test data (more is better) | 1 | 0 | 0 | 1 |" in told


def test_a_run_without_a_twin_is_in_no_comparison(page: str) -> None:
    assert "| gan |" not in block(page, "speed")
    assert "| gan | gan-pytorch | 3 |" in block(page, "all")


def test_what_failed_is_named_as_left_out(page: str) -> None:
    assert "Not in these figures: gan in keras (failed)." in block(page, "speed")


def test_each_block_says_where_its_figures_come_from(page: str) -> None:
    command = "`python sample_runs/run_all.py --only digits gan --seeds 3 --device cpu --store samples.db`"
    assert command in block(page, "speed")
    assert "`python sample_runs/report.py samples.db`" in block(page, "speed")
    assert "--only digits --seeds" not in page
    assert re.search(
        r"; \d{4}-\d\d-\d\d, on \d+ cores of .*, [\d.]+ GB, GPU: none, .*Python 3", block(page, "speed")
    )
    assert block(page, "deployment").strip() == "No run of the store tells this."


def test_words_by_hand_stay(page: str) -> None:
    assert "By hand." in page
    assert all(f"After {name}." in page for name in HEADINGS)


def test_a_store_without_such_runs_is_refused(tmp_path: Path) -> None:
    store, path = tmp_path / "s.db", tmp_path / "page.md"
    stepscope.init(project="other", store=store).finish()
    path.write_text(EMPTY_PAGE)
    with pytest.raises(AssertionError, match=r"holds no run of run_all\.py: run it first, with --store"):
        run_python(ROOT / "sample_runs" / "report.py", store, "--page", path)
    assert path.read_text() == EMPTY_PAGE


def test_the_committed_page_has_all_figures_and_says_where_they_come_from() -> None:
    assert faults(PAGE.read_text()) == []


def test_what_is_missing_on_a_page_is_named() -> None:
    named = {"the block graph has no table", "the block graph does not name a command"}
    assert named <= set(faults(EMPTY_PAGE))
    without = EMPTY_PAGE.replace("graph -->", "graphs -->")
    assert {"the block graph is missing", "no heading is called graphs"} <= set(faults(without))


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        ((1, 2, 3), (3, 4, 5), "the spreads overlap"),
        ((1, 2, 2.5), (3, 4, 5), "TensorFlow 2.00 times as much"),
        ((9, 9), (3, 3), "PyTorch 3.00 times as much"),
        ((1,), (2, 3, 4), "TensorFlow 3.00 times as much (of one run)"),
        ((2, 3), (2, 3), "equal"),
        ((), (1,), ""),
        ((0, 0), (1, 1), "TensorFlow 1.00 more"),
    ],
)
def test_two_spreads_beside_each_other(left: tuple[float, ...], right: tuple[float, ...], said: str) -> None:
    assert beside(spread_of(left), spread_of(right)) == said


def test_a_difference_is_told_in_its_unit() -> None:
    assert beside(spread_of([90, 91]), spread_of([80, 81]), unit="points") == "PyTorch 10.0 points more"


def test_rows_in_short() -> None:
    said = ["PyTorch 2 times as much", "the spreads overlap", "equal", "TensorFlow 1 points more", ""]
    assert in_short(said) == (
        "Of 4 rows with both, PyTorch has more in 1 and TensorFlow has more in 1; "
        "in 2 the spreads overlap or are equal."
    )
    assert in_short([""]) == ""


def test_unknown_values_are_in_no_median() -> None:
    assert spread_of([None, float("nan"), 2.0, 4.0]) == Spread(3.0, 2.0, 4.0, 2)
    assert spread_of([None]) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234.5, "1,234"), (99.96, "100"), (12.34, "12.3"), (0.01234, "0.0123"), (4e-7, "4.0e-07")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text
