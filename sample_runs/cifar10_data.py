"""CIFAR-10 from a folder, or a small set in its place; shared by cifar10_pytorch.py and cifar10_keras.py.

The folder is what is in cifar-10-binary.tar.gz of https://www.cs.toronto.edu/~kriz/cifar.html: unpack it, and
pass `--data cifar-10-batches-bin`. Without it, the samples train on the 1,797 handwritten digits that
scikit-learn brings, made as large, and say so: in what they print, in config, tags and notes of the run.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

TRAIN = [f"data_batch_{number}.bin" for number in range(1, 6)]
TEST = ["test_batch.bin"]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORD = 1 + 3 * 32 * 32
"""A class, and then the red, the green and the blue pixels, row by row."""

HOW_TO_GET_IT = (
    "Get cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html, unpack it, and pass "
    "--data cifar-10-batches-bin"
)

Labelled = tuple[np.ndarray, np.ndarray]
"""Pictures, uint8 (n, 32, 32, 3), and their classes, int64 (n,)."""


class Pictures(NamedTuple):
    """Pictures with their classes."""

    train: Labelled
    val: Labelled
    """A tenth of what is there to train on."""
    test: Labelled
    classes: tuple[str, ...]
    is_cifar10: bool
    origin: str
    """What they are, in words."""


def load_pictures(folder: Path | None) -> Pictures:
    """Return CIFAR-10 from a folder; None for the digits in its place.

    Raises:
        FileNotFoundError: a file is missing; the message says where to get it.
        ValueError: a file is not what it should be.
    """
    if folder is None:
        return _digits()
    train, val = _parted(*_read([folder / name for name in TRAIN]))
    test = _read([folder / name for name in TEST])
    return Pictures(train, val, test, CLASSES, True, f"CIFAR-10 from {folder}")


def _read(files: list[Path]) -> Labelled:
    records = np.concatenate([_records(file) for file in files])
    pixels = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels), records[:, 0].astype(np.int64)


def _records(file: Path) -> np.ndarray:
    if not file.is_file():
        raise FileNotFoundError(f"{file} is not there. {HOW_TO_GET_IT}")
    size = file.stat().st_size
    if not size or size % RECORD:
        raise ValueError(
            f"{file} has {size:,} bytes, which are not whole pictures of {RECORD:,}. {HOW_TO_GET_IT}"
        )
    records = np.fromfile(file, np.uint8).reshape(-1, RECORD)
    if records[:, 0].max() >= len(CLASSES):
        raise ValueError(
            f"{file} has a picture of class {records[:, 0].max()}, but CIFAR-10's are 0 to 9. {HOW_TO_GET_IT}"
        )
    return records


def _digits() -> Pictures:
    digits = load_digits()
    grey = np.uint8(digits.images * 255 / 16).repeat(4, axis=1).repeat(4, axis=2)
    pixels, labels = grey[..., None].repeat(3, axis=3), digits.target.astype(np.int64)
    rest, test = _parted(pixels, labels)
    train, val = _parted(*rest)
    origin = f"NOT CIFAR-10, but 1,797 handwritten digits of the same size. {HOW_TO_GET_IT}"
    return Pictures(train, val, test, tuple(map(str, range(10))), False, origin)


def _parted(x: np.ndarray, y: np.ndarray) -> tuple[Labelled, Labelled]:
    """Return nine tenths, and one tenth, the same in each run, with the classes in equal parts."""
    x_most, x_few, y_most, y_few = train_test_split(x, y, test_size=0.1, stratify=y, random_state=0)
    return (x_most, y_most), (x_few, y_few)
