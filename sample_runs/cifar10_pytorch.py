"""A convolutional network learns to name pictures, in PyTorch: CIFAR-10 from your disk, in mini-batches.

    python sample_runs/cifar10_pytorch.py --data cifar-10-batches-bin
    stepscope ui

sample_runs/cifar10_keras.py does the same in Keras. Without --data, digits stand in: see cifar10_data.py.
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
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--workers", type=int, default=0, help="processes that load batches")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

torch.manual_seed(options.seed)
use_gpu = options.device == "gpu" or (options.device == "auto" and torch.cuda.is_available())
device = torch.device("cuda" if use_gpu else "cpu")
pictures = load_pictures(options.data)
print("Data:", pictures.origin)


class Batches(Dataset):
    """Pictures as PyTorch wants them: float32 (3, 32, 32), from 0 to 1; in training half of them mirrored."""

    def __init__(self, pixels: torch.Tensor, labels: torch.Tensor, *, mirrored: bool) -> None:
        """Take uint8 (n, 32, 32, 3) and int64 (n,)."""
        self.pixels, self.labels, self.mirrored = pixels, labels, mirrored

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.labels)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return one of them with its class."""
        x = self.pixels[number].permute(2, 0, 1).float() / 255
        if self.mirrored and torch.rand(()) < 0.5:
            x = x.flip(2)
        return x, self.labels[number]


def batches(x: object, y: object, *, training: bool) -> DataLoader:
    """Return a loader of some of the pictures."""
    # Digits are not the same from behind.
    data = Batches(torch.from_numpy(x), torch.from_numpy(y), mirrored=training and options.data is not None)
    return DataLoader(
        data, options.batch_size, shuffle=training, num_workers=options.workers, pin_memory=use_gpu
    )


train = batches(pictures.x_train, pictures.y_train, training=True)
test = batches(pictures.x_test, pictures.y_test, training=False)
model = nn.Sequential(
    OrderedDict(
        conv1=nn.Conv2d(3, 32, 3, padding="same"),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(32, 64, 3, padding="same"),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        conv3=nn.Conv2d(64, 64, 3, padding="same"),
        relu3=nn.ReLU(),
        average=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.2),
        out=nn.Linear(64, 10),
    )
).to(device)
optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate)
loss_of = nn.CrossEntropyLoss()


@torch.no_grad()
def evaluate() -> tuple[float, float]:
    """Return the mean loss and the accuracy on the test data."""
    model.eval()
    losses = right = 0.0
    for x, y in test:
        logits = model(x.to(device))
        losses += loss_of(logits, y.to(device)).item() * len(y)
        right += (logits.argmax(1).cpu() == y).sum().item()
    model.train()
    return losses / len(test.dataset), right / len(test.dataset)


config = {**vars(options), "origin": pictures.origin}
run = stepscope.init(project="cifar10", name="cifar10-pytorch", config=config, store=options.store)
TorchTracker(run, model, optimizer)
for epoch in range(1, options.epochs + 1):
    for x, y in tqdm(train, desc=f"epoch {epoch}", unit="batch"):
        logits = model(x.to(device))
        loss = loss_of(logits, y.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss/train": loss, "accuracy/train": (logits.argmax(1).cpu() == y).float().mean()})
    val_loss, val_accuracy = evaluate()
    run.log({"loss/val": val_loss, "accuracy/val": val_accuracy, "epoch": epoch})
    x, y = next(iter(test))
    with torch.no_grad():
        log_predictions(run, x, model(x.to(device)), y, classes=pictures.classes, most=8)
run.finish()
print(f"test: loss {val_loss:.4f}, accuracy {val_accuracy:.1%}")
