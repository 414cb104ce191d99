"""Hugging Face transformers: one callback for its Trainer.

    Trainer(..., callbacks=[StepscopeCallback()])

It stands beside what `report_to` asks for, and needs none of it: pass `report_to=[]` to have only this one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..storage.errors import MissingExtra
from .init import init
from .media import Text
from .run import Run

try:
    from transformers import TrainerCallback
except ModuleNotFoundError as error:
    raise MissingExtra("StepscopeCallback", "transformers") from error

_SPLITS = ("eval", "test")


class StepscopeCallback(TrainerCallback):
    """Records what a Trainer logs, its arguments and the model's config, and watches the model.

    Names are those that transformers' own callbacks give: `train/loss`, `eval/loss`, `test/loss`; steps are
    `state.global_step`. What a TorchTracker sees beside them (weights, gradients, step time ...) has the same
    steps. The run begins with the training, and ends with the program or `callback.run.finish()`, since an
    evaluation may follow; each trial of a hyperparameter search has a run of its own.
    """

    def __init__(
        self, run: Run | None = None, *, watch: bool = True, checkpoints: bool = False, **tracker: Any
    ) -> None:
        """Record a Trainer.

        Args:
            run: from stepscope.init. Left out, one is begun with the Trainer's `run_name`.
            watch: whether a TorchTracker watches the model.
            checkpoints: whether to keep each checkpoint that is saved, as a version of the artifact
                "checkpoint".
            **tracker: what TorchTracker takes, such as histogram_every.
        """
        self.run = run
        self._given = run is not None
        self._watch, self._options = watch, tracker
        self._checkpoints = checkpoints
        self._tracker: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin the run, note its hyperparameters, and watch the model."""
        if self.run is not None and state.is_hyper_param_search and not self._given:
            self.run.finish()
            self.run = None
        run = self._run_for(args, state, **kwargs)
        model = kwargs.get("model")
        if run is None or model is None or not self._watch:
            return
        from .pytorch import TorchTracker  # noqa: PLC0415 - when there is something to watch

        # The optimizer that is handed on is a wrapper of accelerate's: the tracker finds the one inside.
        self._tracker = TorchTracker(run, model, **self._options)
        self._tracker.step = state.global_step

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Give the tracker the Trainer's step: it goes on where a checkpoint was."""
        if self._tracker is not None:
            self._tracker.step = state.global_step

    def on_log(
        self,
        args: Any,
        state: Any,
        control: Any,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Record what the Trainer logs."""
        run = self._run_for(args, state, **kwargs)
        if run is not None and state.is_world_process_zero:
            self._log(run, logs or {}, state.global_step)

    def on_predict(self, args: Any, state: Any, control: Any, metrics: dict[str, Any], **kwargs: Any) -> None:
        """Record the metrics of a prediction, which the Trainer logs nowhere."""
        self.on_log(args, state, control, metrics, **kwargs)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keep the checkpoint, when this was asked for."""
        run = self.run
        if run is None or not self._checkpoints or not state.is_world_process_zero:
            return
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        with run.guard("keeping a checkpoint"):
            facts = {"step": state.global_step, "epoch": state.epoch}
            run.log_artifact(folder, "checkpoint", type="checkpoint", metadata=facts)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Detach from the model; the run goes on, for an evaluation."""
        if self.run is not None and state.is_world_process_zero:
            best = {"best_metric": state.best_metric, "best_model_checkpoint": state.best_model_checkpoint}
            self.run.summary.update({name: value for name, value in best.items() if value is not None})
        if self._tracker is not None:
            self._tracker.close()
            self._tracker = None

    def _run_for(self, args: Any, state: Any, model: Any = None, **_: Any) -> Run | None:
        """Return the run, begun if need be; None on a rank that was given none."""
        if self.run is None:
            if not state.is_world_process_zero:
                return None
            self.run = init(name=args.run_name)
        if state.is_world_process_zero and "trainer" not in self.run.config:
            with self.run.guard("noting the Trainer's arguments"):
                self.run.config["trainer"] = args.to_dict()
                config = getattr(model, "config", None)
                if config is not None:
                    self.run.config["model"] = config.to_dict()
        return self.run

    def _log(self, run: Run, logs: dict[str, Any], step: int) -> None:
        values: dict[str, Any] = {}
        for name, value in logs.items():
            values[_series(name)] = Text(value) if isinstance(value, str) else value
        run.log(values, step)


def _series(name: str) -> str:
    split, _, rest = name.partition("_")
    return f"{split}/{rest}" if split in _SPLITS and rest else f"train/{name}"
