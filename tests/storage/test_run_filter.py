"""Filters of runs: what passes, what is refused, and with which words."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from stepscope.storage.errors import BadInput
from stepscope.storage.model import RunState
from stepscope.storage.run_filter import FIELDS, parse_filter
from stepscope.storage.stored_run import StoredRun
from support import ROOT

RUN = SimpleNamespace(
    id="A",
    name="größe",
    project="digits",
    group=None,
    state=RunState.FINISHED,
    tags=("baseline", "v2"),
    notes="",
    framework="torch",
    host="h",
    attempt=0,
    created_at=1e9,
    updated_at=1e9,
    finished_at=None,
    duration=60.0,
    config={"lr": 0.01, "optimizer": {"name": "adam"}, "augment": True, "a.b": 1, "seed": 2**60 + 1},
    summary={"best": 0.9},
    last={"loss": 0.25, "val/loss": 0.3, "bad": math.nan, "loss [rank=1]": 2.0},
)


def passes(text: str, run: Any = RUN) -> bool:
    return parse_filter(text).matches(run)


@pytest.mark.parametrize(
    "text",
    [
        'config.lr < 0.1 and last["val/loss"] <= 0.3 and "baseline" in tags and state == "finished"',
        'config.optimizer.name == "adam"',
        'config["optimizer"]["name"] in ("adam", "sgd")',
        'config["a.b"] == 1',
        "config.seed == 1152921504606846977",
        "0.001 < config.lr < 0.1 < duration",
        "config.augment and not config.pruned",
        "finished_at is None and group is None",
        'state in ("finished", "failed") and state not in ["killed"] and state != "failed"',
        '"fin" in state and state in "finished failed" and state != None',
        'last.loss > -1 or config.nothing == "x"',
        'last["loss [rank=1]"] == 2',
        '"öß" in name',
        '  (\n summary.best > 0.5 and\n framework != "keras")  ',
        "last.bad != last.bad",
        "config.missing is None",
        'config.lr != "a text"',
        "config.missing != 3 and config.missing not in (1, 2)",
        'tags == ["baseline", "v2"] and tags != ("v2", "baseline")',
    ],
)
def test_what_passes(text: str) -> None:
    assert passes(text)
    assert not passes(f"not ({text.strip()})")


@pytest.mark.parametrize(
    "text",
    [
        "config.lr < config.missing",
        "last.missing < 1",
        'config.lr < "a text"',
        '"x" in config.lr',
        '"x" not in config.missing',
        "last.bad < 1 or last.bad > 1",
        "config.optimizer.name.deeper == 1",
        "config.lr.deeper > 0",
    ],
)
def test_what_is_missing_or_of_another_type_makes_a_comparison_false(text: str) -> None:
    assert not passes(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config.lr <", r"filter 'config\.lr <', column 12: invalid syntax\. Write comparisons of fields"),
        ("", r"filter '', column 1: "),
        ("__import__('os')", r"column 1: `__import__\('os'\)`: Call is not allowed"),
        ("state == 'finished' and len(tags) > 1", r"column 25: `len\(tags\)`: Call is not allowed"),
        ("'größe' == name and lr < 1", r"column 21: `lr`: there is no field 'lr'\."),
        ("proyect == 'a'", r"column 1: `proyect`: there is no field 'proyect'\. Near names: 'project'"),
        ("name.upper == 'A'", r"`name\.upper`: only config, summary, last have entries, not 'name'"),
        ("config.lr +\\\n 1 < 2", r"BinOp is not allowed"),
        ("(config.lr < 1 and\n oops)", r"line 2, column 2: `oops`: there is no field 'oops'"),
        ("config[0] == 1", r"`config\[0\]`: Subscript is not allowed"),
        ("config.lr < 1j", r"`1j`: Constant is not allowed"),
        ("[run for run in tags]", "ListComp is not allowed"),
        ("lambda: 1", "Lambda is not allowed"),
        ("f'{name}' == 'a'", "JoinedStr is not allowed"),
        ("(name := 'a')", "NamedExpr is not allowed"),
        ("name == 'a'\0", "null byte"),
        ("state == 'done'", "a state is one of running, finished, failed, killed, but not 'done'"),
        ("state == 'finish'", "column 10: `'finish'`: a state is one of"),
        ("'done' == state", "column 1: `'done'`: a state is one of"),
        ("state != 'finnished'", "a state is one of .*, but not 'finnished'"),
        ("state in ('finished', 'finnished')", "column 23: `'finnished'`: a state is one of"),
        ("not state in ['done']", "a state is one of .*, but not 'done'"),
        ("state not in ('done')", "a state is one of .*, but not 'done'"),
        ("attempt == 0 and 'x' in state", "a state is one of .*, but not 'x'"),
        ("not " * 50_000 + "name", "column 1: "),
        (
            "config" + ".a" * 900,
            r"filter 'config(\.a){147}…', column 1: it is nested more than 100 levels deep",
        ),
        ("not " * 101 + "name", "nested more than 100 levels deep"),
        ("a" * 100_000, r"column 1: `a{300}`: there is no field 'a{281}\. Write"),
    ],
)
def test_what_is_refused_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse_filter(text)


def test_a_wide_expression_is_not_a_deep_one() -> None:
    assert passes(" or ".join(["duration < 1"] * 10_000 + ["duration > 1"]))
    assert passes("not " * 96 + 'name == "größe"')


def test_what_the_store_can_choose_is_known() -> None:
    found = parse_filter('config.lr < 1 and (project == "digits" and state == "killed")')
    assert (found.project, found.state) == ("digits", RunState.KILLED)
    for text in (
        'project == "digits" or state == "killed"',
        'not project == "digits"',
        'project != "digits"',
    ):
        assert (parse_filter(text).project, parse_filter(text).state) == (None, None)


def test_the_filters_that_the_guide_shows() -> None:
    words = (
        (ROOT / "docs" / "guide" / "query.md").read_text().partition("## Filters")[2].partition("\n## ")[0]
    )
    shown = [line for line in words.splitlines() if line.startswith("    ")]
    assert [parse_filter(text) for text in shown]


def test_each_field_is_one_of_a_run() -> None:
    assert [name for name in FIELDS if not hasattr(StoredRun, name)] == []
