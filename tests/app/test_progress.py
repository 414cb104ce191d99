"""How far a run is, in words."""

from __future__ import annotations

from typing import Any

import pytest

from stepscope.app.analysis.progress import Progress, progress_of
from stepscope.storage.model import Run, RunState


@pytest.mark.parametrize(
    ("config", "epoch", "step", "told"),
    [
        ({"epochs": 10}, 3.0, 500, Progress("epoch 3 of 10", 0.3)),
        ({"trainer": {"max_epochs": 4}}, 2.5, None, Progress("epoch 2.5 of 4", 0.625)),
        ({"max_steps": 2000}, None, 500, Progress("step 500 of 2,000", 0.25)),
        ({"epochs": 10, "total_steps": 1000}, None, 500, Progress("step 500 of 1,000", 0.5)),
        ({"epochs": "10", "max_steps": True}, 3.0, 500, Progress("step 500")),
        ({"epochs": 10, "steps": 100}, 11.0, 500, Progress("step 500")),
        ({"max_steps": -1, "epochs": 0}, 1.0, None, Progress("running 1 min")),
    ],
)
def test_what_a_running_run_has_done(
    config: dict[str, Any], epoch: float | None, step: int | None, told: Progress
) -> None:
    run = Run("A", "p", "n", RunState.RUNNING, 0.0, 60.0, config=config)
    assert progress_of(run, epoch, step) == told


def test_a_run_that_ended_says_how() -> None:
    run = Run("A", "p", "n", RunState.FAILED, 0.0, 60.0, config={"epochs": 10})
    assert progress_of(run, 3.0, 30) == Progress("failed")
