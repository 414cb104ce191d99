"""A GAN learns to draw handwritten digits, in PyTorch: two losses, and what it draws after each epoch.

    python sample_runs/gan_pytorch.py
    stepscope ui

sample_runs/gan_keras.py does the same in Keras: the same networks, optimisers and first weights'
distribution, and pictures from the same noise. On the Media page one slider goes through what was drawn; on
the Distributions page are the weights of both networks, on the Graph page both models.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict

import numpy as np
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.svm import SVC
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader
from tqdm import tqdm

import stepscope
from stepscope.trackers.pytorch import TorchTracker

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=100)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--noise", type=int, default=32, help="how many numbers a picture is made from")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

torch.manual_seed(options.seed)
torch.set_num_threads(1)  # so small a network gains nothing from more, and loses when other programs run
if options.device == "gpu" and not torch.cuda.is_available():
    parser.error("--device gpu: PyTorch sees no GPU")
use_gpu = options.device != "cpu" and torch.cuda.is_available()
device = torch.device("cuda" if use_gpu else "cpu")


# 1. Get the data: 1,797 digits of 8x8 pixels, as rows with values from -1 to 1.
digits = load_digits()
pixels = (digits.data / 8 - 1).astype("float32")
batches = DataLoader(torch.from_numpy(pixels).to(device), options.batch_size, shuffle=True, drop_last=True)
# What judges the drawings later: it reads 95 % of the real digits with a probability of 90 % or more.
reader = CalibratedClassifierCV(SVC(random_state=options.seed), ensemble=False).fit(pixels, digits.target)
# Pictures are drawn from the same noise each time, and in both frameworks.
always_the_same = np.random.default_rng(options.seed).standard_normal((1000, options.noise), "float32")


# 2. Define the networks.
generator = nn.Sequential(
    OrderedDict(
        dense1=nn.Linear(options.noise, 256),
        norm1=nn.BatchNorm1d(256),
        relu1=nn.ReLU(),
        dense2=nn.Linear(256, 256),
        norm2=nn.BatchNorm1d(256),
        relu2=nn.ReLU(),
        out=nn.Linear(256, 64),
        tanh=nn.Tanh(),
    )
).to(device)
discriminator = nn.Sequential(
    OrderedDict(
        dense1=nn.Linear(64, 256),
        relu1=nn.LeakyReLU(0.2),
        dense2=nn.Linear(256, 256),
        relu2=nn.LeakyReLU(0.2),
        out=nn.Linear(256, 1),
    )
).to(device)
for network in (generator, discriminator):
    for layer in (network.dense1, network.dense2, network.out):
        nn.init.xavier_uniform_(layer.weight)  # Keras' first weights: PyTorch's own are smaller
        nn.init.zeros_(layer.bias)


# 3. Define the losses and the optimisers.
def loss_of(logits: torch.Tensor, is_real: float) -> torch.Tensor:
    """Return how far the discriminator is from taking pictures for real (1) or drawn (0)."""
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, is_real))


generator_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999), eps=1e-7)
discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999), eps=1e-7)


def train_step(real: torch.Tensor, blur: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Make one step of both networks; return the losses of generator and discriminator.

    Args:
        real: pictures (batch, 64).
        blur: how much noise covers pictures; it keeps the discriminator from being sure too soon.
    """

    def judge(pictures: torch.Tensor) -> torch.Tensor:
        return discriminator(pictures + blur * torch.randn_like(pictures))

    fake = generator(torch.randn(len(real), options.noise, device=device))
    # The discriminator learns to tell what was drawn from what is real ...
    judged = loss_of(judge(real), 1.0) + loss_of(judge(fake.detach()), 0.0)
    discriminator_optimizer.zero_grad()
    judged.backward()
    discriminator_optimizer.step()
    # ... and the generator to be taken for real.
    fooled = loss_of(judge(fake), 1.0)
    generator_optimizer.zero_grad()
    fooled.backward()
    generator_optimizer.step()
    return fooled, judged


# 4. Show what is drawn.
@torch.no_grad()
def draw(count: int) -> np.ndarray:
    """Return the pictures of the first noises: (count, 64)."""
    generator.eval()
    drawn = generator(torch.from_numpy(always_the_same[:count]).to(device))
    generator.train()
    return drawn.cpu().numpy()


def board(drawn: np.ndarray, caption: str) -> stepscope.Image:
    """Return 25 pictures as one, five in a row, with grey lines between them."""
    framed = np.pad(
        (drawn.reshape(5, 5, 8, 8) + 1) / 2, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=0.4
    )
    return stepscope.Image(framed.transpose(0, 2, 1, 3).reshape(50, 50), caption=caption)


def quality() -> tuple[float, int]:
    """Return the part of 1,000 pictures that are surely digits (90 %), and how many classes are drawn."""
    chances = reader.predict_proba(draw(1000))
    sure = chances.max(1) >= 0.9
    drawn_often = np.bincount(chances.argmax(1)[sure], minlength=10) >= 10
    return float(sure.mean()), int(drawn_often.sum())


# 5. Train.
run = stepscope.init(project="gan", name="gan-pytorch", config=vars(options), store=options.store)
for name in ("sure_digits", "classes_drawn"):
    run.define_metric(name, goal="maximize")
TorchTracker(run, generator, generator_optimizer, name="generator")
TorchTracker(run, discriminator, discriminator_optimizer, name="discriminator")
for epoch in tqdm(range(1, options.epochs + 1), unit="epoch"):
    blur = 0.3 * (1 - epoch / options.epochs)
    for real in batches:
        fooled, judged = train_step(real, blur)
        run.log({"loss/generator": fooled, "loss/discriminator": judged})
    run.log({"drawn": board(draw(25), f"epoch {epoch}"), "epoch": epoch})
    if epoch % 10 == 0 or epoch == options.epochs:
        sure, classes = quality()
        run.log({"sure_digits": sure, "classes_drawn": classes})


# 6. Report how good the drawings are.
run.summary.update(sure_digits=sure, classes_drawn=classes)
run.finish()
print(f"generator {fooled.item():.3f}, discriminator {judged.item():.3f}")
print(f"{sure:.0%} of the drawings are surely digits, of {classes} classes")
