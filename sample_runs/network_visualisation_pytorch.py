"""What a network has learned, made visible in three ways: saliency maps, fooling images, ideal classes.

    python sample_runs/network_visualisation_pytorch.py
    stepscope ui

sample_runs/network_visualisation_keras.py does the same in Keras. All three ask for the gradient of a score
with respect to the pixels instead of the weights. Methods: Simonyan et al. 2013 (saliency, class
visualisation), Szegedy et al. 2013 (fooling images).
"""

from __future__ import annotations

import argparse
from collections import OrderedDict

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

import stepscope
from stepscope.trackers.pytorch import TorchTracker, log_saliency

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=15)
parser.add_argument("--climb", type=int, default=100, help="steps that a picture is changed for")
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
        conv1=nn.Conv2d(1, 32, 3, padding="same"),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(32, 32, 3, padding="same"),
        relu2=nn.ReLU(),
        pool=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        out=nn.Linear(32 * 4 * 4, 10),
    )
).to(device)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
run = stepscope.init(
    project="network-visualisation", name="visualised-pytorch", config=vars(options), store=options.store
)
TorchTracker(run, model, optimizer)
for _ in tqdm(range(options.epochs), desc="training", unit="epoch"):
    for chosen in torch.randperm(len(pixels), device=device).split(32):
        loss = cross_entropy(model(pixels[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss/train": loss})
    # Saliency: which pixels of a digit decide, as the network learns to see.
    log_saliency(run, model, pixels[:5])
model.eval()


def climb(
    picture: torch.Tensor,
    target: int,
    name: str,
    *,
    rate: float,
    decay: float = 0.0,
    enough: float | None = None,
) -> None:
    """Change a picture (1, 8, 8) until the network takes it for a class; log it on the way.

    Args:
        picture: pixels from 0 to 1.
        target: the class.
        name: of the series of images.
        rate: how far a step goes.
        decay: how much bright pixels are held back.
        enough: the probability of the class at which it ends; None for all steps.
    """
    x = picture.clone().requires_grad_()
    for step in range(options.climb + 1):
        logits = model(x[None])[0]
        score = logits.softmax(0)[target].item()
        done = step == options.climb or (enough is not None and score >= enough)
        if done or step % 5 == 0:
            image = stepscope.Image(x.detach(), caption=f"a {target} at {score:.0%}")
            run.log({name: image, f"{name}/score": score}, step=step)
        if done:
            return
        (gradient,) = torch.autograd.grad(logits[target] - decay * x.square().sum(), x)
        with torch.no_grad():
            x += rate * gradient / gradient.norm().clamp_min(1e-8)
            x.clamp_(0, 1)


# Fooling: the smallest changes to a 0 that make the network read another digit.
for target in (3, 8):
    climb(pixels[0], target, f"fooling/0 as {target}", rate=0.02, enough=0.9)
# Class visualisation: from noise to what the network takes for the ideal digit.
for target in tqdm(range(10), desc="visualising", unit="class"):
    climb(0.1 * torch.rand(1, 8, 8, device=device), target, f"ideal/{target}", rate=0.2, decay=0.05)
run.finish()
print(f"loss {loss.item():.4f}")
