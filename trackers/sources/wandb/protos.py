"""W&B's definitions of its records, taken out of its package without the package."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

from ....storage.errors import MissingPackage

_PACKAGE = "wandb"


class Protos(NamedTuple):
    """What makes objects of W&B's of their bytes. Each raises protobuf's DecodeError."""

    record: Callable[[bytes], Any]
    item: Callable[[bytes], Any]
    """Of a row of the history."""


def load_protos() -> Protos:
    """Return W&B's definitions. Raises MissingPackage when wandb is not installed."""
    try:
        with _without_its_package():
            found: Any = import_module(f"{_PACKAGE}.proto.wandb_internal_pb2")
    except ImportError as error:
        raise MissingPackage("Importing from W&B", _PACKAGE) from error
    return Protos(found.Record.FromString, found.HistoryItem.FromString)


@contextmanager
def _without_its_package() -> Generator[None]:
    """Let parts of the package be imported alone.

    The package itself takes half a second, and puts a hook of its own under all that is printed.
    """
    spec = None if _PACKAGE in sys.modules else find_spec(_PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        yield
        return
    stand_in = ModuleType(_PACKAGE)
    stand_in.__path__ = list(spec.submodule_search_locations)
    sys.modules[_PACKAGE] = stand_in
    try:
        yield
    finally:
        # Whoever imports wandb later gets all of it.
        for name in [name for name in sys.modules if name == _PACKAGE or name.startswith(f"{_PACKAGE}.")]:
            del sys.modules[name]
