"""Two processes train one model, in PyTorch: DistributedDataParallel, one run, two ranks.

    python sample_runs/distributed_pytorch.py
    stepscope ui

sample_runs/distributed_keras.py does the same in Keras. The processes talk over gloo, which needs no GPU.
What a rank logs has its rank: the Charts page draws their mean in a band, or each by itself. Afterwards
DataParallel, the older way, which splits a batch over the GPUs of one process, trains the same model as a
second run.
"""

from __future__ import annotations

import argparse
import os
import tempfile

import torch
from sklearn.datasets import load_digits
from torch import distributed, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset
from tqdm import tqdm

import stepscope
from stepscope.trackers.pytorch import TorchTracker

PROCESSES = 2


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: GPUs if there are enough"
    )
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=64, help="of all processes together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
    return parser.parse_args()


def model_and_data() -> tuple[nn.Module, TensorDataset]:
    """Return a new model, and the digits."""
    digits = load_digits()
    pixels = torch.from_numpy((digits.data / 16).astype("float32"))
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    return model, TensorDataset(pixels, torch.from_numpy(digits.target))


def train(
    model: nn.Module,
    batches: DataLoader,
    device: torch.device,
    run: stepscope.Run,
    options: argparse.Namespace,
) -> None:
    """Train a model, however it is distributed: the loop does not change."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    TorchTracker(run, model, optimizer)
    for epoch in tqdm(range(options.epochs), unit="epoch", disable=run.rank > 0):
        if isinstance(batches.sampler, DistributedSampler):
            batches.sampler.set_epoch(epoch)  # or every epoch would have the same order
        for x, y in batches:
            logits = model(x.to(device))
            loss = cross_entropy(logits, y.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            accuracy = (logits.argmax(1) == y.to(device)).float().mean()
            run.log({"loss/train": loss, "accuracy/train": accuracy})


def train_rank(rank: int, meeting: str, options: argparse.Namespace) -> None:
    """Train as one of the processes, on its share of each batch."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    use_gpu = options.device != "cpu" and torch.cuda.device_count() >= PROCESSES
    device = torch.device("cuda", rank) if use_gpu else torch.device("cpu")
    distributed.init_process_group(
        "nccl" if use_gpu else "gloo", f"file://{meeting}", rank=rank, world_size=PROCESSES
    )
    model, data = model_and_data()
    mine = DistributedSampler(data, seed=options.seed)
    batches = DataLoader(data, options.batch_size // PROCESSES, sampler=mine)
    # Every rank calls init, and gets the same run.
    with stepscope.init(
        project="distributed", name="ddp-pytorch", config=vars(options), store=options.store
    ) as run:
        parallel = nn.parallel.DistributedDataParallel(model.to(device), [rank] if use_gpu else None)
        train(parallel, batches, device, run, options)
    distributed.destroy_process_group()


def train_in_one_process(options: argparse.Namespace) -> None:
    """Train under DataParallel, on all GPUs there are; without any it is the model itself."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    use_gpu = options.device != "cpu" and torch.cuda.is_available()
    model, data = model_and_data()
    device = torch.device("cuda" if use_gpu else "cpu")
    batches = DataLoader(data, options.batch_size, shuffle=True)
    with stepscope.init(
        project="distributed", name="data-parallel-pytorch", config=vars(options), store=options.store
    ) as run:
        train(nn.DataParallel(model.to(device)), batches, device, run, options)


if __name__ == "__main__":
    given = parsed()
    with tempfile.TemporaryDirectory() as folder:
        # With torchrun, one would start the program twice; here it starts its processes itself.
        meeting = os.path.join(folder, "meeting")
        torch.multiprocessing.spawn(train_rank, (meeting, given), nprocs=PROCESSES)
    train_in_one_process(given)
