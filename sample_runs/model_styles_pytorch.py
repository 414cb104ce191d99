"""One network, written in the styles that PyTorch has: a Sequential, and Modules with a forward of their own.

    python sample_runs/model_styles_pytorch.py
    stepscope ui

sample_runs/model_styles_keras.py does the same in Keras. Each style is a run of its own, with the same
layers: choose two on the Compare page, and the Graph page puts them side by side.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

import stepscope
from stepscope.trackers.pytorch import TorchTracker

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()
torch.set_num_threads(1)
use_gpu = options.device == "gpu" or (options.device == "auto" and torch.cuda.is_available())
device = torch.device("cuda" if use_gpu else "cpu")


# Sequential: a list of layers. Nothing to write but the layers; nothing but a chain can be written.
def sequential() -> nn.Module:
    """Return the network as a chain."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(1, 16, 3, padding="same"),
            relu=nn.ReLU(),
            pool=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            dense=nn.Linear(16 * 4 * 4, 32),
            relu2=nn.ReLU(),
            out=nn.Linear(32, 10),
        )
    )


# Module: layers in __init__, how data pass them in forward. PyTorch has no functional style with symbolic
# tensors, as Keras has: `torch.nn.functional` are plain functions, and are called in a forward like this one.
class Subclassed(nn.Module):
    """The network as a class, whose activations and pooling are functions."""

    def __init__(self) -> None:
        """Make the layers that have weights."""
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3, padding="same")
        self.dense = nn.Linear(16 * 4 * 4, 32)
        self.out = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits (n, 10) of pictures (n, 1, 8, 8)."""
        x = nn.functional.max_pool2d(self.conv(x).relu(), 2)
        return self.out(self.dense(x.flatten(1)).relu())


digits = load_digits()
pixels = torch.from_numpy((digits.images / 16).astype("float32")[:, None])  # channels first
data = TensorDataset(pixels, torch.from_numpy(digits.target))


def train(style: str, model: nn.Module) -> None:
    """Train the network for a few epochs as a run of its own, with the table of its layers."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    run = stepscope.init(
        project="model-styles",
        name=f"{style}-pytorch",
        group=style,
        config={"style": style, **vars(options)},
        store=options.store,
    )
    with run:
        TorchTracker(run, model, optimizer)
        for _ in tqdm(range(options.epochs), desc=style, unit="epoch"):
            for x, y in DataLoader(data, batch_size=32, shuffle=True):
                loss = cross_entropy(model(x.to(device)), y.to(device))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                run.log({"loss/train": loss})
        run.log({"layers": layer_table(model)})
    print(f"{style}: {sum(p.numel() for p in model.parameters()):,} parameters, loss {loss.item():.4f}")


def layer_table(model: nn.Module) -> stepscope.Table:
    """Return the layers that have weights: those that every style has."""
    rows = [
        [name, type(layer).__name__, sum(p.numel() for p in layer.parameters())]
        for name, layer in model.named_children()
        if list(layer.parameters())
    ]
    return stepscope.Table(["layer", "type", "parameters"], rows)


for style, build in (("sequential", sequential), ("subclassed", Subclassed)):
    torch.manual_seed(options.seed)
    train(style, build().to(device))
