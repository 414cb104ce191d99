"""CIFAR-10 is read as it is published; without it the samples say what stands in; both twins learn alike."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sample_runs.sampling import SAMPLES, Samples, finished_run, layers_of, metrics_of, names_of
from stepscope.storage.read import Reader

FILES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
EACH = 20
"""Pictures in a file here; the published ones have 10,000."""


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    return runpy.run_path(str(SAMPLES / "cifar10_data.py"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of pictures in the published layout: red rises to the right, green downwards, and blue
    is the class.
    """
    folder = tmp_path_factory.mktemp("cifar-10-batches-bin")
    ramp = np.arange(32, dtype=np.uint8) * 8
    red, green = np.tile(ramp, 32), ramp.repeat(32)
    for name in FILES:
        records = [
            bytes([label]) + red.tobytes() + green.tobytes() + bytes([label] * 1024)
            for label in np.arange(EACH) % 10
        ]
        (folder / name).write_bytes(b"".join(records))
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, samples: Samples, folder: Path) -> Path:
    store = tmp_path_factory.mktemp("cifar10") / "s.db"
    assert "Data: NOT CIFAR-10" in samples.run("cifar10_pytorch", "--epochs", "1", store=store)
    assert "Data: CIFAR-10 from" in samples.run(
        "cifar10_keras", "--epochs", "1", "--data", folder, store=store
    )
    return store


def test_pictures_are_read_as_they_are_published(data: dict[str, Any], folder: Path) -> None:
    pictures = data["load_pictures"](folder)
    assert (len(pictures.train[1]), len(pictures.val[1]), len(pictures.test[1])) == (90, 10, 20)
    x, y = pictures.train
    assert (x.shape, x.dtype, y.dtype) == ((90, 32, 32, 3), np.uint8, np.int64)
    assert x[0, :, 5, 0].tolist() == [40] * 32
    assert x[0, 7, :, 1].tolist() == [56] * 32
    assert (x[..., 2] == y[:, None, None]).all()
    assert sorted(pictures.val[1]) == list(range(10))
    assert pictures.classes[3] == "cat"


def test_the_digits_have_the_same_form(data: dict[str, Any]) -> None:
    pictures = data["load_pictures"](None)
    assert not pictures.is_cifar10
    assert pictures.origin.startswith("NOT CIFAR-10, but 1,797 handwritten digits")
    assert sum(len(y) for _, y in (pictures.train, pictures.val, pictures.test)) == 1797
    x, y = pictures.test
    assert (x.shape, x.dtype, y.dtype) == ((180, 32, 32, 3), np.uint8, np.int64)
    assert (x.min(), x.max()) == (0, 255)


def test_a_folder_without_it_says_how_to_get_it(data: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"data_batch_1\.bin is not there\. Get cifar-10-binary\.tar\.gz"
    ):
        data["load_pictures"](tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bytes(3073 + 7), r"test_batch\.bin has 3,080 bytes, which are not whole pictures of 3,073\. Get"),
        (b"", r"test_batch\.bin has 0 bytes"),
        (
            bytes([77]) + bytes(3072),
            r"test_batch\.bin has a picture of class 77, but CIFAR-10's are 0 to 9\.",
        ),
    ],
)
def test_a_file_that_is_no_such_file(
    data: dict[str, Any], folder: Path, tmp_path: Path, content: bytes, message: str
) -> None:
    for name in FILES[:-1]:
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / FILES[-1]).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        data["load_pictures"](tmp_path)


def test_the_run_says_what_stands_in(store: Path, folder: Path) -> None:
    with Reader.open(store) as reader:
        instead, real = (reader.find_run(f"cifar10-{each}") for each in ("pytorch", "keras"))
        assert tuple(instead.tags) == ("digits instead of CIFAR-10",)
        assert (instead.notes or "").startswith("Data: NOT CIFAR-10")
        assert instead.config["origin"].startswith("NOT CIFAR-10")
        assert tuple(real.tags) == ("CIFAR-10",)
        assert real.config["origin"] == f"CIFAR-10 from {folder}"


def test_both_twins_leave_the_same(store: Path) -> None:
    with Reader.open(store) as reader:
        metrics, layers = {}, {}
        for framework in ("pytorch", "keras"):
            run = finished_run(reader, f"cifar10-{framework}")
            assert {f"{s}_{m}" for s in ("train", "test") for m in ("loss", "accuracy")} <= set(run.summary)
            assert names_of(reader, run.run_id, "image") == {"predictions"}
            assert names_of(reader, run.run_id, "graph") == {"model"}
            metrics[framework] = metrics_of(reader, run.run_id)
            layers[framework] = layers_of(reader, run.run_id)
    assert layers["keras"] == layers["pytorch"] != set()
    assert metrics["keras"] <= metrics["pytorch"]
    splits = {(metric, split) for metric in ("loss", "accuracy") for split in ("train", "validation", "test")}
    assert splits <= metrics["keras"]
