"""What a name means: raw name -> (metric, split, granularity), from one table of rules.

Names are stored as they were logged. Readers interpret them, so that `val_loss` of Keras, `loss/val`
of a PyTorch loop and `valid loss` of someone else hang on one chart. RULES is read from the top: the
first rule that fits takes its words off the name, then the table is read again for what remains,
until no rule fits. Each of split and granularity is taken once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache

from .model import Context


@dataclass(frozen=True, slots=True)
class MetricName:
    """A name as it is understood; two series of one metric belong on one chart."""

    metric: str
    split: str | None = None
    """One of SPLITS, a split that the user named in the context, or None."""
    granularity: str | None = None
    """What a value stands for, when the name says so: "batch" or "epoch"."""
    source: str | None = field(default=None, compare=False)
    """Which of several data sets of one split it was measured on, when the name says so: "dataloader 1"."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to write a name. What the groups `head` and `tail` match is kept, the rest is taken off."""

    pattern: re.Pattern[str]
    split: str | None = None
    granularity: str | None = None
    otherwise: str | None = None
    """The split that is meant when no rule finds one."""
    stop: bool = False
    """Leave the name alone."""


SPLITS = {
    "train": ("train", "training", "trn"),
    "validation": ("val", "valid", "validation", "eval", "evaluation", "dev"),
    "test": ("test", "testing", "holdout"),
}
"""Canonical split -> the words people write for it."""

METRICS = {
    "accuracy": ("accuracy", "acc", "categorical_accuracy", "sparse_categorical_accuracy"),
    "loss": ("loss",),
    "learning_rate": ("learning_rate", "lr", "optimizer/lr", "optimizer_lr", "optimizer/learning_rate"),
    "precision": ("precision",),
    "recall": ("recall",),
    "f1": ("f1", "f1_score", "f1score"),
    "auc": ("auc", "roc_auc"),
    "mean_squared_error": ("mean_squared_error", "mse"),
    "mean_absolute_error": ("mean_absolute_error", "mae"),
    "perplexity": ("perplexity", "ppl"),
    "gradient_norm": ("gradient_norm", "grad_norm", "grad_2_0_norm_total"),
}
"""Canonical metric -> other words for it, compared without regard to case; other metrics stay as written."""

WITHOUT_SPLIT = frozenset({"learning_rate", "gradient_norm", "epoch", "global_step"})
"""What belongs to the run and not to a split, even when a framework files it under `train/`."""

_END = r"[ _./:-]"
_WORD = r"[^ _./:-]"
# batch_size and epoch_time are measures of a batch and an epoch, not metrics over one.
_NO_MEASURE = r"(?!(?:size|time|seconds|duration|index|idx|id|number|num|count|steps?)\b)"
# global_step and current_epoch count; they are not the "step" and "epoch" values of a metric "global".
_NO_COUNTER = r"(?!(?:.*[_/])?(?:global|time|env|num|train|val|test|current|max|best|per)_(?:step|epoch)$)"


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


def _split_rules(split: str, words: tuple[str, ...]) -> tuple[Rule, Rule]:
    either = "|".join(words)
    return (
        # train_loss, train/loss, head1/train_loss, loss/train/head1
        Rule(_compile(rf"(?P<head>(?:.+/)?)(?:{either}){_END}+(?P<tail>{_WORD}.*)"), split),
        # loss/train, loss_train, loss_train/head1
        Rule(_compile(rf"(?P<head>.*{_WORD}){_END}+(?:{either})(?P<tail>(?:/.+)?)"), split),
    )


RULES: tuple[Rule, ...] = (
    # Arrays and machine facts: a layer called "train" in them is no split.
    Rule(_compile(r"(?:weights|gradients|activations|parameters|system)/.*"), stop=True),
    # Keras' TensorBoard callback, once per evaluation.
    Rule(_compile(r"(?P<head>)evaluation_(?P<tail>.+)_vs_iterations"), "validation"),
    # Keras: batch_loss, epoch_loss, epoch_val_loss. The history of fit() is of the training data.
    Rule(_compile(rf"(?P<head>(?:.+/)?)batch_{_NO_MEASURE}(?P<tail>.+)"), None, "batch", "train"),
    Rule(_compile(rf"(?P<head>(?:.+/)?)epoch_{_NO_MEASURE}(?P<tail>.+)"), None, "epoch", "train"),
    # Lightning: train_loss_step, train_loss_epoch.
    Rule(_compile(rf"{_NO_COUNTER}(?P<head>.+)_step(?P<tail>)"), None, "batch"),
    Rule(_compile(rf"{_NO_COUNTER}(?P<head>.+)_epoch(?P<tail>)"), None, "epoch"),
    *(rule for split, words in SPLITS.items() for rule in _split_rules(split, words)),
)

_OF_LOADER = _compile(r"(?P<name>.+)/dataloader_idx_(?P<number>[0-9]{1,9})")
"""Lightning: val_loss/dataloader_idx_1, when there are several loaders of one split."""
_SAID_TWICE = _compile(rf"({'|'.join(word for words in SPLITS.values() for word in words)})/(?P<name>\1_.+)")
"""transformers: train/train_loss."""
_LR_OF = _compile(r"lr-(?P<optimizer>.+?)(?<!-momentum)(?<!-weight_decay)")
"""Lightning's LearningRateMonitor: lr-Adam, lr-SGD/pg1."""

_SPLIT_OF = {word: split for split, words in SPLITS.items() for word in words}
_METRIC_OF = {word: metric for metric, words in METRICS.items() for word in words}


def parse_name(name: str, context: Context | None = None) -> MetricName:
    """Interpret a name; a split in the context, as the user gave it, wins over the words in the name.

    Args:
        name: the series' name as it was logged; any string.
        context: the series' context, for example `{"split": "val"}`.

    Returns:
        The canonical metric, split and granularity; a name that no rule fits is its own metric.
    """
    found = _parse(name)
    given = str(context["split"]) if context and "split" in context else ""
    if not given:
        return found
    return replace(found, split=canonical_split(given))


def canonical_split(word: str) -> str:
    """Return the house's word for a split; another one stays as it is."""
    return _SPLIT_OF.get(word.casefold(), word)


@lru_cache(maxsize=65536)
def _parse(name: str) -> MetricName:
    loader = _OF_LOADER.fullmatch(name)
    if loader:
        return replace(_parse(loader["name"]), source=f"dataloader {loader['number']}")
    twice = _SAID_TWICE.fullmatch(name)
    rest = twice["name"] if twice else name
    split, granularity, otherwise = None, None, None
    while step := _first_rule(rest, split, granularity):
        rule, rest = step
        if rule.stop:
            return MetricName(name)
        split = rule.split or split
        granularity = rule.granularity or granularity
        otherwise = rule.otherwise or otherwise
    metric = _canonical(rest)
    if metric.partition("/")[0] in WITHOUT_SPLIT:
        return MetricName(metric, None, granularity)
    return MetricName(metric, split or otherwise, granularity)


def _first_rule(name: str, split: str | None, granularity: str | None) -> tuple[Rule, str] | None:
    """Return the first rule that fits and would tell something new, with what remains of the name."""
    for rule in RULES:
        if (split and rule.split) or (granularity and rule.granularity):
            continue
        match = rule.pattern.fullmatch(name)
        if match:
            return rule, name if rule.stop else match["head"] + match["tail"]
    return None


def _canonical(name: str) -> str:
    """Return the house's word for a metric; of `acc/top5` and `lr/head`, the first part is translated."""
    of_optimizer = _LR_OF.fullmatch(name)
    if of_optimizer:
        return f"learning_rate/{of_optimizer['optimizer']}"
    plain = re.sub(r"[ .]+", "_", name).casefold()
    if plain in _METRIC_OF:
        return _METRIC_OF[plain]
    first, slash, rest = name.partition("/")
    return _METRIC_OF.get(first.casefold(), first) + slash + rest
