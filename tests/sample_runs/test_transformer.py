"""A tiny language model under Hugging Face's Trainer, and its twin in Keras, hang on the same charts."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from sample_runs.sampling import Samples, finished_run, metrics_of, names_of
from stepscope.storage.read import Reader

FRAMEWORKS = ("pytorch", "keras")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> Path:
    if importlib.util.find_spec("transformers") is None:
        pytest.skip("transformers is not installed")
    store = tmp_path_factory.mktemp("transformer") / "s.db"
    for framework in FRAMEWORKS:
        samples.run(f"transformer_{framework}", "--epochs", "2", store=store)
    return store


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_it_shows_how_texts_go_on(store: Path, framework: str) -> None:
    with Reader.open(store) as reader:
        run = finished_run(reader, f"transformer-{framework}")
        (texts,) = reader.series(run.run_id, kind="text")
        records = reader.records(texts)
        assert (texts.name, len(records)) == ("texts", 2)  # one after each epoch
        given, said = reader.load(texts, records[-1]).text.split("\n\n")[0].split(" goes on ")
        assert (given.count(","), said.count(",")) == (3, 11)
        assert {"train_loss", "train_accuracy", "test_loss", "test_accuracy"} <= set(run.summary)
        assert names_of(reader, run.run_id, "graph") == {"model"}


def test_both_hang_on_one_chart_per_metric(store: Path) -> None:
    with Reader.open(store) as reader:
        of_torch, of_keras = (
            metrics_of(reader, reader.find_run(f"transformer-{framework}").run_id) for framework in FRAMEWORKS
        )
    # The Trainer measures its metrics on validation data alone.
    assert of_keras - of_torch == {("accuracy", "train")}
    assert {
        ("loss", "train"),
        ("loss", "validation"),
        ("accuracy", "validation"),
        ("accuracy", "test"),
    } <= of_torch


def test_the_trainers_arguments_are_kept(store: Path) -> None:
    with Reader.open(store) as reader:
        config = reader.find_run("transformer-pytorch").config
    assert config["trainer"]["num_train_epochs"] == 2
    assert config["model"]["n_layer"] == 2
