"""A GAN learns to draw handwritten digits, in PyTorch: two losses, and what it draws after each epoch.

    python sample_runs/gan_pytorch.py
    stepscope ui

sample_runs/gan_keras.py does the same in Keras. On the Media page one slider goes through what was drawn,
from the same noise each time; on the Distributions page are the weights of both networks.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader
from tqdm import tqdm

import stepscope
from stepscope.trackers.pytorch import TorchTracker

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=60)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--noise", type=int, default=32, help="how many numbers a picture is made from")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

torch.manual_seed(options.seed)
torch.set_num_threads(1)
use_gpu = options.device == "gpu" or (options.device == "auto" and torch.cuda.is_available())
device = torch.device("cuda" if use_gpu else "cpu")

# Pictures from -1 to 1, channels first.
real_pictures = torch.from_numpy((load_digits().images / 8 - 1).astype("float32")[:, None]).to(device)

generator = nn.Sequential(
    OrderedDict(
        dense=nn.Linear(options.noise, 64 * 2 * 2),
        relu1=nn.ReLU(),
        reshape=nn.Unflatten(1, (64, 2, 2)),
        up1=nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1),
        norm=nn.BatchNorm2d(32),
        relu2=nn.ReLU(),
        up2=nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1),
        tanh=nn.Tanh(),
    )
).to(device)
discriminator = nn.Sequential(
    OrderedDict(
        down1=nn.Conv2d(1, 32, 4, stride=2, padding=1),
        relu1=nn.LeakyReLU(0.2),
        down2=nn.Conv2d(32, 64, 4, stride=2, padding=1),
        relu2=nn.LeakyReLU(0.2),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(0.3),
        out=nn.Linear(64 * 2 * 2, 1),
    )
).to(device)
generator_optimizer = torch.optim.Adam(generator.parameters(), lr=5e-4, betas=(0.5, 0.999))
discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))


def loss_of(logits: torch.Tensor, is_real: float) -> torch.Tensor:
    """Return how far the discriminator is from taking pictures for real (1) or drawn (0)."""
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, is_real))


def noise(count: int) -> torch.Tensor:
    """Return what pictures are made from: (count, noise)."""
    return torch.randn(count, options.noise, device=device)


@torch.no_grad()
def drawn(seeds: torch.Tensor) -> stepscope.Image:
    """Return the pictures made from 64 noises, as one of 8 by 8."""
    generator.eval()
    pictures = generator(seeds).reshape(8, 8, 8, 8)  # row, column, height, width
    generator.train()
    return stepscope.Image(
        (pictures.permute(0, 2, 1, 3).reshape(64, 64) + 1) / 2, caption="from the same noise each time"
    )


always_the_same = noise(64)
run = stepscope.init(project="gan", name="gan-pytorch", config=vars(options), store=options.store)
TorchTracker(run, generator, generator_optimizer, name="generator")
TorchTracker(run, discriminator, discriminator_optimizer, name="discriminator")
for epoch in tqdm(range(1, options.epochs + 1), unit="epoch"):
    for real in DataLoader(real_pictures, options.batch_size, shuffle=True, drop_last=True):
        # The discriminator learns to tell what was drawn from what is real ...
        fake = generator(noise(len(real)))
        judged = loss_of(discriminator(real), 1.0) + loss_of(discriminator(fake.detach()), 0.0)
        discriminator_optimizer.zero_grad()
        judged.backward()
        discriminator_optimizer.step()
        # ... and the generator to be taken for real.
        fooled = loss_of(discriminator(fake), 1.0)
        generator_optimizer.zero_grad()
        fooled.backward()
        generator_optimizer.step()
        run.log({"loss/generator": fooled, "loss/discriminator": judged})
    run.log({"drawn": drawn(always_the_same), "epoch": epoch})
run.finish()
print(f"generator {fooled.item():.3f}, discriminator {judged.item():.3f}")
