"""One configuration under five seeds, in PyTorch: how much of a difference is chance.

    python sample_runs/seeds_pytorch.py
    stepscope ui

sample_runs/seeds_keras.py does the same in Keras. Each seed is a run. On the Charts page, group by
"framework": each framework becomes a line with a band around it, instead of five lines.
"""

from __future__ import annotations

import argparse
import statistics

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn.functional import cross_entropy
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
torch.set_num_threads(1)
use_gpu = options.device == "gpu" or (options.device == "auto" and torch.cuda.is_available())
device = torch.device("cuda" if use_gpu else "cpu")

# The same split for all: only the first weights and the order of the batches are chance.
digits = load_digits()
x_train, x_test, y_train, y_test = (
    torch.from_numpy(part).to(device)
    for part in train_test_split((digits.data / 16).astype("float32"), digits.target, random_state=0)
)


def train(seed: int) -> float:
    """Train under one seed, as a run of its own; return the accuracy on the test data."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate)
    config = {**vars(options), "seed": seed}
    run = stepscope.init(
        project="seeds", name=f"seed-{seed}-pytorch", group="pytorch", config=config, store=options.store
    )
    with run:
        TorchTracker(run, model, optimizer)
        for epoch in range(1, options.epochs + 1):
            for chosen in torch.randperm(len(x_train), device=device).split(options.batch_size):
                loss = cross_entropy(model(x_train[chosen]), y_train[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                run.log({"loss/train": loss})
            with torch.no_grad():
                logits = model(x_test)
            accuracy = (logits.argmax(1) == y_test).float().mean().item()
            run.log({"loss/val": cross_entropy(logits, y_test), "accuracy/val": accuracy, "epoch": epoch})
    return accuracy


found = [train(seed) for seed in tqdm(range(options.seed, options.seed + options.seeds), unit="seed")]
print(f"accuracy {statistics.mean(found):.1%}, from {min(found):.1%} to {max(found):.1%}")
