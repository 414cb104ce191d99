"""Which sources there are. Each is loaded when it is used: some need the other program's package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from .base import Source


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One source, before it is loaded."""

    title: str
    """As people call the format."""
    class_name: str
    """In the module source.py of the folder that is named as the source."""
    place: str
    """What its place is, for `stepscope import --help`."""


SOURCES: Mapping[str, SourceEntry] = {
    "tensorboard": SourceEntry(
        "TensorBoard", "TensorBoardSource", "a logdir, with all folders in it; also s3://, gs:// ..."
    ),
    "visdom": SourceEntry(
        "Visdom", "VisdomSource", "an environment file, the folder of them, or the URL of a running server"
    ),
    "wandb": SourceEntry(
        "W&B", "WandbSource", "the folder wandb, or one run's folder in it, as kept offline"
    ),
    "mlflow": SourceEntry("MLflow", "MlflowSource", "the folder mlruns, or an SQLite file such as mlflow.db"),
    "trackio": SourceEntry("trackio", "TrackioSource", "trackio's folder, or one project's .db file"),
    "aim": SourceEntry("Aim", "AimSource", "the folder .aim, or the one that holds it"),
}


def open_source(name: str, place: str) -> Source:
    """Return a source.

    Args:
        name: a key of SOURCES.
        place: where its runs are: a path or a URL.

    Raises:
        MissingExtra: a package is not installed that it needs.
        BadInput: the place is none.
    """
    module = import_module(f".{name}.source", __package__)
    return getattr(module, SOURCES[name].class_name)(place)
