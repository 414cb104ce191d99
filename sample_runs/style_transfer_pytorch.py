"""A picture is painted in the style of another one, in PyTorch, step by step.

    python sample_runs/style_transfer_pytorch.py
    stepscope ui

sample_runs/style_transfer_keras.py does the same in Keras. Content, style and result are images of one run; a
slider goes through the painting. Method: Gatys et al. 2015: the pixels are changed until the features that a
network sees in them are those of the content, and how features go together (Gram matrices) is as in the
style.

    --weights vgg16-397923af.pth   takes torchvision's VGG-16, once downloaded

Without weights, the features are those of a small network that learns to read digits first. They know strokes
and edges and nothing of colours, so do not expect a Van Gogh.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy, interpolate, mse_loss
from tqdm import trange

import stepscope
from stepscope.trackers.pytorch import TorchTracker

VGG16 = (64, 64, "pool", 128, 128, "pool", 256, 256, 256)
SMALL = (16, 16, "pool", 32, 32, "pool", 64)

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=10, help="of learning to read digits, without --weights")
parser.add_argument("--steps", type=int, default=200, help="of painting")
parser.add_argument("--weights", type=Path, help="torchvision's weights of VGG-16")
parser.add_argument("--content", type=Path, help="a picture (default: a handwritten digit)")
parser.add_argument("--style", type=Path, help="another one (default: waves)")
parser.add_argument("--size", type=int, default=64, help="pixels of the result's sides")
parser.add_argument("--style-weight", type=float, default=100.0)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

torch.manual_seed(options.seed)
torch.set_num_threads(1)
use_gpu = options.device == "gpu" or (options.device == "auto" and torch.cuda.is_available())
device = torch.device("cuda" if use_gpu else "cpu")
digits = load_digits()


def features(plan: tuple[int | str, ...]) -> nn.Sequential:
    """Return convolutions and pools as VGG has them; a number is how many filters."""
    layers: list[nn.Module] = []
    channels = 3
    for part in plan:
        if part == "pool":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, part, 3, padding=1), nn.ReLU()]
            channels = part
    return nn.Sequential(*layers).to(device)


def as_picture(path: Path | None, otherwise: np.ndarray) -> torch.Tensor:
    """Return a picture (1, 3, size, size) from 0 to 1: a file's, or of an array (height, width, 3)."""
    picture = Image.open(path).convert("RGB") if path else Image.fromarray(np.uint8(255 * otherwise))
    pixels = np.asarray(picture.resize((options.size, options.size), Image.Resampling.BICUBIC))
    return torch.from_numpy(pixels / 255).float().permute(2, 0, 1)[None].to(device)


def digit() -> np.ndarray:
    """Return a handwritten digit: (8, 8, 3), 0 to 1."""
    return np.repeat(digits.images[3][..., None] / 16, 3, axis=2)


def waves() -> np.ndarray:
    """Return coloured waves: (64, 64, 3), 0 to 1."""
    y, x = np.mgrid[0:1:64j, 0:1:64j]
    return np.stack(
        [0.5 + 0.5 * np.sin(40 * (x + 0.15 * np.sin(9 * y)) + phase) for phase in (0, 1, 2)], axis=2
    )


def learn_digits(network: nn.Sequential, run: stepscope.Run) -> None:
    """Let the network's features learn to tell digits apart, in pictures of the size of the result."""
    pixels = torch.from_numpy((digits.images / 16).astype("float32"))[:, None].to(device)
    pixels = interpolate(pixels, 16, mode="bilinear").expand(-1, 3, -1, -1)
    labels = torch.from_numpy(digits.target).to(device)
    model = nn.Sequential(network, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.LazyLinear(10, device=device))
    model(pixels[:1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    tracker = TorchTracker(run, model, optimizer)
    for _ in trange(options.epochs, desc="learning digits", unit="epoch"):
        for chosen in torch.randperm(len(pixels), device=device).split(64):
            loss = cross_entropy(model(pixels[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log({"loss/train": loss})
    tracker.close()


def seen(network: nn.Sequential, picture: torch.Tensor) -> list[torch.Tensor]:
    """Return what each ReLU gives: (1, channels, height, width) of several sizes."""
    found, x = [], picture
    for layer in network:
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            found.append(x)
    return found


def gram(x: torch.Tensor) -> torch.Tensor:
    """Return how channels go together: (channels, channels)."""
    flat = x[0].flatten(1)
    return flat @ flat.T / flat.numel()


run = stepscope.init(
    project="style-transfer", name="style-pytorch", config=vars(options), store=options.store
)
content, style = as_picture(options.content, digit()), as_picture(options.style, waves())
run.log({"content": stepscope.Image(content[0]), "style": stepscope.Image(style[0])}, step=0)
if options.weights:
    network = features(VGG16)
    known = torch.load(options.weights, map_location=device)
    network.load_state_dict({name: known[f"features.{name}"] for name in network.state_dict()})
    run.summary["features"] = f"VGG-16 from {options.weights.name}"
else:
    network = features(SMALL)
    learn_digits(network, run)
    run.summary["features"] = "a small network that learned to read digits: no --weights were given"
print("Features:", run.summary["features"])

network.requires_grad_(False)
wanted_content = seen(network, content)[-1]
wanted_style = [gram(x) for x in seen(network, style)]
result = content.clone().requires_grad_()
painter = torch.optim.Adam([result], lr=0.02)
begin = run.step
for step in trange(options.steps + 1, desc="painting", unit="step"):
    found = seen(network, result)
    content_loss = mse_loss(found[-1], wanted_content)
    style_loss = sum(mse_loss(gram(x), wanted) for x, wanted in zip(found, wanted_style, strict=True))
    loss = content_loss + options.style_weight * style_loss
    values = {"loss/content": content_loss, "loss/style": style_loss, "loss/painting": loss}
    if step % 10 == 0:
        values["result"] = stepscope.Image(result.detach()[0], caption=f"after {step} steps")
    run.log(values, step=begin + step)
    painter.zero_grad()
    loss.backward()
    painter.step()
    with torch.no_grad():
        result.clamp_(0, 1)
run.finish()
print(f"content {content_loss.item():.4f}, style {style_loss.item():.6f}")
