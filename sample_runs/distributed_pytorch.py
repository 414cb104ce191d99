"""Two processes train one model, in PyTorch: DistributedDataParallel, one run, two ranks.

    python sample_runs/distributed_pytorch.py
    stepscope ui

sample_runs/distributed_keras.py does the same in Keras. The processes talk over gloo, which needs no GPU.
What a rank logs has its rank: the Charts page draws their mean in a band, or each by itself. Then one process
trains the same model alone, to compare with: as long as the processor has a core for each rank, two share the
work, and lose the time in which they wait for each other's gradients. Last, the older way: DataParallel
splits a batch over the GPUs of one process; without GPUs, it is the model itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import OrderedDict

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import distributed, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset
from tqdm import tqdm

import stepscope
from stepscope.trackers.pytorch import TorchTracker

RANKS = 2


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: GPUs if there are enough"
    )
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=128, help="of all ranks together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
    options = parser.parse_args()
    if options.device == "gpu" and torch.cuda.device_count() < RANKS:
        parser.error(f"--device gpu: PyTorch sees {torch.cuda.device_count()} GPUs, and {RANKS} are needed")
    return options


# 1. The data: 1,797 digits of 8x8 pixels, scaled to 0..1, 80 % to train on, 20 % to test.
def digits(seed: int) -> tuple[TensorDataset, TensorDataset]:
    """Return those to train on, and those to test."""
    digits = load_digits()
    pixels = (digits.images / 16).astype("float32")[:, None]  # channels first
    x_train, x_test, y_train, y_test = map(
        torch.from_numpy,
        train_test_split(pixels, digits.target, train_size=0.8, stratify=digits.target, random_state=seed),
    )
    return TensorDataset(x_train, y_train), TensorDataset(x_test, y_test)


# 2. The model.
def new_model() -> nn.Module:
    """Return a network of two convolutions, with initial weights as Keras makes them."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(1, 32, 3, padding="same"),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(32, 64, 3, padding="same"),
        relu2=nn.ReLU(),
        pool=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        out=nn.Linear(64 * 4 * 4, 10),
    )
    for name, weight in nn.Sequential(layers).named_parameters():
        nn.init.zeros_(weight) if name.endswith("bias") else nn.init.xavier_uniform_(weight)
    return nn.Sequential(layers)


# 3. The training, however it is distributed: the loop does not change.
def train(
    run: stepscope.Run, model: nn.Module, batches: DataLoader, device: torch.device, epochs: int
) -> None:
    """Train a model, and note how fast that went."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)  # eps as Keras has it
    TorchTracker(run, model, optimizer)
    seconds = []
    for epoch in tqdm(range(epochs), desc=run.name, unit="epoch", disable=run.rank > 0):
        if isinstance(batches.sampler, DistributedSampler):
            batches.sampler.set_epoch(epoch)  # or every epoch would have the same order
        began = time.perf_counter()
        for x, y in batches:
            logits = model(x.to(device))
            loss = cross_entropy(logits, y.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            accuracy = (logits.argmax(1) == y.to(device)).float().mean()
            run.log({"loss/train": loss, "accuracy/train": accuracy})
        seconds.append(time.perf_counter() - began)
    run.summary["steps_a_second"] = len(batches) / statistics.median(seconds)


# 4. How good it has become, on all data.
@torch.no_grad()
def evaluate(run: stepscope.Run, model: nn.Module, device: torch.device, seed: int) -> None:
    """Write loss and accuracy to the run."""
    model.eval()
    for split, data in zip(("train", "test"), digits(seed), strict=True):
        x, y = (tensor.to(device) for tensor in data.tensors)
        logits = model(x)
        loss, accuracy = cross_entropy(logits, y).item(), (logits.argmax(1) == y).float().mean().item()
        run.summary.update({f"{split}_loss": loss, f"{split}_accuracy": accuracy})
        print(f"{run.name}: {split}: loss {loss:.4f}, accuracy {accuracy:.1%}")
    run.log({"loss/test": loss, "accuracy/test": accuracy})
    print(f"{run.name}: {run.summary['steps_a_second']:.1f} steps a second")


# 5. Two ranks.
def train_rank(rank: int, meeting: str, options: argparse.Namespace) -> None:
    """Train as one of the processes, on its share of each batch."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    use_gpu = options.device != "cpu" and torch.cuda.device_count() >= RANKS
    device = torch.device("cuda", rank) if use_gpu else torch.device("cpu")
    backend = "nccl" if use_gpu else "gloo"
    distributed.init_process_group(backend, f"file://{meeting}", rank=rank, world_size=RANKS)
    data, _ = digits(options.seed)
    mine = DistributedSampler(data, seed=options.seed)
    batches = DataLoader(data, options.batch_size // RANKS, sampler=mine, drop_last=True)
    model = new_model().to(device)
    # Every rank calls init, and gets the same run.
    with stepscope.init(
        project="distributed",
        name="ddp-pytorch",
        group="two ranks",
        config={**vars(options), "ranks": RANKS, "backend": backend},
        store=options.store,
    ) as run:
        parallel = nn.parallel.DistributedDataParallel(model, [rank] if use_gpu else None)
        train(run, parallel, batches, device, options.epochs)
        if rank == 0:
            evaluate(run, model, device, options.seed)
    distributed.destroy_process_group()


# 6. One process: alone, and under DataParallel.
def train_in_one_process(name: str, options: argparse.Namespace) -> None:
    """Train on whole batches."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    use_gpu = options.device != "cpu" and torch.cuda.is_available()
    device = torch.device("cuda" if use_gpu else "cpu")
    data, _ = digits(options.seed)
    batches = DataLoader(data, options.batch_size, shuffle=True, drop_last=True)
    model = new_model().to(device)
    parallel = nn.DataParallel(model) if name == "data-parallel" else model
    with stepscope.init(
        project="distributed",
        name=f"{name}-pytorch",
        group=name.replace("-", " "),
        config={**vars(options), "ranks": 1, "backend": "none"},
        store=options.store,
    ) as run:
        train(run, parallel, batches, device, options.epochs)
        evaluate(run, model, device, options.seed)


if __name__ == "__main__":
    given = parsed()
    with tempfile.TemporaryDirectory() as folder:
        # With torchrun, one would start the program twice; here it starts its processes itself. Forks need
        # not load anything again; CUDA does not work in them, nor does what macOS brings along.
        may_fork = sys.platform == "linux" and not torch.cuda.is_available()
        torch.multiprocessing.start_processes(
            train_rank,
            (os.path.join(folder, "meeting"), given),
            nprocs=RANKS,
            start_method="fork" if may_fork else "spawn",
        )
    train_in_one_process("one-device", given)
    train_in_one_process("data-parallel", given)
