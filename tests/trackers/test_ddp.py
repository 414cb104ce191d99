"""DistributedDataParallel, really run: two gloo processes, one run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

import stepscope

RANK = """
import os
import torch
from torch.nn.parallel import DistributedDataParallel

import stepscope
from stepscope.trackers.pytorch import TorchTracker

torch.manual_seed(0)
torch.set_num_threads(1)
torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
run = stepscope.init(name="ddp")
model = DistributedDataParallel(torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
tracker = TorchTracker(run, model, optimizer, histogram_every=2)
for step in range(4):
    optimizer.zero_grad()
    loss = (model(torch.full((8, 4), rank + 1.0)) - step).square().mean()
    loss.backward()
    optimizer.step()
    run.log({"loss": loss, "weight": model.module.weight[0, 0]})
run.finish()
torch.distributed.destroy_process_group()
"""


def test_two_ranks_train_one_model_and_log_into_one_run(store_url: str) -> None:
    pytest.importorskip("torch")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    launch = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    launch |= {"STEPSCOPE_STORE": store_url, "OMP_NUM_THREADS": "1", "LOCAL_WORLD_SIZE": "2"}
    children = [
        subprocess.Popen([sys.executable, "-c", RANK], env={**launch, "RANK": rank, "LOCAL_RANK": rank})
        for rank in ("0", "1")
    ]
    assert [child.wait(timeout=120) for child in children] == [0, 0]
    with stepscope.open(store_url) as store:
        (run,) = store.runs()
        assert (run.name, run.state, run.framework, dict(run.dropped)) == ("ddp", "finished", "torch", {})
        by_rank = [run.scalars("loss", context={"rank": rank}) for rank in (0, 1)]
        assert [one["step"].tolist() for one in by_rank] == [[1, 2, 3, 4]] * 2
        assert not np.array_equal(by_rank[0]["value"], by_rank[1]["value"])
        # The same model on both ranks, and a gradient that is the mean of both.
        weights = [run.scalars("weight", context={"rank": rank})["value"] for rank in (0, 1)]
        np.testing.assert_allclose(weights[0], weights[1])
        assert len(run.scalars("learning_rate", context={"rank": 1})) == 4
        histograms = [one for one in run.series(kind="histogram") if one.name.startswith("weights/")]
        assert histograms
        assert {one.context["rank"] for one in histograms} == {0}
        assert [dict(one.context) for one in run.series(kind="graph")] == [{"rank": 0}]
