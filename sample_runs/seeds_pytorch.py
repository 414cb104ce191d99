"""One configuration under five seeds, in PyTorch: how much of a difference is chance.

    python sample_runs/seeds_pytorch.py
    stepscope ui

sample_runs/seeds_keras.py does the same in Keras: the same network, split, optimiser and first weights'
distribution. Each seed is a run. On the Charts page, group the runs by "group": each framework becomes a line
with a band around it, instead of five lines.
"""

from __future__ import annotations

import argparse
import statistics
from collections import OrderedDict

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from tqdm import tqdm

import stepscope
from stepscope.trackers.pytorch import TorchTracker

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--seed", type=int, default=0, help="the first of them")
parser.add_argument("--seeds", type=int, default=5, help="how many")
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

torch.set_num_threads(1)  # so small a network gains nothing from more, and loses when other programs run
if options.device == "gpu" and not torch.cuda.is_available():
    parser.error("--device gpu: PyTorch sees no GPU")
use_gpu = options.device != "cpu" and torch.cuda.is_available()
device = torch.device("cuda" if use_gpu else "cpu")


# 1. and 2. Get the data and prepare it: 1,797 digits of 8x8 pixels, scaled to 0..1; 60 % to train on, 20 % to
# validate, 20 % to test. The same split for all: only the first weights and the order of batches are chance.
digits = load_digits()
x_train, x_rest, y_train, y_rest = train_test_split(
    (digits.data / 16).astype("float32"),
    digits.target,
    train_size=0.6,
    stratify=digits.target,
    random_state=0,
)
x_val, x_test, y_val, y_test = train_test_split(
    x_rest, y_rest, train_size=0.5, stratify=y_rest, random_state=0
)
x_train, y_train, x_val, y_val, x_test, y_test = (
    torch.from_numpy(part).to(device) for part in (x_train, y_train, x_val, y_val, x_test, y_test)
)


# 3. Define the model.
def network() -> nn.Module:
    """Return it, with new first weights."""
    model = nn.Sequential(OrderedDict(dense=nn.Linear(64, 64), relu=nn.ReLU(), out=nn.Linear(64, 10)))
    for layer in (model.dense, model.out):
        nn.init.xavier_uniform_(layer.weight)  # as Keras' layers begin
        nn.init.zeros_(layer.bias)
    return model.to(device)


# 4. and 5. Define the loss, the optimiser and the metric.
loss_of = nn.CrossEntropyLoss()


def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the part of the digits that were read right."""
    return (logits.argmax(1) == labels).float().mean()


@torch.no_grad()
def evaluate(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Return the mean loss and the accuracy over all of some data."""
    logits = model(x)
    return loss_of(logits, y).item(), accuracy(logits, y).item()


# 6. Train under one seed, as a run of its own, and 7. report on train and test data.
def train(seed: int) -> float:
    """Return the accuracy on the test data."""
    torch.manual_seed(seed)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate, eps=1e-7)  # Keras' epsilon
    with stepscope.init(
        project="seeds",
        name=f"seed-{seed}-pytorch",
        group="pytorch",
        config={**vars(options), "seed": seed},
        store=options.store,
    ) as run:
        TorchTracker(run, model, optimizer)
        for epoch in range(1, options.epochs + 1):
            for chosen in torch.randperm(len(x_train), device=device).split(options.batch_size):
                logits = model(x_train[chosen])
                loss = loss_of(logits, y_train[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                run.log({"loss/train": loss, "accuracy/train": accuracy(logits, y_train[chosen])})
            mean_loss, part_right = evaluate(model, x_val, y_val)
            run.log({"loss/val": mean_loss, "accuracy/val": part_right, "epoch": epoch})
        for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
            mean_loss, part_right = evaluate(model, x, y)
            run.summary[f"{split}_loss"] = mean_loss
            run.summary[f"{split}_accuracy"] = part_right
        run.log({"loss/test": mean_loss, "accuracy/test": part_right})
    return part_right


found = [train(seed) for seed in tqdm(range(options.seed, options.seed + options.seeds), unit="seed")]
print(f"test: accuracy {statistics.median(found):.1%}, from {min(found):.1%} to {max(found):.1%}")
