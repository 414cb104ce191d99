"""A training that goes wrong: one layer begins to give NaN. Who says which one, and what does it cost?

    python sample_runs/goes_wrong_pytorch.py
    stepscope ui

sample_runs/goes_wrong_keras.py does the same in Keras; first weights and Adam's epsilon are each framework's
own. The loss only becomes NaN; that it comes out of the layer "scale", in the forward pass of step 51, stands
in the alert of Stepscope's watchdog. The same training is made several times; what each way to look at it
said is a text of the run, what it cost a number:

- plain: nobody looks. The curve of the loss ends; the weights are spoiled.
- watched: Stepscope's tracker does, whose watchdog is on unless it is turned off.
- pdb: a person has seen the NaN, puts `breakpoint()` behind the loss where it is not finite, trains again
  with the same seed, and asks one layer after the other. Here the program types what they would.
- debugger: PyTorch's own, `torch.autograd.set_detect_anomaly(True)`. It has to be on from the start, stops
  at the first function whose gradient is NaN, and shows the line that called it.
"""

from __future__ import annotations

import argparse
import io
import pdb
import statistics
import time
import warnings

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

torch.set_num_threads(1)
if options.device == "gpu" and not torch.cuda.is_available():
    parser.error("--device gpu: PyTorch sees no GPU")
use_gpu = options.device != "cpu" and torch.cuda.is_available()
device = torch.device("cuda" if use_gpu else "cpu")


# 1. The data: 1,797 digits of 64 pixels, scaled to 0..1.
digits = load_digits()
pixels = torch.from_numpy((digits.data / 16).astype("float32")).to(device)
labels = torch.from_numpy(digits.target).to(device)


# 2. The model, and the layer that goes wrong.
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


# 3. The training, the same whoever looks.
TYPED = [
    "p loss",
    "seen = model.dense1(x).relu()",
    "p seen.isfinite().all()",
    "seen = model.scale(seen)",
    "p seen.isfinite().all()",
    "continue",
]


def dialogue(shown: str) -> str:
    """Return what pdb has shown, with what was typed behind each of its prompts."""
    first, *answers = shown.split("(Pdb) ")
    return first + "".join(f"(Pdb) {line}\n{answer}" for line, answer in zip(TYPED, answers, strict=True))


def train(how: str) -> tuple[list[float], int | None, str]:
    """Return the seconds of each step; at which step somebody said that it goes wrong, and what they said."""
    torch.manual_seed(options.seed)
    model = Network().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    # On a GPU, the watchdog that costs next to nothing cannot call the layers again: it looks at each then.
    watchdog = "layers" if use_gpu else True
    tracker = TorchTracker(run, model, optimizer, watchdog=watchdog) if how == "watched" else None
    screen = io.StringIO()
    person = pdb.Pdb(stdin=io.StringIO("\n".join(TYPED)), stdout=screen, readrc=False)

    def train_step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        loss = cross_entropy(model(x), y)
        if how == "pdb" and not loss.isfinite():
            person.set_trace()  # or: breakpoint()
            raise ArithmeticError(dialogue(screen.getvalue()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    times = []
    batches = [chosen for _ in range(options.epochs) for chosen in torch.randperm(len(pixels)).split(64)]
    for step, chosen in enumerate(tqdm(batches, desc=how, unit="step"), 1):
        x, y = pixels[chosen], labels[chosen]
        began = time.perf_counter()
        try:
            loss = train_step(x, y)
        except ArithmeticError as stopped:
            return times, step, str(stopped)
        except RuntimeError as error:  # of the anomaly mode, which warns of the line besides
            return times, step, "\n".join([str(error), *(str(warning.message) for warning in warned)])
        if use_gpu:
            torch.cuda.synchronize()  # only to time it: a training of one's own does not wait
        if tracker is not None:
            run.log({"loss/train": loss})
        times.append(time.perf_counter() - began)
    if tracker is not None:
        tracker.close()
        run.flush()
        with stepscope.open(options.store) as store:
            for alert in store.run(run.id).alerts:
                return times, alert.step, f"{alert.title}. {alert.text}"
    return times, None, ""


# 4. Whoever looks, one after the other; the table of what they said.
run = stepscope.init(
    project="goes-wrong", name="goes-wrong-pytorch", config=vars(options), store=options.store
)
rows = []
for how in ("plain", "watched", "pdb", "debugger"):
    with (
        warnings.catch_warnings(record=True) as warned,
        torch.autograd.set_detect_anomaly(how == "debugger"),
    ):
        times, step, said = train(how)
    usual = statistics.median(times[10 : options.wrong_after])  # the first ones warm up
    print(f"{how}: {1000 * usual:.2f} ms a step; step {step}: {said or 'nothing was said'}")
    rows.append([how, step, "yes" if "scale" in said else "no", usual])
    run.summary[f"seconds_a_step_{how}"] = usual
    if step is not None:
        run.summary[f"found_step_{how}"] = step
        run.log({f"said/{how}": stepscope.Text(said)})
run.log({"debuggers": stepscope.Table(["who looks", "step", "names the layer", "seconds a step"], rows)})
run.finish()
