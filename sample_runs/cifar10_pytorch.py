"""A convolutional network learns to name pictures, in PyTorch: CIFAR-10 from your disk, in mini-batches.

    python sample_runs/cifar10_pytorch.py --data cifar-10-batches-bin
    stepscope ui

sample_runs/cifar10_keras.py does the same in Keras: the same network, split, optimiser and first weights'
distribution. Without --data, digits stand in, and the run says so: see cifar10_data.py. Batches are prepared
between two steps, as is PyTorch's default; with --workers 1, as in the twin, while the model trains.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path

import torch
from cifar10_data import load_pictures
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

import stepscope
from stepscope.trackers.pytorch import TorchTracker, log_predictions

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", type=Path, help="the folder with data_batch_1.bin ... and test_batch.bin")
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--workers", type=int, default=0, help="processes that load batches")
parser.add_argument("--threads", type=int, default=1, help="of the processor, for one operation")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

torch.manual_seed(options.seed)
torch.set_num_threads(options.threads)
if options.device == "gpu" and not torch.cuda.is_available():
    parser.error("--device gpu: PyTorch sees no GPU")
use_gpu = options.device != "cpu" and torch.cuda.is_available()
device = torch.device("cuda" if use_gpu else "cpu")


# 1. Get the data: uint8 pictures of 32x32 pixels, channels last.
pictures = load_pictures(options.data)
print("Data:", pictures.origin)


# 2. Prepare it, picture by picture as batches are made: scaled to 0..1; in training, half of them mirrored.
class Prepared(Dataset):
    """Pictures as PyTorch wants them: float32 (3, 32, 32), from 0 to 1."""

    def __init__(self, pixels: torch.Tensor, labels: torch.Tensor, *, mirrored: bool) -> None:
        """Take uint8 (n, 32, 32, 3) and int64 (n,)."""
        self.pixels, self.labels, self.mirrored = pixels, labels, mirrored

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.labels)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return one of them with its class."""
        x = self.pixels[number].permute(2, 0, 1).float() / 255  # channels first
        if self.mirrored and torch.rand(()) < 0.5:
            x = x.flip(2)
        return x, self.labels[number]


def batches(x: object, y: object, *, training: bool = False) -> DataLoader:
    """Return a loader of some of the pictures; digits are not the same in a mirror."""
    mirrored = training and pictures.is_cifar10
    data = Prepared(torch.from_numpy(x), torch.from_numpy(y), mirrored=mirrored)
    return DataLoader(
        data, options.batch_size, shuffle=training, num_workers=options.workers, pin_memory=use_gpu
    )


train, val, test = batches(*pictures.train, training=True), batches(*pictures.val), batches(*pictures.test)


# 3. Define the model.
model = nn.Sequential(
    OrderedDict(
        conv1=nn.Conv2d(3, 16, 3, padding="same"),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(16, 32, 3, padding="same"),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        conv3=nn.Conv2d(32, 64, 3, padding="same"),
        relu3=nn.ReLU(),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.2),
        dense=nn.Linear(64 * 8 * 8, 64),
        relu4=nn.ReLU(),
        out=nn.Linear(64, 10),
    )
).to(device)
for layer in (model.conv1, model.conv2, model.conv3, model.dense, model.out):
    nn.init.xavier_uniform_(layer.weight)  # Keras' first weights: PyTorch's own are smaller, and learn later
    nn.init.zeros_(layer.bias)


# 4. and 5. Define the loss, the optimiser and the metric.
loss_of = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate, eps=1e-7)  # Keras' epsilon


@torch.no_grad()
def evaluate(loader: DataLoader) -> tuple[float, float]:
    """Return the mean loss and the accuracy over all of some data."""
    model.eval()
    losses = right = 0.0
    for x, y in loader:
        x, y = x.to(device), y.to(device)
        logits = model(x)
        losses += loss_of(logits, y).item() * len(y)
        right += (logits.argmax(1) == y).sum().item()
    model.train()
    return losses / len(loader.dataset), right / len(loader.dataset)


@torch.no_grad()
def look() -> None:
    """Show what the model takes some pictures for."""
    x, y = next(iter(val))
    model.eval()
    log_predictions(run, x, model(x.to(device)), y, classes=pictures.classes, most=8)
    model.train()


# 6. Train.
run = stepscope.init(
    project="cifar10",
    name="cifar10-pytorch",
    config={**vars(options), "origin": pictures.origin},
    tags=["CIFAR-10" if pictures.is_cifar10 else "digits instead of CIFAR-10"],
    notes=f"Data: {pictures.origin}",
    store=options.store,
)
TorchTracker(run, model, optimizer)
for epoch in range(1, options.epochs + 1):
    for x, y in tqdm(train, desc=f"epoch {epoch}", unit="batch"):
        x, y = x.to(device), y.to(device)
        logits = model(x)
        loss = loss_of(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss/train": loss, "accuracy/train": (logits.argmax(1) == y).float().mean()})
    mean_loss, part_right = evaluate(val)
    run.log({"loss/val": mean_loss, "accuracy/val": part_right, "epoch": epoch})
    look()


# 7. Report on train and test data.
for split, loader in (("train", train), ("test", test)):
    mean_loss, part_right = evaluate(loader)
    run.summary[f"{split}_loss"] = mean_loss
    run.summary[f"{split}_accuracy"] = part_right
    print(f"{split:>5}: loss {mean_loss:.4f}, accuracy {part_right:.1%}")
run.log({"loss/test": mean_loss, "accuracy/test": part_right})
run.finish()
