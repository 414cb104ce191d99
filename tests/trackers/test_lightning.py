"""Lightning's Trainer, really run: what it logs, and what the callback sees of its optimizers."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import stepscope
from stepscope.storage.artifacts import artifacts_of_run
from stepscope.storage.errors import BadInput
from stepscope.storage.read import Reader
from stored import Stored

torch = pytest.importorskip("torch")
L = pytest.importorskip("lightning.pytorch")

from stepscope.trackers.lightning import StepscopeCallback, StepscopeLogger, _find_package  # noqa: E402

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Module(L.LightningModule):
    def __init__(self, lr: float = 0.1, width: int = 3) -> None:  # noqa: ARG002 - a hyperparameter
        super().__init__()
        self.save_hyperparameters()
        self.net = torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.ReLU(), torch.nn.Linear(width, 1))
        self.seen: list[int] = []

    def forward(self, x: Any) -> Any:
        return self.net(x)

    def training_step(self, batch: Any, index: int) -> Any:  # noqa: ARG002
        self.seen.append(self.global_step)
        loss = torch.nn.functional.mse_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, index: int) -> None:  # noqa: ARG002
        self.log("val_loss", torch.nn.functional.mse_loss(self(batch[0]), batch[1]))

    test_step = validation_step

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.hparams["lr"])


class TwoOptimizers(Module):
    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, index: int) -> None:
        for number, optimizer in enumerate(self.optimizers()):
            if number == 1 and index % 2:
                continue
            optimizer.zero_grad()
            self.manual_backward(self(batch[0]).square().mean())
            optimizer.step()
        self.log("train_loss", float(index))

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(part.parameters(), lr=0.1) for part in (self.net[0], self.net[2])]


def batches(count: int = 4) -> Any:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(8 * count, 4, generator=generator)
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, x[:, :1]), batch_size=8)


def trainer(folder: Path, **options: Any) -> Any:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    how = {"max_epochs": 2, "accelerator": "cpu", "log_every_n_steps": 1, **quiet, **options}
    return L.Trainer(default_root_dir=folder, **how)


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    return str(tmp_path / "s.db")


@pytest.fixture
def run(store: str) -> Iterator[Any]:
    with stepscope.init(store=store) as run:
        yield run


def test_what_a_module_logs_lands_at_lightnings_steps(run: Any, tmp_path: Path) -> None:
    logger = StepscopeLogger(run)
    module = Module(lr=0.05)
    fitting = trainer(tmp_path, logger=logger, callbacks=[StepscopeCallback(histogram_every=4)])
    fitting.fit(module, batches(), batches(1))
    fitting.test(module, batches(1), verbose=False)
    stored = Stored(run)
    assert set(stored.scalar("train_loss_step")) == set(module.seen) == set(range(8))
    assert set(stored.scalar("train_loss_epoch")) == set(stored.scalar("val_loss")) - {8} == {3, 7}
    assert (logger.name, logger.version, logger.experiment) == (run.project, run.id, run)
    assert dict(run.config) == {"lr": 0.05, "width": 3}
    # The tracker counts as Lightning does.
    assert set(stored.scalar("learning_rate")) == set(range(8))
    assert set(stored.scalar("learning_rate").values()) == {0.05}
    assert set(stored.records("histogram", "weights/net/0/weight")) == {0, 1, 4}
    assert set(stored.records("histogram", "gradients/net/0/weight")) == {0, 1, 4}
    assert stored.records("graph", "model")
    with Reader.open() as reader:
        assert reader.run(run.id).state == "running"


def test_accumulation_and_mixed_precision(run: Any, tmp_path: Path) -> None:
    module = Module()
    how = {"accumulate_grad_batches": 2, "precision": "bf16-mixed", "max_epochs": 1}
    callback = StepscopeCallback(graph=False)
    trainer(tmp_path, logger=StepscopeLogger(run), callbacks=[callback], **how).fit(module, batches(6))
    stored = Stored(run)
    assert sorted(stored.scalar("learning_rate")) == [0, 1, 2] == sorted(set(module.seen))
    assert set(stored.scalar("samples_per_second")) <= {0, 1, 2}
    assert stored.scalar("gradient_norm")[0] > 0


def test_each_optimizer_has_a_tracker(run: Any, tmp_path: Path) -> None:
    callback = StepscopeCallback(graph=False)
    trainer(tmp_path, logger=StepscopeLogger(run), callbacks=[callback], max_epochs=1).fit(
        TwoOptimizers(), batches(4)
    )
    stored = Stored(run)
    logged = set(stored.scalar("train_loss"))
    assert set(stored.scalar("learning_rate/0")) == logged == {0, 1, 2, 3}
    assert set(stored.scalar("learning_rate/1")) == {0, 2}


def test_a_run_of_its_own_fails_with_the_training(tmp_path: Path) -> None:
    class Broken(Module):
        def training_step(self, batch: Any, index: int) -> Any:
            if index == 2:
                raise ValueError("no more numbers")
            return super().training_step(batch, index)

    logger = StepscopeLogger(project="broken", name="first")
    with pytest.raises(ValueError, match="no more numbers"):
        trainer(tmp_path, logger=logger).fit(Broken(), batches())
    with Reader.open() as reader:
        (failed,) = reader.runs(project="broken")
    assert (failed.name, failed.state) == ("first", "failed")
    assert "ValueError: no more numbers" in (failed.error or "")
    assert logger.version != failed.run_id
    logger.experiment.finish()


def test_checkpoints_become_versions_of_an_artifact(run: Any, tmp_path: Path) -> None:
    saving = L.pytorch.callbacks.ModelCheckpoint if hasattr(L, "pytorch") else L.callbacks.ModelCheckpoint
    callback = saving(dirpath=tmp_path / "saved", monitor="val_loss", save_top_k=1)
    logger = StepscopeLogger(run, checkpoints=True)
    how = {"enable_checkpointing": True, "callbacks": [callback]}
    trainer(tmp_path, logger=logger, **how).fit(Module(), batches(), batches(1))
    run.flush()
    with Reader.open() as reader:
        kept = artifacts_of_run(reader, run.id)
    assert kept
    assert {one.name for one in kept} == {"checkpoint"}
    newest = run.use_artifact("checkpoint:best")
    assert newest.metadata["file"] == Path(callback.best_model_path).name
    assert newest.metadata["monitor"] == "val_loss"


def test_a_graph_when_it_is_asked_for(run: Any, tmp_path: Path) -> None:
    module = Module()
    module.example_input_array = torch.zeros(2, 4)
    trainer(tmp_path, logger=StepscopeLogger(run, graph=True), max_epochs=1).fit(module, batches(1))
    assert set(Stored(run).records("graph", "model")) == {0}


def test_a_callback_without_a_run_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trainer(tmp_path, logger=False, callbacks=[StepscopeCallback()], max_epochs=1).fit(Module(), batches(1))
    assert "StepscopeCallback found no run. Give it one, StepscopeCallback(run)" in caplog.text


def test_a_run_and_what_begins_one_are_too_much(run: Any) -> None:
    with pytest.raises(
        BadInput, match=r"needs a run, or what to begin one with, but got both: \['project'\]"
    ):
        StepscopeLogger(run, project="x")


PYTORCH_LIGHTNING = """
import logging, sys, torch
import pytorch_lightning as pl
from stepscope.trackers.lightning import StepscopeCallback, StepscopeLogger
assert issubclass(StepscopeLogger, pl.loggers.Logger) and issubclass(StepscopeCallback, pl.Callback)
assert "lightning.pytorch" not in sys.modules

class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch, index):
        loss = self.layer(batch).mean()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

logger = StepscopeLogger(name="pl")
quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
trainer = pl.Trainer(logger=logger, callbacks=[StepscopeCallback(graph=False)], max_epochs=1,
                     accelerator="cpu", log_every_n_steps=1, **quiet)
trainer.fit(Module(), torch.utils.data.DataLoader(torch.ones(6, 2), batch_size=2))
logger.experiment.finish()
"""


def test_the_package_that_is_loaded_is_the_one_that_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    older = ModuleType("pytorch_lightning")
    monkeypatch.setitem(sys.modules, "pytorch_lightning", older)
    assert _find_package() is L
    monkeypatch.delitem(sys.modules, "lightning.pytorch")
    assert _find_package() is older


@pytest.mark.long
def test_the_older_package_is_served_as_well(store: str) -> None:
    pytest.importorskip("pytorch_lightning")
    subprocess.run([sys.executable, "-c", PYTORCH_LIGHTNING], check=True, timeout=120)
    with stepscope.open(store) as opened:
        told = opened.run("pl")
        assert told.scalars("loss")["step"].tolist() == [0, 1, 2]
        assert told.scalars("learning_rate")["step"].tolist() == [0, 1, 2]
