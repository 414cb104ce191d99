"""A training that goes wrong: one layer begins to give NaN, and the watchdog says which, and when.

    python sample_runs/goes_wrong_pytorch.py
    stepscope ui

sample_runs/goes_wrong_keras.py does the same in Keras. The loss only becomes NaN; that it comes out of the
layer "scale", in the forward pass of step 51, stands in the alert.

Without the watchdog, this is how it is found: run again under `torch.autograd.set_detect_anomaly(True)`,
which names the function of the first bad gradient and makes each step several times as slow; or put
`breakpoint()` behind `if not torch.isfinite(loss):`, and print the outputs of one layer after the other in
pdb.
"""

from __future__ import annotations

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

import stepscope
from stepscope.trackers.pytorch import TorchTracker

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--wrong-after", type=int, default=50, help="steps that go well")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

torch.manual_seed(options.seed)
torch.set_num_threads(1)
use_gpu = options.device == "gpu" or (options.device == "auto" and torch.cuda.is_available())
device = torch.device("cuda" if use_gpu else "cpu")


class Scale(nn.Module):
    """Multiplies by what it has learned, and takes the logarithm of a negative number one day."""

    def __init__(self, features: int) -> None:
        """Begin with factors of one."""
        super().__init__()
        self.factor = nn.Parameter(torch.ones(features))
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x (n, features), multiplied."""
        self.calls += self.training
        return x * (self.factor if self.calls <= options.wrong_after else (-self.factor.abs()).log())


class Network(nn.Module):
    """A chain of layers, one of which will go wrong."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__()
        self.dense1 = nn.Linear(64, 32)
        self.scale = Scale(32)
        self.dense2 = nn.Linear(32, 32)
        self.out = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits (n, 10) of pixels (n, 64)."""
        return self.out(self.dense2(self.scale(self.dense1(x).relu())).tanh())


digits = load_digits()
pixels = torch.from_numpy((digits.data / 16).astype("float32")).to(device)
labels = torch.from_numpy(digits.target).to(device)
model = Network().to(device)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

run = stepscope.init(
    project="goes-wrong", name="goes-wrong-pytorch", config=vars(options), store=options.store
)
TorchTracker(run, model, optimizer)
for _ in tqdm(range(options.epochs), unit="epoch"):
    for chosen in torch.randperm(len(pixels), device=device).split(64):
        loss = cross_entropy(model(pixels[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss/train": loss})
run.finish()

with stepscope.open(options.store) as store:
    for alert in store.run(run.id).alerts:
        print(f"step {alert.step}: {alert.title}. {alert.text}")
