"""tensorboardX: event files without PyTorch."""

from __future__ import annotations

from pathlib import Path

from peers.summary_writer import EventFiles


class TensorboardX(EventFiles):
    """With its default queue of 10 and flush every 120 s."""

    title = "tensorboardX"
    packages = ("tensorboardX", "tensorboard")
    module = "tensorboardX"
    versions_of = ("tensorboardX",)

    def __init__(self, folder: Path) -> None:
        from tensorboardX import SummaryWriter

        self.writer = SummaryWriter(str(folder))
