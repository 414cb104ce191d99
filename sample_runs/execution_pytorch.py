"""One training step, run eagerly and as a compiled graph, in PyTorch: what each costs, and what graph it has.

    python sample_runs/execution_pytorch.py
    stepscope ui

sample_runs/execution_tensorflow.py does the same in TensorFlow. Each mode is a run of its own, in a process
of its own, so that neither the time of its first step nor its memory holds anything of another's. The names
say what they are like there: "eager" and "graph" are on both sides, and group runs on the Compare page.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time

import psutil
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy
from tqdm import trange

import stepscope
from stepscope.trackers.pytorch import TorchTracker

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
parser.add_argument("--mode", choices=["eager", "graph"], help="only this one (default: one after the other)")
options = parser.parse_args()

# torch.compile writes C++ for a CPU. Without a compiler, the graph is traced all the same, and run as it is.
BACKEND = "inductor" if shutil.which("c++") or torch.cuda.is_available() else "aot_eager"


def model() -> nn.Module:
    """Return a network of three convolutions."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding="same"),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding="same"),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding="same"),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 4 * 4, 10),
    )


def train(mode: str) -> None:
    """Train in one mode, and note what it cost."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    use_gpu = options.device == "gpu" or (options.device == "auto" and torch.cuda.is_available())
    device = torch.device("cuda" if use_gpu else "cpu")
    digits = load_digits()
    pixels = torch.from_numpy((digits.images / 16).astype("float32")[:, None]).to(device)
    labels = torch.from_numpy(digits.target).to(device)
    net = model().to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    # Eager: each operation runs when Python comes to it. Compiled: the first call is traced, what was traced
    # is compiled, and Python is out of the way from then on. Nothing else changes.
    called = torch.compile(net, backend=BACKEND) if mode == "graph" else net
    config = {**vars(options), "mode": mode, "backend": BACKEND if mode == "graph" else "none"}
    with stepscope.init(
        project="execution", name=f"{mode}-pytorch", group=mode, config=config, store=options.store
    ) as run:
        TorchTracker(run, called, optimizer)
        steps = options.epochs * (len(pixels) // options.batch_size)
        times = []
        for _ in trange(steps, desc=mode, unit="step"):
            began = time.perf_counter()
            chosen = torch.randint(len(pixels), (options.batch_size,), device=device)
            loss = cross_entropy(called(pixels[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if use_gpu:
                torch.cuda.synchronize()  # only to time it: a training of one's own does not wait
            times.append(time.perf_counter() - began)
            run.log({"loss/train": loss})
        run.summary.update(costs(times))
    print(mode, *(f"{name} {value:.4g}" for name, value in costs(times).items()), sep="  ")


def costs(times: list[float]) -> dict[str, float]:
    """Return seconds of the first step and of later ones, and the process's memory in MiB."""
    return {
        "seconds_to_first_step": times[0],
        "seconds_a_step": statistics.median(times[1:]),
        "memory_mib": psutil.Process().memory_info().rss / 2**20,
    }


if options.mode is not None:
    train(options.mode)
else:
    for mode in ("eager", "graph"):
        subprocess.run([sys.executable, *sys.argv, "--mode", mode], check=True)
