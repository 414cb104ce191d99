"""`run.config` and `run.summary`: dictionaries that store what changes."""

from __future__ import annotations

import argparse
import copy
import dataclasses
import enum
import json
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stepscope.storage.errors import BadInput
from stepscope.trackers.tracked_dict import TrackedDict, as_config, plain


@pytest.fixture
def changes() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def config(changes: list[dict[str, Any]]) -> TrackedDict:
    return TrackedDict({"lr": 0.1, "epochs": 3}, changes.append)


def test_every_change_is_told_whole(config: TrackedDict, changes: list[dict[str, Any]]) -> None:
    config["lr"] = 0.2
    config.momentum = 0.9
    del config["epochs"]
    config.update({"a": 1}, b=2)
    assert config.pop("a") == 1
    assert config.setdefault("c", 3) == 3
    assert changes[:2] == [{"lr": 0.2, "epochs": 3}, {"lr": 0.2, "epochs": 3, "momentum": 0.9}]
    assert changes[3] == {"lr": 0.2, "momentum": 0.9, "a": 1, "b": 2}
    assert len(changes) == 6
    assert changes[-1] == dict(config) == {"lr": 0.2, "momentum": 0.9, "b": 2, "c": 3}


def test_it_reads_as_a_dict_and_as_an_object(config: TrackedDict, changes: list[dict[str, Any]]) -> None:
    assert (config["lr"], config.lr, config.get("none"), len(config)) == (0.1, 0.1, None, 2)
    assert list(config) == ["lr", "epochs"]
    assert "lr" in config
    assert {**config} == {"lr": 0.1, "epochs": 3}
    assert repr(config) == "{'lr': 0.1, 'epochs': 3}"
    assert config == {"lr": 0.1, "epochs": 3}
    assert not changes
    with pytest.raises(AttributeError, match=r"there is no entry 'lrr'; there are \['lr', 'epochs'\]"):
        config.lrr  # noqa: B018
    with pytest.raises(KeyError):
        config["lrr"]


def test_what_was_told_does_not_change_later(config: TrackedDict, changes: list[dict[str, Any]]) -> None:
    config["a"] = 1
    config["b"] = 2
    assert "b" not in changes[0]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])  # noqa: S301
def test_a_copy_is_a_plain_dict(config: TrackedDict, changes: list[dict[str, Any]], copied: Any) -> None:
    found = copied(config)
    assert type(found) is dict
    assert found == {"lr": 0.1, "epochs": 3}
    found["lr"] = 5
    assert config["lr"] == 0.1
    assert not changes


@dataclasses.dataclass
class Settings:
    lr: float = 0.1
    layers: tuple[int, ...] = (1, 2)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, {}),
        ({"lr": 0.1, 5: "five"}, {"lr": 0.1, "5": "five"}),
        (OrderedDict(a=1), {"a": 1}),
        (argparse.Namespace(lr=0.1, path=Path("x")), {"lr": 0.1, "path": "x"}),
        (Settings(), {"lr": 0.1, "layers": [1, 2]}),
        (TrackedDict({"a": 1}, print), {"a": 1}),
    ],
)
def test_configs_of_any_form(config: Any, expected: dict[str, Any]) -> None:
    assert as_config(config) == expected


@pytest.mark.parametrize("config", [5, "lr=0.1", [("lr", 0.1)], Settings])
def test_what_is_no_config_is_refused(config: Any) -> None:
    with pytest.raises(
        BadInput, match=r"config needs a dict, an argparse\.Namespace or a dataclass, but got \w+\. Pass vars"
    ):
        as_config(config)


class Unreadable(dict[str, Any]):
    """A mapping that does not give its entries."""

    def items(self) -> Any:
        raise RuntimeError("no entries")


class Unwilling:
    """What looks like a number of numpy's, and is none."""

    ndim = 0

    def item(self) -> float:
        raise RuntimeError("no number")

    def __str__(self) -> str:
        return "unwilling"


def nested(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


def test_a_config_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(BadInput, match=r"cannot be read: Unreadable does not give its entries\. Pass a dict"):
        as_config(Unreadable(lr=0.1))


class Colour(enum.Enum):
    RED = "r"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.array(2.5), 2.5),
        (np.longdouble(0.5), "0.5"),
        (1j, "1j"),
        (np.complex64(1j), "1j"),
        (np.array([1, 2]), "[1 2]"),
        (Colour.RED, "Colour.RED"),
        (Path("a/b"), "a/b"),
        (b"x", "b'x'"),
        ((1, {"a": np.float64(2)}), [1, {"a": 2.0}]),
        ({3}, [3]),
        ([Unwilling(), 1], ["unwilling", 1]),
        ({"a": Unreadable(b=1), "c": 2}, {"a": "{'b': 1}", "c": 2}),
        (10**3999, 10**3999),
        ([-(10**5000), 1], ["<int of 16610 bits>", 1]),
        (nested(10), nested(10)),
    ],
)
def test_any_value_becomes_what_json_can_hold(value: Any, expected: Any) -> None:
    found = plain(value)
    assert found == expected
    json.dumps(found)


def test_what_is_too_deep_is_cut_and_costs_nothing_else() -> None:
    found = plain({"deep": nested(100_000), "lr": 0.1})
    assert found["lr"] == 0.1
    assert len(json.dumps(found)) < 500


def test_torch_values_become_plain() -> None:
    torch = pytest.importorskip("torch")
    assert plain(torch.tensor(0.5)) == 0.5
    assert plain(torch.float32) == "torch.float32"
    assert plain(torch.device("cpu")) == "cpu"
