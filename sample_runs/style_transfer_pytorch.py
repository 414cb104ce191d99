"""A picture is painted in the style of another one, in PyTorch, step by step.

    python sample_runs/style_transfer_pytorch.py
    stepscope ui

sample_runs/style_transfer_keras.py does the same in Keras. Content, style and result are images of one
run; a slider goes through the painting. Method: Gatys et al. 2015: the pixels are changed until the features
that a network sees in them are those of the content, and how features go together (Gram matrices) is as in
the style; of the style, the colours themselves count, too.

With --weights vgg16-397923af.pth --size 256 they are those of VGG-16, once torchvision's file is there:

    curl -O https://download.pytorch.org/models/vgg16-397923af.pth

Without weights, the features are those of a small network that first learns to read coloured digits, and the
run says so. They know strokes, edges and a few colours, so do not expect a Van Gogh.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import zoom
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn.functional import cross_entropy
from tqdm import trange

import stepscope
from stepscope.trackers.pytorch import TorchTracker

VGG16 = (64, 64, "pool", 128, 128, "pool", 256, 256, 256)
SMALL = (16, 16, "pool", 32, 32, "pool", 64)

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=20, help="of learning to read digits, without --weights")
parser.add_argument("--steps", type=int, default=200, help="of painting")
parser.add_argument("--weights", type=Path, help="torchvision's weights of VGG-16")
parser.add_argument("--content", type=Path, help="a picture (default: a handwritten digit)")
parser.add_argument("--style", type=Path, help="another one (default: coloured waves)")
parser.add_argument("--size", type=int, default=64, help="pixels of the result's sides")
parser.add_argument("--style-weight", type=float, default=10.0)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

torch.manual_seed(options.seed)
torch.set_num_threads(1)  # so small a network gains nothing from more, and loses when other programs run
if options.device == "gpu" and not torch.cuda.is_available():
    parser.error("--device gpu: PyTorch sees no GPU")
use_gpu = options.device != "cpu" and torch.cuda.is_available()
device = torch.device("cuda" if use_gpu else "cpu")


# 1. Get the data: content, style, and 1,797 digits to learn from, each of one colour on another.
def read(path: Path | None, otherwise: np.ndarray) -> np.ndarray:
    """Return a picture as float32 (1, 3, size, size), 0 to 1: a file's, or of an array (h, w, 3)."""
    picture = Image.open(path).convert("RGB") if path else Image.fromarray(np.uint8(255 * otherwise))
    resized = picture.resize((options.size, options.size), Image.Resampling.BICUBIC)
    return np.asarray(resized, "float32").transpose(2, 0, 1)[None] / 255  # channels first


digits = load_digits()
colour, x_y = np.random.default_rng(options.seed), np.mgrid[0:1:64j, 0:1:64j]
waves = [0.5 + 0.5 * np.sin(40 * (x_y[1] + 0.15 * np.sin(9 * x_y[0])) + phase) for phase in (0, 1, 2)]
content = read(options.content, np.repeat(digits.images[3][..., None] / 16, 3, axis=2))
style = read(options.style, np.stack(waves, axis=2))
# One of the two colours is light, the other dark; which is which differs.
dark, light = colour.random((2, len(digits.images), 1, 1, 3)) / 2 + [[[[[0.0]]]], [[[[0.5]]]]]
swapped = colour.random((len(dark), 1, 1, 1)) < 0.5
ink, paper = np.where(swapped, dark, light), np.where(swapped, light, dark)
drawn = zoom(digits.images / 16, (1, 2, 2), order=1)[..., None]  # 16x16: the network halves them twice
coloured = (drawn * ink + (1 - drawn) * paper).astype("float32")
x_train, x_test, y_train, y_test = train_test_split(
    coloured.transpose(0, 3, 1, 2),
    digits.target,
    train_size=0.8,
    stratify=digits.target,
    random_state=options.seed,
)


# 2. Define the network whose features are used, and learn them where no weights are given.
def layers_of(plan: tuple[int | str, ...]) -> nn.Sequential:
    """Return convolutions and pools as VGG has them; a number is how many filters."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 3
    for number, part in enumerate(plan, 1):
        if part == "pool":  # the mean paints smoother pictures than VGG's maximum, say Gatys et al.
            layers[f"pool{number}"] = nn.AvgPool2d(2)
        else:
            layers[f"conv{number}"] = nn.Conv2d(channels, part, 3, padding=1)
            layers[f"relu{number}"] = nn.ReLU()
            channels = part
    return nn.Sequential(layers).to(device)


def learn_digits(network: nn.Sequential) -> None:
    """Let the features learn to tell digits apart."""
    head = OrderedDict(pool=nn.AvgPool2d(2), flatten=nn.Flatten(), out=nn.Linear(64 * 2 * 2, 10))
    model = nn.Sequential(OrderedDict(network.named_children()) | head).to(device)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)  # Keras' first weights: PyTorch's own are smaller
            nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)  # Keras' epsilon
    tracker = TorchTracker(run, model, optimizer)
    x, y = torch.from_numpy(x_train).to(device), torch.from_numpy(y_train).to(device)
    for epoch in trange(1, options.epochs + 1, desc="learning digits", unit="epoch"):
        for chosen in torch.randperm(len(x), device=device).split(64):
            logits = model(x[chosen])
            loss = cross_entropy(logits, y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log({"loss/train": loss, "accuracy/train": (logits.argmax(1) == y[chosen]).float().mean()})
        run.log({"epoch": epoch})
    tracker.close()
    for split, of in (("train", (x_train, y_train)), ("test", (x_test, y_test))):
        x, y = (torch.from_numpy(array).to(device) for array in of)
        with torch.no_grad():
            logits = model(x)
        run.summary[f"{split}_loss"] = mean_loss = cross_entropy(logits, y).item()
        run.summary[f"{split}_accuracy"] = part_right = (logits.argmax(1) == y).float().mean().item()
    run.log({"loss/test": mean_loss, "accuracy/test": part_right}, step=run.step)


origin = "a small network that learned to read coloured digits: no --weights were given"
if options.weights:
    origin = f"VGG-16, from {options.weights.name}"
print("Features:", origin)
run = stepscope.init(
    project="style-transfer",
    name="style-pytorch",
    config={**vars(options), "features": origin},
    notes=f"Features: {origin}",
    store=options.store,
)
run.log({"content": stepscope.Image(content[0]), "style": stepscope.Image(style[0])}, step=0)
network = layers_of(VGG16 if options.weights else SMALL)
if options.weights:
    known = torch.load(options.weights, map_location=device).items()
    features = [weight for name, weight in known if name.startswith("features.")]
    network.load_state_dict(dict(zip(network.state_dict(), features, strict=False)))
else:
    learn_digits(network)
network.requires_grad_(False)


# 3. Define the losses: how far features and Gram matrices are from those that are wanted, as parts of these.
def seen(picture: torch.Tensor) -> list[torch.Tensor]:
    """Return a picture's colours, and what each ReLU gives for it: (channels, pixels) of several sizes."""
    found, x = [picture[0].flatten(1)], picture
    if options.weights:  # what VGG-16 was trained with
        mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], device=device)
        x = (x - mean[:, None, None]) / deviation[:, None, None]
    for layer in network:
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            found.append(x[0].flatten(1))
    return found


def gram(x: torch.Tensor) -> torch.Tensor:
    """Return how channels go together: (channels, channels)."""
    return x @ x.T / x.shape[1]


def away(x: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return how far x is from what is wanted: 0 when it is that, 1 when it is nothing."""
    return (x - wanted).square().sum() / wanted.square().sum()


def roughness(picture: torch.Tensor) -> torch.Tensor:
    """Return how much neighbouring pixels differ."""
    return picture.diff(dim=2).square().mean() + picture.diff(dim=3).square().mean()


# 4. Paint: change the pixels of the content.
result = torch.from_numpy(content).to(device).requires_grad_()
wanted_content = seen(torch.from_numpy(content).to(device))[-1]
wanted_style = [gram(x) for x in seen(torch.from_numpy(style).to(device))]
painter = torch.optim.Adam([result], lr=0.02, eps=1e-7)
begin = run.step
for step in trange(options.steps + 1, desc="painting", unit="step"):
    found = seen(result)
    content_loss = away(found[-1], wanted_content)
    style_losses = [away(gram(x), wanted) for x, wanted in zip(found, wanted_style, strict=True)]
    style_loss = torch.stack(style_losses).mean()
    loss = content_loss + options.style_weight * style_loss + roughness(result)
    values = {"loss/content": content_loss, "loss/style": style_loss, "loss/painting": loss}
    if step % 10 == 0:
        values["result"] = stepscope.Image(result.detach()[0], caption=f"after {step} steps")
    run.log(values, step=begin + step)
    if step == 0:
        run.summary["style_loss_at_first"] = style_loss.item()
    painter.zero_grad()
    loss.backward()
    painter.step()
    with torch.no_grad():
        result.clamp_(0, 1)


# 5. Report how near the result came to both.
run.summary.update(content_loss=content_loss.item(), style_loss=style_loss.item())
run.finish()
print(f"content {content_loss.item():.4f}, style {style_loss.item():.4f}")
