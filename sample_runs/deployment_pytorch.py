"""From training to serving, in PyTorch: save, load back, compare the answers, measure size and latency.

    python sample_runs/deployment_pytorch.py
    stepscope ui

sample_runs/deployment_keras.py does the same in Keras. Each form becomes an artifact of the run; what it
costs stands in the table "deployment" on the Media page.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import OrderedDict
from collections.abc import Callable

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

import stepscope
from stepscope.trackers.pytorch import TorchTracker, save_model

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--calls", type=int, default=200, help="how often each form is called to time it")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

torch.manual_seed(options.seed)
torch.set_num_threads(1)
use_gpu = options.device == "gpu" or (options.device == "auto" and torch.cuda.is_available())
device = torch.device("cuda" if use_gpu else "cpu")
digits = load_digits()
pixels = torch.from_numpy((digits.images / 16).astype("float32")[:, None]).to(device)
labels = torch.from_numpy(digits.target).to(device)

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
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
run = stepscope.init(project="deployment", name="deployed-pytorch", config=vars(options), store=options.store)
TorchTracker(run, model, optimizer)
for _ in tqdm(range(options.epochs), unit="epoch"):
    for chosen in torch.randperm(len(pixels), device=device).split(32):
        loss = cross_entropy(model(pixels[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss/train": loss})
model.eval()

# torch.export's program (.pt2) is the form to come; TorchScript is deprecated, and here while it lasts.
LOADERS: dict[str, Callable[[str], Callable[[torch.Tensor], torch.Tensor]]] = {
    "export": lambda path: torch.export.load(path).module(),
    "torchscript": lambda path: torch.jit.load(path),
}


@torch.no_grad()
def milliseconds(answer: Callable[[torch.Tensor], torch.Tensor], batch: torch.Tensor) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(options.calls):
        began = time.perf_counter()
        answer(batch).cpu()  # waits for a GPU
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


with torch.no_grad():
    expected = model(pixels)
saved = save_model(run, model, pixels[:4], formats=tuple(LOADERS))
rows = [["in the program", 0, milliseconds(model, pixels[:1]), milliseconds(model, pixels[:64]), 0.0]]
for form, load in LOADERS.items():
    again = load(str(saved[form].path))
    with torch.no_grad():
        difference = (again(pixels) - expected).abs().max().item()
    rows.append(
        [
            form,
            saved[form].size,
            milliseconds(again, pixels[:1]),
            milliseconds(again, pixels[:64]),
            difference,
        ]
    )
columns = ["form", "bytes", "ms for 1", "ms for 64", "largest difference"]
run.log({"deployment": stepscope.Table(columns, rows)})
for form, size, one, many, difference in rows:
    print(
        f"{form:>14}: {size:>8,} bytes, {one:.3f} ms for 1, {many:.3f} ms for 64, differs by {difference:.1e}"
    )
run.finish()
