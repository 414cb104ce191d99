"""A small CNN learns to read handwritten digits, in PyTorch, in seven steps.

    python sample_runs/digits_pytorch.py
    stepscope ui

sample_runs/digits_keras.py does the same in Keras: the same network, split, optimiser and first weights'
distribution. Stepscope's lines are those with `run` in them.
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
from stepscope.trackers import pytorch as hooks

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=80)
parser.add_argument("--batch-size", type=int, default=16)
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

torch.manual_seed(options.seed)
torch.set_num_threads(1)  # so small a network gains nothing from more, and loses when other programs run
if options.device == "gpu" and not torch.cuda.is_available():
    parser.error("--device gpu: PyTorch sees no GPU")
use_gpu = options.device != "cpu" and torch.cuda.is_available()
device = torch.device("cuda" if use_gpu else "cpu")


# 1. Get the data: 1,797 digits of 8x8 pixels, with values from 0 to 16.
digits = load_digits()


# 2. Prepare it: scaled to 0..1, 60 % to train on, 20 % to validate, 20 % to test.
pixels = (digits.images / 16).astype("float32")[:, None]  # channels first
x_train, x_rest, y_train, y_rest = train_test_split(
    pixels, digits.target, train_size=0.6, stratify=digits.target, random_state=options.seed
)
x_val, x_test, y_val, y_test = train_test_split(
    x_rest, y_rest, train_size=0.5, stratify=y_rest, random_state=options.seed
)
train, val, test = (
    TensorDataset(torch.from_numpy(x).to(device), torch.from_numpy(y).to(device))
    for x, y in ((x_train, y_train), (x_val, y_val), (x_test, y_test))
)
batches = DataLoader(train, options.batch_size, shuffle=True)


# 3. Define the model.
model = nn.Sequential(
    OrderedDict(
        conv1=nn.Conv2d(1, 32, 3, padding="same"),
        relu1=nn.ReLU(),
        pool=nn.MaxPool2d(2),
        conv2=nn.Conv2d(32, 64, 3, padding="same"),
        relu2=nn.ReLU(),
        flatten=nn.Flatten(),
        dense=nn.Linear(64 * 4 * 4, 128),
        relu3=nn.ReLU(),
        dropout=nn.Dropout(0.5),
        out=nn.Linear(128, 10),
    )
).to(device)
for layer in (model.conv1, model.conv2, model.dense, model.out):
    nn.init.xavier_uniform_(layer.weight)  # Keras' first weights: PyTorch's own are smaller, and learn later
    nn.init.zeros_(layer.bias)


# 4. and 5. Define the loss, the optimiser and the metric.
optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate, eps=1e-7)  # Keras' epsilon
loss_of = nn.CrossEntropyLoss()


def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the part of the digits that were read right."""
    return (logits.argmax(1) == labels).float().mean()


@torch.no_grad()
def evaluate(data: TensorDataset) -> tuple[torch.Tensor, float, float]:
    """Return the logits, the mean loss and the accuracy over all of some data."""
    x, y = data.tensors
    model.eval()
    logits = model(x)
    model.train()
    return logits, loss_of(logits, y).item(), accuracy(logits, y).item()


# 6. Train. Stepscope watches model and optimiser; what the loop alone knows is logged.
run = stepscope.init(project="digits", name="digits-pytorch", config=vars(options), store=options.store)
run.alert_when("loss/val", no_progress_for=20 * len(batches))
hooks.TorchTracker(run, model, optimizer, histograms=("weights", "gradients", "activations"))
progress = tqdm(range(1, options.epochs + 1), unit="epoch")
for epoch in progress:
    for x, y in batches:
        logits = model(x)
        loss = loss_of(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss/train": loss, "accuracy/train": accuracy(logits, y)})
    logits, val_loss, val_accuracy = evaluate(val)
    run.log({"loss/val": val_loss, "accuracy/val": val_accuracy, "epoch": epoch})
    progress.set_postfix(val_loss=f"{val_loss:.3f}", val_accuracy=f"{val_accuracy:.1%}")
    if epoch % 10 == 1:
        hooks.log_filters(run, model)
        hooks.log_predictions(run, x_val, logits, y_val, most=8)


# 7. Report on train and test data; keep pictures of what the model sees, and the model.
for split, data in (("train", train), ("test", test)):
    logits, mean_loss, part_right = evaluate(data)
    run.summary[f"{split}_loss"] = mean_loss
    run.summary[f"{split}_accuracy"] = part_right
    print(f"{split:>5}: loss {mean_loss:.4f}, accuracy {part_right:.1%}")
run.log({"loss/test": mean_loss, "accuracy/test": part_right})
hooks.log_feature_maps(run, model, test.tensors[0])
hooks.log_saliency(run, model, test.tensors[0])
hooks.save_model(run, model, test.tensors[0])
run.finish()
