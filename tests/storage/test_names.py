"""Names of the plain PyTorch and the Keras way must be understood alike, and no name may break a reader."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepscope.storage.names import METRICS, SPLITS, WITHOUT_SPLIT, MetricName, parse_name

UNDERSTOOD = {
    "loss": ("loss", None, None),
    "Loss": ("loss", None, None),
    "val_loss": ("loss", "validation", None),
    "epoch_loss": ("loss", "train", "epoch"),
    "epoch_val_loss": ("loss", "validation", "epoch"),
    "batch_loss": ("loss", "train", "batch"),
    "batch_sparse_categorical_accuracy": ("accuracy", "train", "batch"),
    "loss/train": ("loss", "train", None),
    "Loss/train": ("loss", "train", None),
    "train/loss": ("loss", "train", None),
    "train_loss": ("loss", "train", None),
    "Train Loss": ("loss", "train", None),
    "loss.train": ("loss", "train", None),
    "loss/val": ("loss", "validation", None),
    "val/acc": ("accuracy", "validation", None),
    "eval_loss": ("loss", "validation", None),
    "test_accuracy": ("accuracy", "test", None),
    "evaluation_loss_vs_iterations": ("loss", "validation", None),
    "head1/val_loss": ("head1/loss", "validation", None),
    "loss/train/head1": ("loss/head1", "train", None),
    "train/batch_loss": ("loss", "train", "batch"),
    "train_loss_step": ("loss", "train", "batch"),
    "val/loss_epoch": ("loss", "validation", "epoch"),
    "lr": ("learning_rate", None, None),
    "optimizer lr": ("learning_rate", None, None),
    "optimizer/lr": ("learning_rate", None, None),
    "train/learning_rate": ("learning_rate", None, None),
    "lr/head": ("learning_rate/head", None, None),
    "val_mAP": ("mAP", "validation", None),
    "evaluation_accuracy_vs_iterations": ("accuracy", "validation", None),
    "epoch_learning_rate": ("learning_rate", None, "epoch"),
    "train_loss_epoch": ("loss", "train", "epoch"),
    "val_loss/dataloader_idx_0": ("loss", "validation", None),
    "val_loss_epoch/dataloader_idx_12": ("loss", "validation", "epoch"),
    "lr-Adam": ("learning_rate/Adam", None, None),
    "lr-SGD/pg1": ("learning_rate/SGD/pg1", None, None),
    "lr-Adam-momentum": ("lr-Adam-momentum", None, None),
    "grad_2.0_norm_total": ("gradient_norm", None, None),
    "eval/loss": ("loss", "validation", None),
    "train/train_loss": ("loss", "train", None),
    "train/grad_norm": ("gradient_norm", None, None),
    "train/global_step": ("global_step", None, None),
    "train/epoch": ("epoch", None, None),
    "eval/f1": ("f1", "validation", None),
    "eval_squad_loss": ("squad_loss", "validation", None),
    "test_loss": ("loss", "test", None),
}

LEFT_ALONE = [
    "weights/train/kernel",
    "gradients/val_head/bias",
    "system/train",
    "gradient_norm",
    "step_time",
    "samples_per_second",
    "samples",
    "samples/generator",
    "epoch",
    "train",
    "batch_size",
    "epoch_time",
    "global_step",
    "steps_per_epoch",
    "mAP",
    "",
    "/",
]


@pytest.mark.parametrize(("name", "expected"), UNDERSTOOD.items())
def test_name_is_understood(name: str, expected: tuple[str, str | None, str | None]) -> None:
    assert parse_name(name) == MetricName(*expected)


def test_what_was_measured_on_several_loaders_is_told_apart() -> None:
    assert parse_name("val_loss/dataloader_idx_1").source == "dataloader 1"
    assert parse_name("val_loss").source is None
    assert parse_name("acc/dataloader_idx_2", {"split": "fold"}).source == "dataloader 2"


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_name_is_left_alone(name: str) -> None:
    assert parse_name(name) == MetricName(name)


@pytest.mark.parametrize(
    ("given", "split"), [("val", "validation"), ("TRAIN", "train"), ("fold 3", "fold 3"), (7, "7")]
)
def test_split_of_the_context_wins(given: str | int, split: str) -> None:
    assert parse_name("train_loss", {"split": given, "rank": 1}) == MetricName("loss", split)
    assert parse_name("epoch_loss", {"split": given}) == MetricName("loss", split, "epoch")


@given(
    word=st.sampled_from([(word, split) for split, words in SPLITS.items() for word in words]),
    metric=st.sampled_from([(word, metric) for metric, words in METRICS.items() for word in words]),
    separator=st.sampled_from("_/.- :"),
    first=st.booleans(),
)
def test_every_split_word_in_front_and_behind(
    word: tuple[str, str], metric: tuple[str, str], separator: str, first: bool
) -> None:
    parts = (word[0], metric[0]) if first else (metric[0], word[0])
    split = None if metric[1] in WITHOUT_SPLIT else word[1]
    assert parse_name(separator.join(parts)) == MetricName(metric[1], split)


@given(
    st.one_of(st.text(), st.from_regex(r"((train|val|batch|epoch|loss|step)[_/ .]?){0,8}", fullmatch=True))
)
def test_any_text_is_a_name(name: str) -> None:
    found = parse_name(name)
    assert bool(found.metric) == bool(name)
    assert found.split in {None, "train", "validation", "test"}
    assert found.granularity in {None, "batch", "epoch"}


@pytest.mark.parametrize("piece", ["_", "/", "train_", "a_", "a/", "batch_", "train/", "/_", "a/train "])
def test_long_names_take_no_time(piece: str) -> None:
    started = time.perf_counter()
    parse_name("train" + piece * 20_000 + "x")
    assert time.perf_counter() - started < 2.0
