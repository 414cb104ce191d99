"""The trackers that are measured, ours first."""

from __future__ import annotations

from peers.aim import Aim
from peers.base import Peer
from peers.dvclive import Dvclive
from peers.mlflow import Mlflow
from peers.stepscope import Stepscope
from peers.summary_writer import SummaryWriter
from peers.tensorboardx import TensorboardX
from peers.trackio import Trackio
from peers.wandb import Wandb

PEERS: dict[str, type[Peer]] = {
    "stepscope": Stepscope,
    "summary_writer": SummaryWriter,
    "tensorboardx": TensorboardX,
    "trackio": Trackio,
    "wandb": Wandb,
    "aim": Aim,
    "mlflow": Mlflow,
    "dvclive": Dvclive,
}
OURS = "stepscope"
