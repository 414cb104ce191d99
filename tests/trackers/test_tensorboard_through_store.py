"""Event files of other programs that pass through a store show the same in TensorBoard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from event_files import served
from stepscope.storage.read import Reader
from stepscope.trackers.exports import export_tensorboard
from stepscope.trackers.imports import import_runs
from stepscope.trackers.sources.tensorboard.source import TensorBoardSource

RNG = np.random.default_rng(0)


def by_torch(folder: Path) -> None:
    import torch
    from torch.utils.tensorboard.writer import SummaryWriter

    with SummaryWriter(str(folder / "torch")) as writer:
        for step in range(3):
            writer.add_scalar("train/loss", 1 / (1 + step), step)
            writer.add_scalars("both", {"one": step, "two": -step}, step)
            writer.add_histogram("weights", torch.arange(20.0), step)
            writer.add_image("picture", RNG.random((3, 4, 5)), step)
            writer.add_text("said", f"*{step}*", step)
            writer.add_pr_curve("curve", np.array([1, 0, 1]), np.array([0.75, 0.25, 0.5]), step)
        writer.add_audio("tone", torch.zeros(1, 80), 1, sample_rate=8000)
        writer.add_mesh("corner", torch.rand(1, 4, 3))
        writer.add_custom_scalars({"mine": {"loss": ["Multiline", ["train/loss"]]}})


def by_tensorflow(folder: Path) -> None:
    import tensorflow as tf

    with tf.summary.create_file_writer(str(folder / "tf")).as_default():
        for step in range(3):
            tf.summary.scalar("loss", 1 / (1 + step), step, description="what is *lost*")
            tf.summary.histogram("weights", np.arange(9.0), step)
            tf.summary.text("said", [f"{step}", "more"], step)
            tf.summary.image("pictures", RNG.random((2, 4, 5, 3)), step)
            tf.summary.audio("tone", np.zeros((1, 80, 1), np.float32), 8000, step)


def by_keras(folder: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="out")])
    model.compile("sgd", "mse")
    data = (RNG.random((8, 3)), RNG.random((8, 2)))
    logs = keras.callbacks.TensorBoard(str(folder / "fit"), histogram_freq=1, write_graph=False)
    model.fit(*data, validation_data=data, epochs=2, verbose=0, callbacks=[logs])


@pytest.mark.usefixtures("with_tensorflow")
@pytest.mark.parametrize("write", [by_torch, by_tensorflow, by_keras])
def test_tensorboard_shows_the_same(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "logs")
    done = import_runs(TensorBoardSource(tmp_path / "logs"), tmp_path / "s.db")
    assert done.problems == {}
    with Reader.open(str(tmp_path / "s.db")) as reader:
        runs = [run.run_id for run in reader.runs()]
        export_tensorboard(reader, runs, tmp_path / "again")
    before, after = shown(tmp_path / "logs"), shown(tmp_path / "again")
    assert before
    for key, values in before.items():
        assert after[key] == values, key


def shown(folder: Path) -> dict[Any, Any]:
    """Return (name of the sub-run, plugin, tag) -> what TensorBoard's pages get of it."""
    from tensorboard.context import RequestContext
    from tensorboard.data.provider import RunTagFilter

    provider = served(folder).data_provider
    ask = {"ctx": RequestContext(), "experiment_id": ""}
    found: dict[Any, Any] = {}
    for plugin in sorted(set(provider.list_plugins(**ask)) - {"stepscope", "hparams"}):
        for listed, read in (
            (provider.list_scalars, provider.read_scalars),
            (provider.list_tensors, provider.read_tensors),
            (provider.list_blob_sequences, provider.read_blob_sequences),
        ):
            for run, tags in listed(**ask, plugin_name=plugin).items():
                for tag, about in tags.items():
                    chosen = RunTagFilter(runs=[run], tags=[tag])
                    [of_tags] = read(
                        **ask, plugin_name=plugin, downsample=100, run_tag_filter=chosen
                    ).values()
                    name = run.rpartition("/")[2] if "/" in run else ""
                    # A store keeps times to the microsecond.
                    data = [
                        (one.step, round(one.wall_time * 1e6), content(provider, one)) for one in of_tags[tag]
                    ]
                    found[name, plugin, tag] = (about.display_name or tag, about.description, data)
    return found


def content(provider: Any, datum: Any) -> Any:
    from tensorboard.context import RequestContext

    if hasattr(datum, "value"):
        return datum.value
    if hasattr(datum, "numpy"):
        # TensorBoard turns histograms of the old form into float32; through the store they keep all digits.
        numbers = datum.numpy.dtype.kind == "f"
        # A vector of one text, as torch writes it, is that text.
        return (datum.numpy.astype(np.float32) if numbers else datum.numpy.ravel()).tolist()
    return [provider.read_blob(RequestContext(), blob_key=one.blob_key) for one in datum.values]
