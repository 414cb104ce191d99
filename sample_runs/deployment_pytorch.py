"""From training to serving, in PyTorch: save, load back, compare the answers, measure size and latency.

    python sample_runs/deployment_pytorch.py
    stepscope ui

sample_runs/deployment_keras.py does the same in Keras. Each form becomes an artifact of the run; what it
costs stands in the table "deployment" on the Media page. All forms answer on one thread. The size of the
model in the program is that of its weights.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import OrderedDict
from collections.abc import Callable

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

import stepscope
from stepscope.trackers.pytorch import TorchTracker, save_model

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--calls", type=int, default=200, help="how often each form is called to time it")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

torch.set_num_threads(1)
torch.manual_seed(options.seed)
if options.device == "gpu" and not torch.cuda.is_available():
    parser.error("--device gpu: PyTorch sees no GPU")
use_gpu = options.device != "cpu" and torch.cuda.is_available()
device = torch.device("cuda" if use_gpu else "cpu")


# 1. The data: 1,797 digits of 8x8 pixels, scaled to 0..1, 80 % to train on, 20 % to test.
digits = load_digits()
pixels = (digits.images / 16).astype("float32")[:, None]  # channels first
x_train, x_test, y_train, y_test = (
    torch.from_numpy(part).to(device)
    for part in train_test_split(
        pixels, digits.target, train_size=0.8, stratify=digits.target, random_state=options.seed
    )
)


# 2. The model, with initial weights as Keras makes them.
model = nn.Sequential(
    OrderedDict(
        conv=nn.Conv2d(1, 32, 3, padding="same"),
        relu=nn.ReLU(),
        pool=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.2),
        out=nn.Linear(32 * 4 * 4, 10),
    )
).to(device)
for layer in (model.conv, model.out):
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)


# 3. Train it.
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)  # eps as Keras has it
run = stepscope.init(
    project="deployment", name="deployment-pytorch", config=vars(options), store=options.store
)
TorchTracker(run, model, optimizer)
for epoch in tqdm(range(1, options.epochs + 1), unit="epoch"):
    for chosen in torch.randperm(len(x_train), device=device).split(options.batch_size):
        logits = model(x_train[chosen])
        loss = cross_entropy(logits, y_train[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        accuracy = (logits.argmax(1) == y_train[chosen]).float().mean()
        run.log({"loss/train": loss, "accuracy/train": accuracy})
    run.log({"epoch": epoch})


# 4. Test it.
model.eval()
for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
    with torch.no_grad():
        logits = model(x)
    mean_loss, part_right = cross_entropy(logits, y).item(), (logits.argmax(1) == y).float().mean().item()
    run.summary.update({f"{split}_loss": mean_loss, f"{split}_accuracy": part_right})
    print(f"{split:>5}: loss {mean_loss:.4f}, accuracy {part_right:.1%}")
run.log({"loss/test": mean_loss, "accuracy/test": part_right})


# 5. Save it in each form; how each is loaded again.
Answer = Callable[[torch.Tensor], torch.Tensor]


def export(path: str) -> Answer:
    """Return what torch.export's program (.pt2) answers: the form to come."""
    return torch.export.load(path).module()


def torchscript(path: str) -> Answer:
    """Return what TorchScript answers: deprecated, and here while it lasts."""
    return torch.jit.load(path)


LOADERS: dict[str, Callable[[str], Answer]] = {"export": export, "torchscript": torchscript}
saved = save_model(run, model, x_test[:4], formats=tuple(LOADERS))


# 6. Compare what they answer, how large they are, and how long they take.
@torch.no_grad()
def milliseconds(answer: Answer, batch: torch.Tensor) -> float:
    """Return the median time of a call, after as many again to warm up."""
    times = []
    for _ in range(2 * options.calls):
        began = time.perf_counter()
        answer(batch).cpu()  # waits for a GPU
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times[options.calls :])


@torch.no_grad()
def measured(form: str, answer: Answer, size: int) -> list[str | float]:
    """Return a row of the table; the summary keeps it too."""
    one, many = (milliseconds(answer, x_test[:length]) for length in (1, 64))
    difference = (answer(x_test) - model(x_test)).abs().max().item()
    run.summary.update(
        {
            f"{form}_size_kib": size / 1024,
            f"{form}_latency_ms_1": one,
            f"{form}_latency_ms_64": many,
            f"{form}_difference": difference,
        }
    )
    print(
        f"{form:>12}: {size:>8,} bytes, {one:.3f} ms for 1, {many:.3f} ms for 64, differs by {difference:.1e}"
    )
    return [form, size, one, many, difference]


rows = [measured("in_program", model, sum(weight.nbytes for weight in model.parameters()))]
rows += [measured(form, load(str(saved[form].path)), saved[form].size) for form, load in LOADERS.items()]
columns = ["form", "bytes", "ms for 1", "ms for 64", "largest difference"]
run.log({"deployment": stepscope.Table(columns, rows)})
run.finish()
