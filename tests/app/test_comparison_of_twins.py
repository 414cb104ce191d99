"""What a comparison says of a pair that did one task in two frameworks: splits, programs, costs."""

from __future__ import annotations

import json
import math
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import stepscope
from made_runs import compared
from stepscope.app.cli import main
from stepscope.app.comparison import result_tables, tables
from stepscope.app.comparison.changes import code_difference
from stepscope.app.comparison.compare import Comparison
from stepscope.app.comparison.costs import FIRST_STEP, STARTUP, Process, process_of
from stepscope.app.comparison.curves import Axis
from stepscope.app.comparison.programs import Lines, Program, lines_of, program_of
from stepscope.app.comparison.repeats import repeated, spreads
from stepscope.app.comparison.words import in_short
from stepscope.app.report import Shown, document
from stepscope.app.views.words import NOTHING, TIMES

PROGRAM = '''"""Train.

More of it.
"""

import torch  # the framework
import stepscope
from stepscope.trackers import pytorch as hooks

# A comment.
model = watch(
    1
)


def loss_of(x):
    """Return it."""
    text = """two
    lines"""
    return x


run = stepscope.init(
    project="p",
)
model = hooks.watch(model)
for step in range(3):
    loss = loss_of(model)
    if step: run.log({"loss": loss})
with stepscope.init() as other:
    other.finish()
'''


def twin(
    store: str, monkeypatch: pytest.MonkeyPatch, script: Path, summary: dict[str, Any], **logged: float
) -> str:
    """Log a run that looks as if that script had made it; each metric twice, the second one worse."""
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    with stepscope.init(store=store, project="twins", name=script.stem) as run:
        for step in (1, 2):
            run.log({name.replace("__", "/"): value + step / 10 for name, value in logged.items()}, step=step)
        run.summary.update(summary)
        return run.id


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Comparison]:
    """A store with two runs, of which one logs its test loss and the other one tells it in the summary."""
    tmp_path = tmp_path_factory.mktemp("twins")
    store_url = str(tmp_path / "stepscope.db")
    monkeypatch = pytest.MonkeyPatch()
    scripts = tmp_path / "twin_torch.py", tmp_path / "twin_keras.py"
    scripts[0].write_text(PROGRAM)
    scripts[1].write_text("import stepscope\nstepscope.init()\n")
    told = {"train_accuracy": 0.9, "seconds_to_first_step": 2.0, "note": "a"}
    one = twin(store_url, monkeypatch, scripts[0], told, loss=1.0, val_loss=2.0, test_loss=3.0)
    told = {"train_accuracy": 0.8, "test_loss": 2.5, "seconds_to_first_step": 5.0, "test_samples": 360}
    two = twin(store_url, monkeypatch, scripts[1], told, loss__train=1.5, loss__val=2.5)
    monkeypatch.undo()
    return store_url, compared(store_url, [one, two])


@pytest.fixture
def pair(twins: tuple[str, Comparison]) -> Comparison:
    """The two of them, compared."""
    return twins[1]


def lines(sheet: Any) -> list[list[str]]:
    return [list(row.cells) for row in sheet.rows]


def test_splits_are_columns_of_one_row(pair: Comparison) -> None:
    first, *_ = result_tables.results(pair)
    assert first.head == (
        "Metric", "Run", "Train", "Validation", "Test", "best on train", "best on validation", "best on test",
    )  # fmt: skip
    assert lines(first) == [
        ["loss", "twin_torch", "1.2 ★", "2.2 ★", "3.2", "1.1 ★ at 1", "2.1 ★ at 1", "3.1 at 1"],
        ["loss", "twin_keras", "1.7", "2.7", "2.5 ★ †", "1.6 at 1", "2.6 at 1", ""],
        ["accuracy", "twin_torch", "0.9 ★", "", "", "", "", ""],
        ["accuracy", "twin_keras", "0.8", "", "", "", "", ""],
    ]
    assert "† is of the summary, beside the last value that others logged" in first.note
    assert "Final values are those of the summary" in first.note


def test_a_loss_without_a_split_is_that_of_the_training_beside_others(pair: Comparison) -> None:
    row = next(one for one in pair.metrics if one.key == ("loss", "train"))
    assert all(row.cells)
    assert not any(one.key == ("loss", None) for one in pair.metrics)


def test_summaries_are_aligned_with_their_multiple(pair: Comparison) -> None:
    (sheet,) = (one for one in result_tables.results(pair) if one.title == "Summary")
    told = {row.cells[0]: row.cells[1:] for row in sheet.rows}
    assert told == {
        "seconds_to_first_step": ("2 ★", f"5 (2.50\u00a0{TIMES})"),
        "note": ("a", NOTHING),
        "test_samples": (NOTHING, "360"),
    }


def test_in_short_tells_what_each_of_them_reached_and_took(pair: Comparison) -> None:
    row = next(one for one in pair.metrics if one.key == ("loss", "validation"))
    told = in_short(pair, row, None, [])
    assert told[0] == "Final loss · validation: twin_torch 2.2, twin_keras 2.7."
    assert told[1] == (
        "Final loss on test data: twin_torch 3.2 (1.2 on train data), twin_keras 2.5 (1.7 on train data)."
    )
    assert "Lines of code: twin_torch 19, 9 of them Stepscope's; twin_keras 2, 2 of them Stepscope's." in told


def test_lines_of_code_without_blanks_comments_and_docstrings() -> None:
    assert lines_of(PROGRAM) == Lines(code=19, tracker=9)
    assert lines_of("# nothing\n\n") == Lines(0, 0)
    assert lines_of("import stepscope.trackers.keras as k; k.x()\nmy_stepscope = 1\n") == Lines(2, 1)
    assert lines_of("print 'Python 2'") is None
    assert lines_of("%matplotlib inline") is None


def test_what_a_program_is_written_like_is_no_warning_of_this_one() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lines_of('pattern = "\\d"\nif pattern is "x":\n    pass\n') == Lines(3, 0)


def test_the_sentence_and_the_spread_tell_the_final_values_of_the_table(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "seeds.py"
    script.touch()
    ids = [
        twin(store_url, monkeypatch, script, {"train_loss": final}, loss__train=1.0) for final in (0.4, 0.6)
    ]
    found = compared(store_url, ids)
    (row,) = found.metrics
    assert row.last == (1.2, 1.2)
    assert in_short(found, row, None, [])[0].endswith(" 0.6.")
    assert "0.4" in in_short(found, row, None, [])[0]
    (spread,) = spreads(found, repeated(found))
    assert spread.values == (0.4, 0.6)


def test_a_summary_may_hold_any_number_and_splits_keep_their_order(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "odd.py"
    script.touch()
    odd = {
        "test_accuracy": 10**400,
        "train_loss": -(10**400),
        "seconds_a_step": 10**400,
        "test_loss": math.nan,
    }
    usual = {"test_accuracy": 0.5, "train_loss": 1, "seconds_a_step": 2, "test_loss": 0.5}
    found = compared(store_url, [twin(store_url, monkeypatch, script, told) for told in (odd, usual)])
    first, told = result_tables.results(found)
    assert first.head == ("Metric", "Run", "Train", "Test")
    assert [row[2:] for row in lines(first)] == [["", "∞"], ["", "0.5"], ["-∞", "NaN"], ["1", "0.5"]]
    assert lines(told) == [["seconds_a_step", "∞", f"2 (0.00\u00a0{TIMES})"]]


def test_programs_are_shown_beside_each_other(pair: Comparison) -> None:
    sheet = tables.programs(pair)
    assert lines(sheet) == [
        ["Script", "twin_torch.py", "twin_keras.py"],
        ["Lines of code", "19", "2"],
        ["of which Stepscope's", "9", "2"],
        ["without them", "10", "0"],
    ]
    assert [names for names, _ in tables.program_texts(pair)] == ["twin_torch", "twin_keras"]
    colours = {one.run.run_id: "#0072B2" for one in pair.runs}
    page = document(pair, Shown("s", colours, Axis.STEP, None, None, {}))
    assert "<h2>The code each took</h2>" in page
    assert "run = stepscope.init(\n    project=&quot;p&quot;,\n)" in page


def test_a_program_that_was_cut_or_is_none() -> None:
    assert program_of({}) is None
    cut = program_of({"program": {"path": "C:\\runs\\train.py", "text": "x = 1\n" * 5000, "truncated": True}})
    assert cut
    assert (cut.name, cut.lines) == ("train.py", None)
    assert tables.shown_text(cut).splitlines()[-1] == "… only the first 1,000 lines are shown"
    assert Program("a/b.py", "x = (", False, lines_of("x = (")).lines is None


def test_two_programs_of_one_commit_are_not_the_same_code() -> None:
    def of(name: str, text: str, git: dict[str, Any] | None) -> dict[str, Any]:
        return {"git": git, "program": {"path": f"/x/{name}", "text": text, "truncated": False}}

    commit = {"commit": "abc", "branch": "main", "diff": ""}
    found = code_difference(of("a.py", "1", commit), of("b.py", "1", commit))
    assert not found.same
    assert found.said.endswith("but not the same program: a.py and b.py.")
    assert code_difference(of("a.py", "1", commit), of("a.py", "1", commit)).same
    # Of runs that kept none, the command tells the name.
    ran = [{"git": commit, "command": f"python runs/{name}.py --lr 1"} for name in ("a", "b")]
    assert code_difference(*ran).said.endswith("but not the same program: a.py and b.py.")
    assert code_difference(ran[0], ran[0]).same
    # Outside of a repository, the programs are all that is known.
    assert code_difference(of("a.py", "1", None), of("a.py", "1", None)).same
    changed = code_difference(of("a.py", "x = 1", None), of("a.py", "x = 2", None))
    assert changed.diff.splitlines()[-2:] == ["-x = 1", "+x = 2"]
    assert "two programs: a.py and b.py" in code_difference(of("a.py", "1", None), of("b.py", "2", None)).said


def test_what_the_process_took(pair: Comparison) -> None:
    costs = {cost.name: cost.values for cost in pair.costs}
    assert all(value and value > 0.01 for value in costs["Peak memory of the process"])
    assert all(value is not None and 0 <= value < 30 for value in costs[FIRST_STEP])
    # The second run of a process began long after it: what came before is not its start.
    assert costs.get(STARTUP, (None, None))[1] is None
    note = tables.costs(pair, pair.costs).note
    assert "The process of twin_keras had" in note
    assert not any("Peak memory" in told for told in in_short(pair, None, None, []))
    alone = replace(pair, runs=tuple(replace(one, environment={}) for one in pair.runs))
    assert any("Peak memory of the process: twin_torch" in told for told in in_short(alone, None, None, []))
    assert "compiled by then" in note
    assert process_of({"process": {"started": 1.0, "runs_before": 2}}) == Process(1.0, None, 2)


def test_the_largest_process_of_all_ranks_counts(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        run.log({"loss": 1.0, "system/process_memory_gb": 900.0})
    costs = {cost.name: cost.values for cost in compared(store_url, [run.id]).costs}
    assert costs["Peak memory of the process"] == (900.0,)


def test_a_first_value_that_is_late_is_said(store_url: str) -> None:
    ids: list[str] = []
    for first in (1, 50):
        with stepscope.init(store=store_url, name=f"from {first}") as run:
            run.log({"loss": 1.0}, step=first)
            ids.append(run.id)
    found = compared(store_url, ids)
    assert "from 50 logged its first value at step 50" in tables.costs(found, found.costs).note
    assert "from 1 logged" not in tables.costs(found, found.costs).note


def test_batches_are_averaged_at_the_epochs_of_the_other_run(store_url: str) -> None:
    with stepscope.init(store=store_url) as torch:
        for step in range(1, 41):
            torch.log({"loss/train": float(step)}, step=step)
    with stepscope.init(store=store_url) as keras:
        for step in (10, 20, 30, 40):
            keras.log({"epoch_loss": 100.0}, step=step)
    (row,) = compared(store_url, [torch.id, keras.id]).metrics
    assert row.last == (35.5, 100.0)
    assert [one.value for one in row.best if one] == [5.5, 100.0]


def test_a_mean_does_not_hide_that_a_run_ended_without_a_number(store_url: str) -> None:
    ids: list[str] = []
    for _ in range(2):
        with stepscope.init(store=store_url) as run:
            run.log({"loss": 1.0})
            run.log({"loss": float("nan")})
            ids.append(run.id)
    found = compared(store_url, ids)
    assert in_short(found, found.metrics[0], None, [])[0] == "No run ended with a number of loss."


def test_the_command_tells_all_of_it_as_json(
    twins: tuple[str, Comparison], capsys: pytest.CaptureFixture[str]
) -> None:
    store_url, pair = twins
    names = [one.run.run_id for one in pair.runs]
    assert main(["compare", *names, "--store", store_url, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (loss,) = (one for one in found["splits"] if one["metric"] == "loss")
    assert [one["final"] for one in loss["test"]] == [3.2, 2.5]
    assert [one["told"] for one in loss["test"]] == [False, True]
    assert found["summary"]["seconds_to_first_step"] == [2.0, 5.0]
    assert found["programs"][0]["text"] == PROGRAM
    assert [one["lines"]["code"] for one in found["programs"]] == [19, 2]
