"""What the hooks share: names, notices, and words for what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stepscope
from stepscope.storage.errors import BadInput
from stepscope.trackers.hooks.output import Output
from stored import Stored
from support import run_python


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    with stepscope.init() as run:
        yield run


def test_a_name_comes_behind_the_first_part(run: Any) -> None:
    named = Output(run, "generator", "TorchTracker")
    named.log({"weights/0/bias": stepscope.Histogram(np.ones(1)), "gradient_norm": 1.0}, 3)
    plain = Output(run, None, "TorchTracker")
    plain.log({"gradient_norm": 2.0, "learning_rate/1": 0.1}, 3)
    stored = Stored(run)
    assert stored.names() == {
        "weights/generator/0/bias", "gradient_norm/generator", "gradient_norm", "learning_rate/1",
    }  # fmt: skip
    assert stored.scalar("gradient_norm/generator") == {3: 1.0}
    assert stored.records("histogram", "weights/generator/0/bias")[3].count == 1


def test_one_name_for_two_models_is_told_once(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    first, second, again = (Output(run, None, "KerasTracker") for _ in range(3))
    one, other = object(), object()
    first.claim(one)
    again.claim(one)
    Output(run, "other", "KerasTracker").claim(other)
    assert "same series" not in caplog.text
    second.claim(other)
    second.claim(other)
    assert caplog.text.count('KerasTracker(..., name="generator")') == 1


def test_a_closed_tracker_gives_its_name_back(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    first, second = Output(run, None, "TorchTracker"), Output(run, None, "TorchTracker")
    first.claim(object())
    first.release()
    second.claim(object())
    first.release()
    assert "same series" not in caplog.text


@pytest.mark.parametrize("name", ["", 5])
def test_a_wrong_name_is_told_and_left_out(run: Any, caplog: pytest.LogCaptureFixture, name: Any) -> None:
    assert Output(run, name, "TorchTracker").name("gradient_norm") == "gradient_norm"
    assert f'TorchTracker needs a name such as "generator", but got {name!r}' in caplog.text


@pytest.mark.parametrize("wrong", [5, None, "run"])
def test_what_is_no_run_is_refused(wrong: Any) -> None:
    expected = f"TorchTracker needs the run that stepscope.init returned .* but got {type(wrong).__name__}$"
    with pytest.raises(BadInput, match=expected):
        Output(wrong, None, "TorchTracker")


@pytest.mark.parametrize(
    ("module", "framework", "extra"),
    [
        ("pytorch", "torch", "torch"),
        ("keras", "keras", "tensorflow"),
        ("tensorflow", "tensorflow", "tensorflow"),
    ],
)
def test_a_framework_that_is_missing_is_named_with_its_extra(module: str, framework: str, extra: str) -> None:
    told = run_python(
        "-c",
        f"import sys; sys.modules[{framework!r}] = None\n"
        "from importlib import import_module\n"
        "from stepscope.storage.errors import MissingExtra\n"
        f"try: import_module('stepscope.trackers.{module}')\n"
        "except MissingExtra as error: print(error)",
    )
    assert f'pip install "stepscope[{extra}]"' in told
    assert "Tracker needs packages that are not installed" in told
