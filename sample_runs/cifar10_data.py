"""CIFAR-10 from a folder, or a small set in its place; shared by cifar10_pytorch.py and cifar10_keras.py.

The folder is what is in cifar-10-binary.tar.gz of https://www.cs.toronto.edu/~kriz/cifar.html: unpack it, and
pass `--data cifar-10-batches-bin`. Without it, the samples train on the 1,797 handwritten digits that
scikit-learn brings, made as large, and say so.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits

TRAIN = [f"data_batch_{number}.bin" for number in range(1, 6)]
TEST = ["test_batch.bin"]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORD = 1 + 3 * 32 * 32
"""A class, and then the red, the green and the blue pixels, row by row."""


class Pictures(NamedTuple):
    """Pictures with their classes."""

    x_train: np.ndarray
    """uint8 (n, 32, 32, 3)."""
    y_train: np.ndarray
    """int64 (n,)."""
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...]
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
    x_train, y_train = _read([folder / name for name in TRAIN])
    x_test, y_test = _read([folder / name for name in TEST])
    return Pictures(x_train, y_train, x_test, y_test, CLASSES, f"CIFAR-10 from {folder}")


def _read(files: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(
                f"{file} is not there. Get cifar-10-binary.tar.gz from "
                f"https://www.cs.toronto.edu/~kriz/cifar.html, unpack it, and pass --data FOLDER"
            )
        if not file.stat().st_size or file.stat().st_size % RECORD:
            raise ValueError(
                f"{file} has {file.stat().st_size} bytes, which are not whole pictures of {RECORD}: "
                f"fetch it again"
            )
    records = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, RECORD) for file in files])
    pixels = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels), records[:, 0].astype(np.int64)


def _digits() -> Pictures:
    digits = load_digits()
    grey = np.uint8(digits.images * 255 / 16).repeat(4, axis=1).repeat(4, axis=2)
    pixels, labels = grey[..., None].repeat(3, axis=3), digits.target.astype(np.int64)
    origin = "NOT CIFAR-10 but 1,797 handwritten digits, made as large: no --data was given"
    return Pictures(
        pixels[:1500], labels[:1500], pixels[1500:], labels[1500:], tuple(map(str, range(10))), origin
    )
