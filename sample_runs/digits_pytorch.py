"""A small CNN learns to read handwritten digits, in PyTorch, in seven steps.

    python sample_runs/digits_pytorch.py
    stepscope ui

sample_runs/digits_keras.py does the same in Keras. Stepscope adds the lines with `init`, `TorchTracker`,
`log` and `finish`.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

import stepscope
from stepscope.trackers.pytorch import TorchTracker

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument(
    "--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if there is one"
)
parser.add_argument("--epochs", type=int, default=80)
parser.add_argument("--batch-size", type=int, default=16)
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

torch.manual_seed(options.seed)
torch.set_num_threads(1)  # so small a network gains nothing from more, and loses when other programs run
use_gpu = options.device == "gpu" or (options.device == "auto" and torch.cuda.is_available())
device = torch.device("cuda" if use_gpu else "cpu")


# 1. Get the data: 1,797 digits of 8x8 pixels, with values from 0 to 16.
digits = load_digits()


# 2. Prepare it: scaled to 0..1, 60 % to train on, 20 % to validate, 20 % to test.
pixels = (digits.images / 16).astype(np.float32)[:, None]  # channels first
x_train, x_rest, y_train, y_rest = train_test_split(
    pixels, digits.target, train_size=0.6, stratify=digits.target, random_state=options.seed
)
x_val, x_test, y_val, y_test = train_test_split(
    x_rest, y_rest, train_size=0.5, stratify=y_rest, random_state=options.seed
)


def loader(x: np.ndarray, y: np.ndarray, *, shuffle: bool = False) -> DataLoader:
    """Return batches of tensors."""
    data = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    return DataLoader(data, batch_size=options.batch_size, shuffle=shuffle)


train, val, test = loader(x_train, y_train, shuffle=True), loader(x_val, y_val), loader(x_test, y_test)


# 3. Define the model.
model = nn.Sequential(
    nn.Conv2d(1, 32, 3, padding="same"),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3, padding="same"),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(64 * 4 * 4, 128),
    nn.ReLU(),
    nn.Dropout(0.5),
    nn.Linear(128, 10),
).to(device)


# 4. Define the loss and the optimiser.
loss_of = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate)


# 5. Define the metric.
def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the part of the digits that were read right."""
    return (logits.argmax(1) == labels).float().mean()


@torch.no_grad()
def evaluate(data: DataLoader) -> tuple[float, float]:
    """Return the mean loss and the accuracy over all of some data."""
    model.eval()
    batches = [(model(x.to(device)), y.to(device)) for x, y in data]
    logits, labels = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])
    model.train()
    return loss_of(logits, labels).item(), accuracy(logits, labels).item()


@torch.no_grad()
def sample_predictions(count: int = 8) -> list[stepscope.Image]:
    """Return some test digits, captioned with what the model reads."""
    model.eval()
    guesses = model(torch.from_numpy(x_test[:count]).to(device)).argmax(1).tolist()
    model.train()
    large = x_test[:count].repeat(8, axis=2).repeat(8, axis=3)
    return [
        stepscope.Image(image, caption=f"read as {guess}, is {label}")
        for image, guess, label in zip(large, guesses, y_test, strict=False)
    ]


# 6. Train. Stepscope watches the optimiser; what the loop alone knows is logged.
run = stepscope.init(
    project="digits",
    name="digits-pytorch",
    config=vars(options) | {"device": str(device)},
    store=options.store,
)
TorchTracker(run, model, optimizer)
progress = tqdm(range(1, options.epochs + 1), unit="epoch")
for epoch in progress:
    for x, y in train:
        x, y = x.to(device), y.to(device)
        logits = model(x)
        loss = loss_of(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss/train": loss, "accuracy/train": accuracy(logits, y)})
    val_loss, val_accuracy = evaluate(val)
    run.log({"loss/val": val_loss, "accuracy/val": val_accuracy, "epoch": epoch})
    if epoch % 10 == 1 or epoch == options.epochs:
        run.log({"predictions": sample_predictions()})
    progress.set_postfix(val_loss=f"{val_loss:.3f}", val_accuracy=f"{val_accuracy:.1%}")


# 7. Report on train and test data.
for split, data in (("train", train), ("test", test)):
    mean_loss, part_right = evaluate(data)
    run.summary[f"{split}_accuracy"] = part_right
    print(f"{split:>5}: loss {mean_loss:.4f}, accuracy {part_right:.1%}")
    if split == "test":
        run.log({"loss/test": mean_loss, "accuracy/test": part_right})
run.finish()
