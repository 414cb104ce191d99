"""transformers' Trainer, really run on a tiny model that is made from a config: nothing is downloaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stepscope
from stepscope.storage.artifacts import artifacts_of_run
from stepscope.storage.read import Reader
from stored import Stored

torch = pytest.importorskip("torch")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
transformers = pytest.importorskip("transformers")

from stepscope.trackers.transformers import StepscopeCallback  # noqa: E402

transformers.logging.set_verbosity_error()


def tiny() -> Any:
    config = transformers.GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=20, n_positions=8)
    return transformers.GPT2LMHeadModel(config)


def texts(count: int) -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randint(0, 20, (8,), generator=generator) for _ in range(count)]
    return [{"input_ids": row, "labels": row} for row in rows]


def trainer(folder: Path, *callbacks: Any, **options: Any) -> Any:
    how = {"max_steps": 4, "logging_steps": 1, "save_strategy": "no", "report_to": [], "use_cpu": True}
    how |= {"per_device_train_batch_size": 2, "disable_tqdm": True, "seed": 1}
    arguments = transformers.TrainingArguments(output_dir=str(folder / "out"), **{**how, **options})
    return transformers.Trainer(
        model=tiny(),
        args=arguments,
        train_dataset=texts(16),
        eval_dataset=texts(4),
        callbacks=list(callbacks),
    )


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    return str(tmp_path / "s.db")


@pytest.fixture
def run() -> Iterator[Any]:
    with stepscope.init() as run:
        yield run


def test_a_training_with_all_that_is_recorded(run: Any, tmp_path: Path) -> None:
    callback = StepscopeCallback(run, histogram_every=2, checkpoints=True, graph=False)
    training = trainer(
        tmp_path, callback, eval_strategy="steps", eval_steps=2, learning_rate=0.01, save_strategy="steps",
        save_steps=2, load_best_model_at_end=True, metric_for_best_model="loss",
    )  # fmt: skip
    training.train()
    training.predict(texts(2))
    stored = Stored(run)
    assert set(stored.scalar("train/loss")) == {1, 2, 3, 4}
    assert set(stored.scalar("eval/loss")) == {2, 4}
    assert set(stored.scalar("test/loss")) == {4}
    assert set(stored.scalar("train/train_loss")) == {4}
    logged = [entry["loss"] for entry in training.state.log_history if "loss" in entry]
    assert list(stored.scalar("train/loss").values()) == pytest.approx(logged)
    # What the tracker sees lies at the same steps; weights that decay are a group of their own.
    assert set(stored.scalar("learning_rate/0")) == set(stored.scalar("train/learning_rate")) == {1, 2, 3, 4}
    weights = "weights/transformer/h/0/attn/c_attn/weight"
    assert set(stored.records("histogram", weights)) == {1, 2, 4}
    assert run.config["trainer"]["learning_rate"] == 0.01
    assert run.config["model"]["n_embd"] == 8
    assert run.summary["best_metric"] == pytest.approx(min(stored.scalar("eval/loss").values()))
    assert "checkpoint-" in run.summary["best_model_checkpoint"]
    with Reader.open() as reader:
        kept = artifacts_of_run(reader, run.id)
        assert reader.run(run.id).state == "running"
    assert [one.metadata["step"] for one in kept if one.name == "checkpoint"] == [2, 4]


def test_a_run_of_its_own_and_accumulation(tmp_path: Path) -> None:
    training = trainer(
        tmp_path, StepscopeCallback, run_name="mine", gradient_accumulation_steps=2, max_steps=2, bf16=True
    )
    training.train()
    training.evaluate()
    callback = next(one for one in training.callback_handler.callbacks if isinstance(one, StepscopeCallback))
    assert callback.run is not None
    callback.run.finish()
    with stepscope.open() as opened:
        told = opened.run("mine")
        assert told.scalars("train/loss")["step"].tolist() == [1, 2]
        assert told.scalars("eval/loss")["step"].tolist() == [2]
        assert told.scalars("learning_rate/0")["step"].tolist() == [1, 2]
        assert told.framework == "torch"


def test_training_goes_on_at_the_step_of_a_checkpoint(run: Any, tmp_path: Path) -> None:
    trainer(tmp_path, save_strategy="steps", save_steps=2, max_steps=2).train()
    training = trainer(tmp_path, StepscopeCallback(run, graph=False))
    training.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-2"))
    stored = Stored(run)
    assert set(stored.scalar("train/loss")) == set(stored.scalar("learning_rate/0")) == {3, 4}


def test_each_trial_of_a_search_is_a_run(tmp_path: Path) -> None:
    callback = StepscopeCallback(watch=False)
    training = trainer(tmp_path, callback, max_steps=1)
    training.state.is_hyper_param_search = True
    for _ in range(2):
        training.callback_handler.on_train_begin(training.args, training.state, training.control)
    callback.run.finish()
    with Reader.open() as reader:
        assert [run.state for run in reader.runs()] == ["finished", "finished"]


def test_another_rank_begins_no_run(tmp_path: Path) -> None:
    callback = StepscopeCallback()
    training = trainer(tmp_path, callback)
    training.state.is_world_process_zero = False
    callback.on_log(training.args, training.state, training.control, {"loss": 1.0})
    assert callback.run is None
