"""Filters of runs: what passes, what is refused, and with which words."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stepscope.storage.errors import BadInput
from stepscope.storage.filter_words import words_of
from stepscope.storage.model import LastValues, RunState, SeriesName
from stepscope.storage.run_filter import FIELDS, FilterMistake, parse_filter
from stepscope.storage.run_metrics import RunMetrics
from stepscope.storage.stored_run import StoredRun
from support import ROOT

METRICS = {
    # as it was logged -> last, min, max
    "loss": (0.25, 0.1, 2.0),
    "val_loss": (0.3, 0.2, 0.9),
    "epoch_accuracy": (0.75, 0.5, 0.8),
    "batch_accuracy": (0.9, 0.0, 1.0),
    "bad": (math.nan, math.nan, math.nan),
    "my metric": (7.0, 7.0, 7.0),
    "lr": (5.0, 5.0, 5.0),
}


def metric(name: str, which: str = "last") -> float | None:
    values = np.array(list(METRICS.values()))
    one_run = np.zeros(len(METRICS), np.int64)
    names = tuple(SeriesName(one, "scalar") for one in METRICS)
    last, low, high = values[:, 0], values[:, 1], values[:, 2]
    found = LastValues(("A",), names, one_run, np.arange(len(METRICS)), last, low, high, one_run)
    return RunMetrics(found).of(0, name, which)


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
    age=7200.0,
    config={"lr": 0.01, "optimizer": {"name": "adam"}, "augment": True, "a.b": 1, "seed": 2**60 + 1},
    summary={"best": 0.9},
    last={"loss": 0.25, "val/loss": 0.3, "bad": math.nan, "loss [rank=1]": 2.0},
    metric=metric,
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
        # Names alone
        'lr < 0.1 and framework == "torch" and val/loss.min < 0.3 and "baseline" in tags',
        "optimizer.name == 'adam' and a.b == 1 and augment and not pruned",
        "loss == 0.25 and loss.last == 0.25 and loss.min == 0.1 and loss.max == 2",
        "val_loss.min == 0.2 and validation/loss.min == 0.2 and train/loss is none",
        "accuracy == 0.75 and accuracy.max == 0.8 and batch_accuracy == 0.9",
        "`my metric` == 7 and `my metric`.min == 7",
        "bad != bad and bad.min is none",
        "best == 0.9 and best is not none",
        "augment == true and augment is TRUE and not (lr > 1_000 OR lr < -1e3)",
        r"name != 'a\'b\n' and lr >= .01 and lr<=1e-2",
        'last.val/loss == 0.3 and config["optimizer"].name == "adam"',
        "age == 2h and 90min < age < 0.5d and age < 1w and duration == 60s and duration == 1min",
        'lr in (0.01) and lr not in (1) and framework in ("torch") and name not in ("größe und mehr")',
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
        (
            "config.lr <",
            r"filter 'config\.lr <', column 12: a name, a number .* expected here, but the end came",
        ),
        ("", r"filter '', column 1: a name, a number or a text is expected here, but the end came\. Write"),
        ("__import__('os')", r"column 1: `__import__\(`: a filter calls no functions"),
        ("state == 'finished' and len(tags) > 1", r"column 25: `len\(`: a filter calls no functions"),
        ("name.upper == 'A'", "column 1: only config, summary, last have entries, not 'name'"),
        ("name.upper() == 'A'", r"column 1: `name\.upper\(`: a filter calls no functions"),
        ("lr + 1 < 2", r"column 4: \+ is not allowed: a filter compares, it does not calculate"),
        ("(config.lr < 1 and\n oops oops)", r"line 2, column 7: the \( of column 1 has no \) here"),
        ("config[0] == 1", r'column 8: after a name, \[ is followed by a text: config\["a name"\]'),
        ("lr = 1", "column 4: '=' is not allowed: write =="),
        ("lr < 1 && loss < 2", "column 8: '&' is not allowed: write and"),
        ("lr < 1 loss < 2", "column 8: 'loss' follows where and, or, or the end is"),
        ("lambda: 1", "column 7: ':' is not allowed"),
        ("name == 'a", "column 9: the text that begins here has no ' at its end"),
        ("name == 'a'\0", r"column 12: '\\x00' is not allowed"),
        ("'baseline'", "column 1: 'baseline' stands alone: compare it with a name"),
        ("lr < 1 and (1, 2)", r"column 12: \( stands alone: compare it with a name"),
        ("not 1 < 2 or 3", "column 14: 3 stands alone"),
        ("lr is 1", "column 7: `is` is followed by none, true or false: write == or !="),
        ("lr < " + "9" * 5000, r"column 6: 9{40} is no number"),
        ("lr in (1, 2", r"column 12: the \( of column 7 has no \) here"),
        ("state == 'done'", "a state is one of running, finished, failed, killed, but not 'done'"),
        ("state == 'finish'", "column 10: a state is one of"),
        ("'done' == state", "column 1: a state is one of"),
        ("state != 'finnished'", "a state is one of .*, but not 'finnished'"),
        ("state in ('finished', 'finnished')", "column 23: a state is one of"),
        ("not state in ['done']", "a state is one of .*, but not 'done'"),
        ("state not in ('done')", "a state is one of .*, but not 'done'"),
        ('tags == "v2"', 'column 1: tags are a list: write "v2" in tags'),
        ("lr < 1 and 'v2' != tags", "column 20: tags are a list: write 'v2' not in tags"),
        ("attempt == 0 and 'x' in state", "a state is one of .*, but not 'x'"),
        ("not " * 50_000 + "name", "column 401: it is nested more than 100 levels deep"),
        ("(" * 101 + "name", "column 101: it is nested more than 100 levels deep"),
    ],
)
def test_what_is_refused_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(FilterMistake, match=message):
        parse_filter(text)


def test_a_name_that_no_run_has_is_told_with_near_ones() -> None:
    found = parse_filter("lr < 1 and\n vall/loss.min < 2 and nothing is none")
    (first, second) = found.missing([RUN])
    assert (first.value, second.value) == ("vall/loss.min", "nothing")
    told = r"line 2, column 2: there is no field, config entry or metric 'vall/loss\.min' in any run\. Near"
    assert isinstance(found.mistake(first, ["val/loss"]), BadInput)
    with pytest.raises(FilterMistake, match=told + r" names: 'val/loss'\. Write"):
        raise found.mistake(first, ["val/loss"])


def test_a_text_without_quotes_is_told_where_it_should_have_some() -> None:
    found = parse_filter("framework == torchh")
    (word,) = found.missing([RUN])
    with pytest.raises(
        FilterMistake, match=r'\'torchh\' in any run\. A text stands in quotes: "torchh"\. Write'
    ):
        raise found.mistake(word, ["lr"])


WORDS = [
    *(
        "lr",
        "val/loss.min",
        "__import__('os')",
        "config",
        ".",
        "[",
        "]",
        "(",
        ")",
        '"a"',
        "'",
        "`",
        "and",
        "or",
    ),
    *("not", "in", "is", "none", "<", "==", "=", "-1", "1e9", ",", "state", "tags", "\\", "{0}"),
]
TEXTS = st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=12).map(" ".join)


@given(TEXTS)
@example("().__class__.__bases__[0].__subclasses__()")
@example("config.__class__ == 1 or name.__class__")
def test_whatever_is_written_is_a_filter_or_a_mistake_and_reaches_nothing_else(text: str) -> None:
    try:
        found = parse_filter(text)
    except FilterMistake:
        return
    assert found.matches(RUN) in (True, False)
    # What it asks of a run are fields, entries of mappings and metrics: never an attribute that it names.
    asked: list[str] = []

    class Watched:
        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            return getattr(RUN, name)

    found.matches(Watched())
    assert set(asked) <= {*FIELDS, "metric"}


@given(st.text(max_size=20), st.floats(allow_nan=False), st.integers())
def test_texts_and_numbers_are_read_as_they_are_written(text: str, number: float, whole: int) -> None:
    written = text.replace("\\", "\\\\").replace('"', '\\"')
    assert words_of(f'"{written}"', lambda at, what: FilterMistake("", at, what))[0].value == text
    run = SimpleNamespace(**{**vars(RUN), "name": text, "config": {"x": number, "n": whole}})
    finite = f" and x == {number!r}" if math.isfinite(number) else ""
    assert passes(f'name == "{written}" and n == {whole}{finite}', run)


def test_a_wide_expression_is_not_a_deep_one() -> None:
    assert passes(" or ".join(["duration < 1"] * 10_000 + ["duration > 1"]))
    assert passes("not " * 96 + 'name == "größe"')
    assert passes("(" * 90 + 'name == "größe"' + ")" * 90)


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
