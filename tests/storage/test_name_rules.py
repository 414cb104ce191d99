"""Rules of the user's own: in a file beside the store, for the dashboard, for questions and for exports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import stepscope
from stepscope.app.analysis.metric_groups import by_metric
from stepscope.storage.backup import backup_store
from stepscope.storage.errors import BadInput
from stepscope.storage.location import locate
from stepscope.storage.name_rules import Naming, naming_of
from stepscope.storage.names import MetricName
from stepscope.storage.read import Reader
from stepscope.trackers.exports import export_visdom

RULES = r"""
[[name]]
pattern = 'nll(.*)'
metric = 'loss\1'

[[name]]
pattern = 'ood/(?P<what>.+)'
metric = '\g<what>'
split = "ood"

[[name]]
pattern = '(.+)@holdout'
metric = '\1'
split = "holdout"
granularity = "epoch"

[[name]]
pattern = 'Ticks'
granularity = "batch"
"""


@pytest.fixture
def naming(store_url: str) -> Naming:
    Path(store_url).with_name("stepscope.toml").write_text(RULES)
    return naming_of(locate(store_url))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nll", ("loss", None, None)),
        ("NLL/val", ("loss", "validation", None)),
        ("nll_epoch", ("loss", None, "epoch")),
        ("ood/val_acc", ("accuracy", "ood", None)),
        ("acc@holdout", ("accuracy", "test", "epoch")),
        ("ticks", ("ticks", None, "batch")),
        ("annll", ("annll", None, None)),
        ("val_loss", ("loss", "validation", None)),
    ],
)
def test_a_rule_of_the_user_comes_first(naming: Naming, name: str, expected: tuple[str, str, str]) -> None:
    assert naming.parse(name) == MetricName(*expected)


def test_a_split_of_the_context_still_wins(naming: Naming) -> None:
    assert naming.parse("ood/loss", {"split": "val"}) == MetricName("loss", "validation")


def test_rules_change_with_their_file(naming: Naming, store_url: str) -> None:
    path = Path(store_url).with_name("stepscope.toml")
    path.write_text("[[name]]\npattern = 'nll'\nmetric = 'perplexity'\n")
    assert naming_of(locate(store_url)).parse("nll").metric == "perplexity"
    path.unlink()
    assert naming_of(locate(store_url)).parse("nll") == MetricName("nll")
    assert naming.parse("nll") == MetricName("loss")


def test_a_file_that_lies_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "names.toml").write_text(RULES)
    monkeypatch.setenv("STEPSCOPE_NAMES", str(tmp_path / "names.toml"))
    assert naming_of(locate("postgresql://host/runs")).parse("nll").metric == "loss"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[name]\n", r"stepscope.toml is not written in TOML: .*Correct it, or remove it"),
        ("name = 3", r"needs each rule under a line \[\[name\]\], but `name` is 3"),
        ("[[name]]\nmetric = 'loss'", "rule 1 of .*stepscope.toml needs a text `pattern`"),
        ("[[name]]\npattern = 'a'\nmetrik = 'b'", "but it is .*metrik"),
        ("[[name]]\npattern = 'a'\nsplit = 3", "texts for `metric`, `split`"),
        ("[[name]]\npattern = 'a'\ngranularity = 'week'", '"batch" or "epoch", but got \'week\''),
        ("[[name]]\npattern = 'a'\n[[name]]\npattern = '('", "rule 2 of .* is no regular expression"),
        ("[[name]]\npattern = 'a'\nmetric = '\\2'", "is no regular expression with its replacement"),
    ],
)
def test_a_wrong_file_is_told_with_its_place(store_url: str, text: str, told: str) -> None:
    Path(store_url).with_name("stepscope.toml").write_text(text)
    with pytest.raises(BadInput, match=told):
        naming_of(locate(store_url))


def test_all_readers_see_them(naming: Naming, store_url: str, tmp_path: Path) -> None:  # noqa: ARG001
    with stepscope.init(store=store_url, name="torch") as run:
        run.log({"nll": 1.0, "nll/val": 2.0, "loss/train": 3.0, "acc@holdout": 4.0})
    with stepscope.open(store_url) as store:
        told = store.run("torch")
        assert [one.name for one in told.series(metric="loss")] == ["loss/train", "nll", "nll/val"]
        assert [one.name for one in told.series(metric="loss", split="validation")] == ["nll/val"]
        assert [one.name for one in told.series(granularity="epoch")] == ["acc@holdout"]
        assert told.last["nll"] == 1.0
    with Reader.open(store_url) as reader:
        runs = reader.runs()
        metrics = by_metric(runs, reader.series([runs[0].run_id], kind="scalar"), reader.naming())
        assert len(metrics["loss"]) == 3
        (file,) = export_visdom(reader, ["torch"], folder=tmp_path / "visdom").places
    windows = json.loads(next((tmp_path / "visdom").glob("*.json")).read_text())["jsons"]
    titles = [window["title"] for window in windows.values()]
    assert "loss" in titles, (file, titles)
    assert not any(title == "nll" for title in titles)


def test_a_backup_takes_them_along(naming: Naming, store_url: str, tmp_path: Path) -> None:  # noqa: ARG001
    stepscope.init(store=store_url).finish()
    copy = backup_store(locate(store_url), _folder(tmp_path / "copy")).path
    assert naming_of(locate(copy)).parse("nll").metric == "loss"
    (copy.parent / "stepscope.toml").write_text("")
    backup_store(locate(store_url), copy.with_name("second.db"))
    assert naming_of(locate(copy)) == Naming()


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
