"""Lightning: a Logger for what modules log, and a Callback for what they do not.

    logger = StepscopeLogger(project="digits")
    trainer = Trainer(logger=logger, callbacks=[StepscopeCallback()])

Both work with `lightning.pytorch` and with `pytorch_lightning`: of two that are installed, with the one that
is imported first. Steps are those that Lightning gives to its loggers, the number of batches before this one
after which an optimizer stepped: `trainer.global_step` as `training_step` sees it, with one optimizer.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from ..storage.errors import BadInput, MissingExtra
from .guard import logger as notices
from .init import init
from .media import Graph
from .run import Run
from .tracked_dict import as_config

_PACKAGES = ("lightning.pytorch", "pytorch_lightning")


def _find_package() -> Any:
    loaded = [name for name in _PACKAGES if name in sys.modules]
    for name in loaded + list(_PACKAGES):
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    raise MissingExtra("StepscopeLogger", "lightning")


_lightning: Any = _find_package()
_Logger: Any = _lightning.loggers.Logger
_Callback: Any = _lightning.Callback
_only_rank_0: Any = _lightning.utilities.rank_zero_only
_experiment_of_rank_0: Any = import_module(f"{_lightning.__name__}.loggers.logger").rank_zero_experiment


class StepscopeLogger(_Logger):
    """A logger for Lightning's Trainer: what `self.log` and `save_hyperparameters` give goes into a run.

    `logger.experiment` is the Run, for images and all else. The run begins when it is first used, and goes on
    over `fit`, `validate` and `test`: it ends with the program, or with `logger.experiment.finish()`. A run
    that the logger began ends as failed, with the traceback, when the Trainer is interrupted.
    """

    def __init__(
        self,
        run: Run | None = None,
        *,
        checkpoints: bool = False,
        graph: bool = False,
        **begin: Any,
    ) -> None:
        """Log into a run, or begin one.

        Args:
            run: from stepscope.init; left out, one is begun.
            checkpoints: whether to keep what ModelCheckpoint saves, as versions of the artifact "checkpoint";
                the best one has the alias "best".
            graph: whether to find the module's graph, for which it needs an `example_input_array`.
                StepscopeCallback finds it without one.
            **begin: what stepscope.init takes, such as project and name.

        Raises:
            BadInput: both a run and what to begin one with were given.
        """
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        if run is not None and begin:
            raise BadInput(
                f"StepscopeLogger needs a run, or what to begin one with, but got both: {sorted(begin)}. "
                f"Give these to stepscope.init."
            )
        self._given, self._run = run, run
        self._begin = begin
        self._checkpoints, self._with_graph = checkpoints, graph
        self._kept: dict[str, float] = {}

    @property
    @_experiment_of_rank_0
    def experiment(self) -> Run:
        """The run; on other ranks than 0, something that ignores what it is told."""
        if self._run is None:
            self._run = init(**self._begin)
        return self._run

    @property
    def name(self) -> str:
        """The run's project: the folder of checkpoints is called so."""
        return self._run.project if self._run is not None else str(self._begin.get("project") or "default")

    @property
    def version(self) -> str | None:
        """The run's id, on rank 0: checkpoints of each run have a folder of their own."""
        return self.experiment.id if _only_rank_0.rank == 0 else None

    @_only_rank_0
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Record numbers at one of Lightning's steps."""
        self.experiment.log(metrics, step)

    @_only_rank_0
    def log_hyperparams(
        self,
        params: dict[str, Any] | Namespace,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Add hyperparameters to the run's config."""
        run = self.experiment
        with run.guard("logging hyperparameters"):
            run.config.update(as_config(params))

    @_only_rank_0
    def log_graph(self, model: Any, input_array: Any = None) -> None:
        """Record the module's graph, when this was asked for and there is an input for it."""
        example: Any = getattr(model, "example_input_array", None) if input_array is None else input_array
        if not self._with_graph or example is None:
            return
        from .pytorch.graph import capture_graph  # noqa: PLC0415 - loads torch's exporter

        run = self.experiment
        with run.guard("finding the graph of a Lightning module"):
            if isinstance(example, dict):
                found = capture_graph(model, (), cast("dict[str, Any]", example))
            else:
                found = capture_graph(
                    model, cast("Any", example) if isinstance(example, tuple) else (example,)
                )
            run.log({"model": Graph(found)}, max(run.step, 0))

    @_only_rank_0
    def save(self) -> None:
        """Do nothing: what was logged is safe already."""

    @_only_rank_0
    def finalize(self, status: str) -> None:
        """End a run of our own that was interrupted; one that went well goes on, for another fit or test."""
        if status == "failed" and self._given is None and self._run is not None:
            self._run.finish_after(sys.exception() or RuntimeError("the Trainer was interrupted"))
            self._run = None

    @_only_rank_0
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Keep new checkpoints, when this was asked for."""
        if not self._checkpoints:
            return
        run = self.experiment
        best = str(getattr(checkpoint_callback, "best_model_path", ""))
        newest = str(getattr(checkpoint_callback, "last_model_path", ""))
        with run.guard("keeping a checkpoint"):
            for path in map(Path, dict.fromkeys(filter(None, (best, newest)))):
                changed = path.stat().st_mtime if path.exists() else None
                if changed is not None and self._kept.get(str(path)) != changed:
                    self._kept[str(path)] = changed
                    aliases = ("best",) if str(path) == best else ()
                    facts = {"file": path.name, "step": run.step, **_score(checkpoint_callback)}
                    run.log_artifact(path, "checkpoint", type="checkpoint", metadata=facts, aliases=aliases)


class StepscopeCallback(_Callback):
    """Watches the module and its optimizers with a TorchTracker each, at Lightning's steps.

    It takes the run of the Trainer's StepscopeLogger, or the one that it is given; without either it says so
    and does nothing. Of several optimizers, each has a tracker with its number for a name, such as
    `gradient_norm/0`. On other ranks than 0 it watches only when a run is given, which `stepscope.init` on
    every rank makes: rank 0's weights and gradients hold for all of them.
    """

    def __init__(self, run: Run | None = None, **tracker: Any) -> None:
        """Watch with a run.

        Args:
            run: left out, that of the Trainer's StepscopeLogger.
            **tracker: what TorchTracker takes, such as histogram_every.
        """
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._given = run
        self._options = tracker
        self._trackers: list[Any] = []

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Attach to the module, and to each optimizer."""
        run = self._given or _run_of(trainer)
        if run is None:
            return
        from .pytorch import TorchTracker  # noqa: PLC0415 - when there is something to watch

        several = len(trainer.optimizers) > 1
        for number, optimizer in enumerate(trainer.optimizers):
            own: dict[str, Any] = {"name": str(number)} if several else {}
            # One module has one graph.
            own |= {"graph": False} if number else {}
            self._trackers.append(TorchTracker(run, pl_module, optimizer, **{**self._options, **own}))

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Give the trackers Lightning's step for what this batch does."""
        for tracker in self._trackers:
            tracker.step = _step_of(trainer) - 1

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Detach."""
        self._close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Detach."""
        self._close()

    def _close(self) -> None:
        trackers, self._trackers = self._trackers, []
        for tracker in trackers:
            tracker.close()


def _run_of(trainer: Any) -> Run | None:
    for logger in trainer.loggers:
        run = logger.experiment if isinstance(logger, StepscopeLogger) else None
        if isinstance(run, Run):
            return run
    if trainer.is_global_zero:
        notices.warning(
            "stepscope: StepscopeCallback found no run. Give it one, StepscopeCallback(run), or give the "
            "Trainer a StepscopeLogger."
        )
    return None


def _step_of(trainer: Any) -> int:
    """Return the step that Lightning gives to its loggers for the batch that begins."""
    loop = getattr(getattr(trainer, "fit_loop", None), "epoch_loop", None)
    return int(getattr(loop, "_batches_that_stepped", trainer.global_step))


def _score(checkpoint_callback: Any) -> dict[str, Any]:
    score = getattr(checkpoint_callback, "best_model_score", None)
    monitor = getattr(checkpoint_callback, "monitor", None)
    return {} if score is None or monitor is None else {"monitor": monitor, "best": float(score)}
