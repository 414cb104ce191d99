"""One network, written in the styles that PyTorch has: a Sequential, and Modules with a forward of their own.

    python sample_runs/model_styles_pytorch.py
    stepscope ui

sample_runs/model_styles_keras.py does the same in Keras, which has one style more. Each style is a run of its
own, with the same layers and the same first weights: choose two on the Compare page, and the Graph page puts
them side by side.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

import stepscope
from stepscope.trackers.pytorch import TorchTracker

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

torch.set_num_threads(1)  # so small a network gains nothing from more, and loses when other programs run
if options.device == "gpu" and not torch.cuda.is_available():
    parser.error("--device gpu: PyTorch sees no GPU")
use_gpu = options.device != "cpu" and torch.cuda.is_available()
device = torch.device("cuda" if use_gpu else "cpu")


# Sequential: a list of layers. Nothing to write but the layers; nothing but a chain can be written.
def sequential() -> nn.Module:
    """Return the network as a chain."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(1, 16, 3, padding="same"),
            relu1=nn.ReLU(),
            pool=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            dense=nn.Linear(16 * 4 * 4, 32),
            relu2=nn.ReLU(),
            out=nn.Linear(32, 10),
        )
    )


# Functional: PyTorch has no symbolic tensors as Keras has. `torch.nn.functional` are plain functions, which
# are called in a forward like the next one.


# Subclassed: layers in __init__, how data pass them in forward. Anything can be written; PyTorch wants to be
# told the shapes.
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


def start_as_keras_does(model: nn.Module) -> None:
    """Give the layers the first weights that Keras' layers have."""
    for layer in (model.conv, model.dense, model.out):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)


# The data: four fifths of the digits to train on, the rest to test.
digits = load_digits()
pixels = (digits.images / 16).astype("float32")[:, None]  # channels first
x_train, x_test, y_train, y_test = (
    torch.from_numpy(part).to(device)
    for part in train_test_split(pixels, digits.target, test_size=0.2, stratify=digits.target, random_state=0)
)
loss_of = nn.CrossEntropyLoss()


def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the part of the digits that were read right."""
    return (logits.argmax(1) == labels).float().mean()


def layer_table(model: nn.Module) -> stepscope.Table:
    """Return the layers that have weights: those that every style has."""
    rows = [
        [name, type(layer).__name__, sum(p.numel() for p in layer.parameters())]
        for name, layer in model.named_children()
        if list(layer.parameters())
    ]
    return stepscope.Table(["layer", "type", "parameters"], rows)


def train(run: stepscope.Run, style: str, model: nn.Module) -> None:
    """Train the network for a few epochs, and report on train and test data."""
    optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate, eps=1e-7)  # Keras' epsilon
    TorchTracker(run, model, optimizer)
    batches = DataLoader(TensorDataset(x_train, y_train), options.batch_size, shuffle=True)
    for epoch in tqdm(range(1, options.epochs + 1), desc=style, unit="epoch"):
        for x, y in batches:
            logits = model(x)
            loss = loss_of(logits, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log({"loss/train": loss, "accuracy/train": accuracy(logits, y)})
        run.log({"epoch": epoch})
    run.log({"layers": layer_table(model)})
    for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        with torch.no_grad():
            logits = model(x)
        run.summary[f"{split}_loss"] = loss_of(logits, y).item()
        run.summary[f"{split}_accuracy"] = accuracy(logits, y).item()
    run.log({"loss/test": run.summary["test_loss"], "accuracy/test": run.summary["test_accuracy"]})


for style, build in (("sequential", sequential), ("subclassed", Subclassed)):
    torch.manual_seed(options.seed)  # the same first weights, and the same order of batches
    model = build().to(device)
    start_as_keras_does(model)
    config = {"style": style, **vars(options)}
    with stepscope.init(
        "model-styles", f"{style}-pytorch", group=style, config=config, store=options.store
    ) as run:
        train(run, style, model)
        parameters = sum(p.numel() for p in model.parameters())
        print(f"{style}: {parameters:,} parameters, test accuracy {run.summary['test_accuracy']:.1%}")
