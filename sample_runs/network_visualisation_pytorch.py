"""What a network has learned, made visible in three ways: saliency maps, fooling images, ideal classes.

    python sample_runs/network_visualisation_pytorch.py
    stepscope ui

sample_runs/network_visualisation_keras.py does the same in Keras. All three ask for the gradient of
a score with respect to the pixels instead of the weights. Methods: Simonyan et al. 2013 (saliency, class
visualisation), Szegedy et al. 2013 (fooling images). On the Media page one slider goes through the training,
then the fooling, then the visualising.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC
from torch import nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

import stepscope
from stepscope.trackers.pytorch import TorchTracker, log_saliency

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--climb", type=int, default=100, help="steps that a picture is changed for")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()

torch.manual_seed(options.seed)
torch.set_num_threads(1)  # so small a network gains nothing from more, and loses when other programs run
if options.device == "gpu" and not torch.cuda.is_available():
    parser.error("--device gpu: PyTorch sees no GPU")
use_gpu = options.device != "cpu" and torch.cuda.is_available()
device = torch.device("cuda" if use_gpu else "cpu")


# 1. Get the data: 1,797 digits of 8x8 pixels, scaled to 0..1; 80 % to train on, 20 % to test.
digits = load_digits()
pixels = (digits.images / 16).astype("float32")[:, None]  # channels first
x_train, x_test, y_train, y_test = train_test_split(
    pixels, digits.target, train_size=0.8, stratify=digits.target, random_state=options.seed
)


# 2. Define the model. It learns from noisy pictures: its gradients then show strokes, not single pixels.
class GaussianNoise(nn.Module):
    """Noise on what passes, in training only; Keras has this layer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x with noise of a fifth of its range."""
        return x + 0.2 * torch.randn_like(x) if self.training else x


model = nn.Sequential(
    OrderedDict(
        noise=GaussianNoise(),
        conv1=nn.Conv2d(1, 32, 3, padding="same"),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(32, 32, 3, padding="same"),
        relu2=nn.ReLU(),
        pool=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        out=nn.Linear(32 * 4 * 4, 10),
    )
).to(device)
for layer in (model.conv1, model.conv2, model.out):
    nn.init.xavier_uniform_(layer.weight)  # Keras' first weights: PyTorch's own are smaller
    nn.init.zeros_(layer.bias)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)  # Keras' epsilon


def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the part of the digits that were read right."""
    return (logits.argmax(1) == labels).float().mean()


# 3. Train. Saliency: which pixels of a digit decide, as the network learns to see.
run = stepscope.init(
    project="network-visualisation", name="visualised-pytorch", config=vars(options), store=options.store
)
TorchTracker(run, model, optimizer)
x, y = torch.from_numpy(x_train).to(device), torch.from_numpy(y_train).to(device)
for epoch in tqdm(range(1, options.epochs + 1), desc="training", unit="epoch"):
    for chosen in torch.randperm(len(x), device=device).split(32):
        logits = model(x[chosen])
        loss = cross_entropy(logits, y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss/train": loss, "accuracy/train": accuracy(logits, y[chosen])})
    run.log({"epoch": epoch})
    log_saliency(run, model, torch.from_numpy(x_test[:5]).to(device))
model.eval()
for split, of in (("train", (x_train, y_train)), ("test", (x_test, y_test))):
    x, y = (torch.from_numpy(array).to(device) for array in of)
    with torch.no_grad():
        logits = model(x)
    mean_loss, part_right = cross_entropy(logits, y).item(), accuracy(logits, y).item()
    run.summary[f"{split}_loss"], run.summary[f"{split}_accuracy"] = mean_loss, part_right
    print(f"{split:>5}: loss {mean_loss:.4f}, accuracy {part_right:.1%}")
run.log({"loss/test": mean_loss, "accuracy/test": part_right}, step=run.step)


# 4. Change pixels instead of weights.
def towards(x: torch.Tensor, targets: torch.Tensor, decay: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return how likely pictures (n, 1, 8, 8) are of classes (n,), and the directions that make them so.

    `decay` says how much bright pixels are held back.
    """
    x = x.detach().requires_grad_()
    logits = model(x)
    goal = logits.gather(1, targets[:, None]).sum() - decay * x.square().sum()
    (gradient,) = torch.autograd.grad(goal, x)
    scores = logits.detach().softmax(1).gather(1, targets[:, None])[:, 0]
    return scores, gradient / gradient.flatten(1).norm(dim=1)[:, None, None, None].clamp_min(1e-8)


def climb(
    name: str, start: np.ndarray, classes: range, *, rate: float, decay: float = 0.0, enough: float = 2.0
) -> tuple[np.ndarray, np.ndarray]:
    """Change pictures until the network takes them for classes; log them on the way, as `name`.

    Args:
        name: of the series of images.
        start: pictures (n, 1, 8, 8), from 0 to 1.
        classes: what each is to become.
        rate: how far a step goes.
        decay: how much bright pixels are held back.
        enough: the probability at which a picture is left as it is; above 1, none is.

    Returns:
        The pictures, and how likely the network finds their classes.
    """
    begin, x, targets = run.step, torch.from_numpy(start).to(device), torch.tensor(classes, device=device)
    for step in tqdm(range(options.climb + 1), desc=name, unit="step"):
        scores, direction = towards(x, targets, decay)
        if step % 5 == 0:
            shown = zip(x, classes, scores.tolist(), strict=True)
            images = [stepscope.Image(each, caption=f"a {of}: {score:.0%}") for each, of, score in shown]
            run.log({name: images, f"{name}_score": scores.mean()}, step=begin + step)
        if step < options.climb:
            x = (x + rate * direction * (scores < enough)[:, None, None, None]).clamp(0, 1)
    return x.cpu().numpy(), scores.cpu().numpy()


# Fooling: small changes to a 0 that make the network read another digit.
zero = x_test[y_test == 0][:1]
fooling, fooling_scores = climb("fooling", zero.repeat(9, 0), range(1, 10), rate=0.03, enough=0.9)
# Class visualisation: from noise, the same in both frameworks, to what the network takes for the ideal digit.
noise = 0.1 * np.random.default_rng(options.seed).random((10, 1, 8, 8), "float32")
ideal, ideal_scores = climb("class_visualisation", noise, range(10), rate=0.2, decay=0.5)


# 5. Report how well it went, and what a classifier says that knows nothing of the network.
other = SVC(random_state=options.seed).fit(x_train.reshape(-1, 64), y_train)
run.summary["fooled_of_9"] = int((fooling_scores >= 0.9).sum())
run.summary["fooled_other_classifier_of_9"] = int((other.predict(fooling.reshape(-1, 64)) != 0).sum())
run.summary["fooling_change_of_a_pixel"] = float(np.abs(fooling - zero).mean())
run.summary["visualised_of_10"] = int((ideal_scores >= 0.9).sum())
run.summary["visualised_read_by_other_of_10"] = int((other.predict(ideal.reshape(-1, 64)) == range(10)).sum())
run.finish()
print(f"fooled: {(fooling_scores >= 0.9).sum()} of 9, visualised: {(ideal_scores >= 0.9).sum()} of 10")
