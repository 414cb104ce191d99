"""One training step, run eagerly and as a compiled graph, in PyTorch: what each costs, and what graph it has.

    python sample_runs/execution_pytorch.py
    stepscope ui

sample_runs/execution_tensorflow.py does the same in TensorFlow: the same data, batches, layers and optimiser,
and one thread. Each mode is a run of its own, in a process of its own, so that neither the time of its first
step nor its memory holds anything of another's. The names say what they are like there: "eager" and "graph"
are on both sides, and group runs on the Compare page. What is measured, is measured without the tracker.

torch.compile compiles what the model does, forwards and backwards; loss and optimiser stay eager. The twin's
tf.function takes the whole step.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

# Empty, so that torch.compile compiles, as it does for everybody's first time, and takes over nothing.
CACHE = tempfile.TemporaryDirectory()
os.environ["TORCHINDUCTOR_CACHE_DIR"] = CACHE.name

began = time.perf_counter()
import torch  # noqa: E402 - what it takes is one of the figures
from torch import nn  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

SECONDS_TO_IMPORT = time.perf_counter() - began

import stepscope  # noqa: E402
from stepscope.trackers.pytorch import TorchTracker  # noqa: E402

MODES = ["eager", "graph"]
WARM_UP = 10  # steps that are left out of the median, the first one among them

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
parser.add_argument("--mode", choices=MODES, help="only this one (default: one after the other)")
options = parser.parse_args()

if options.device == "gpu" and not torch.cuda.is_available():
    parser.error("--device gpu: PyTorch sees no GPU")
use_gpu = options.device != "cpu" and torch.cuda.is_available()
device = torch.device("cuda" if use_gpu else "cpu")
torch.set_num_threads(1)
torch.manual_seed(options.seed)
# torch.compile writes C++ for a CPU. Without a compiler, the graph is traced all the same, and run as it is.
BACKEND = "inductor" if shutil.which("c++") or use_gpu else "aot_eager"


# 1. The data: 1,797 digits of 8x8 pixels, scaled to 0..1, 80 % to train on, 20 % to test.
digits = load_digits()
pixels = (digits.images / 16).astype("float32")[:, None]  # channels first
x_train, x_test, y_train, y_test = train_test_split(
    pixels, digits.target, train_size=0.8, stratify=digits.target, random_state=options.seed
)
random = np.random.default_rng(options.seed)
Batch = tuple[np.ndarray, np.ndarray]
Step = Callable[[np.ndarray, np.ndarray], float]


def batch(length: int) -> Batch:
    """Return as many digits, chosen at random, and what they show."""
    chosen = random.choice(len(x_train), length, replace=False)
    return x_train[chosen], y_train[chosen]


def epoch() -> list[Batch]:
    """Return as many batches as an epoch has."""
    return [batch(options.batch_size) for _ in range(len(x_train) // options.batch_size)]


# 2. The model.
def new_model() -> nn.Module:
    """Return a network of three convolutions, with initial weights as Keras makes them."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(1, 32, 3, padding="same"),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(32, 32, 3, padding="same"),
        relu2=nn.ReLU(),
        pool=nn.MaxPool2d(2),
        conv3=nn.Conv2d(32, 64, 3, padding="same"),
        relu3=nn.ReLU(),
        flatten=nn.Flatten(),
        out=nn.Linear(64 * 4 * 4, 10),
    )
    for name, weight in nn.Sequential(layers).named_parameters():
        nn.init.zeros_(weight) if name.endswith("bias") else nn.init.xavier_uniform_(weight)
    return nn.Sequential(layers)


# 3. The step, in each mode.
def train(run: stepscope.Run, mode: str) -> None:
    """Make the model and its step; measure them, watch them, and test what was learned."""
    began = time.perf_counter()
    model = new_model().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)  # eps as Keras has it
    # Eager: each operation runs when Python comes to it. Compiled: the first call is traced, what was traced
    # is compiled, and Python is out of the model's way from then on. Nothing else changes.
    called = torch.compile(model, backend=BACKEND) if mode == "graph" else model

    def step(x: np.ndarray, y: np.ndarray) -> float:
        loss = cross_entropy(called(torch.from_numpy(x).to(device)), torch.from_numpy(y).to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()  # waits for a GPU, only to time it: a training of one's own does not

    measure(run, step, began)
    TorchTracker(run, called, optimizer)  # it does not change the compiled graph
    for x, y in epoch():
        run.log({"loss/train": step(x, y)})
    for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        report(run, split, *evaluate(model, x, y))


@torch.no_grad()
def evaluate(model: nn.Module, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the mean loss and the accuracy over all of some data."""
    logits, labels = model(torch.from_numpy(x).to(device)), torch.from_numpy(y).to(device)
    return cross_entropy(logits, labels).item(), (logits.argmax(1) == labels).float().mean().item()


# 4. What it costs.
def measure(run: stepscope.Run, step: Step, began: float) -> None:
    """Time the steps: the first from `began` on, when there was nothing but the data; then usual ones."""
    batches = [pair for _ in range(options.epochs) for pair in epoch()]
    times, losses = [], []
    for x, y in tqdm(batches, desc=run.name, unit="step"):
        losses.append(step(x, y))
        times.append(time.perf_counter() - began)
        began = time.perf_counter()
    quarter, median, three_quarters = statistics.quantiles(times[WARM_UP:], n=4)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    run.summary.update(
        seconds_to_import=SECONDS_TO_IMPORT,
        seconds_to_first_step=times[0],
        seconds_a_step=median,
        seconds_a_step_spread=three_quarters - quarter,
        memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit,  # the process's highest
    )
    for loss in losses:
        run.log({"loss/train": loss})
    # What was compiled for batches of 64 meets other ones, as at the end of an epoch, or in texts.
    rows = []
    for length in range(options.batch_size - 4, options.batch_size):
        x, y = batch(length)
        began = time.perf_counter()
        loss = step(x, y)
        rows.append([length, time.perf_counter() - began])
        run.log({"loss/train": loss})
    run.log({"new lengths": stepscope.Table(["batch of", "seconds"], rows)})
    run.summary["seconds_for_4_new_lengths"] = sum(seconds for _, seconds in rows)


def report(run: stepscope.Run, split: str, loss: float, accuracy: float) -> None:
    """Keep with the run how good the model is on all of some data."""
    if split == "test":  # "loss/train" is the loss of the steps
        run.log({"loss/test": loss, "accuracy/test": accuracy})
    run.summary.update({f"{split}_loss": loss, f"{split}_accuracy": accuracy})
    print(f"{run.name}: {split}: loss {loss:.4f}, accuracy {accuracy:.1%}")


if options.mode is None:
    for mode in MODES:
        subprocess.run([sys.executable, *sys.argv, "--mode", mode], check=True)
else:
    mode = options.mode
    config = {**vars(options), "backend": BACKEND if mode == "graph" else "none"}
    with stepscope.init(
        project="execution", name=f"{mode}-pytorch", group=mode, config=config, store=options.store
    ) as run:
        train(run, mode)
        print(f"{run.name}:", *(f"{name} {value:.4g}," for name, value in run.summary.items()))
