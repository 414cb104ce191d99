"""How much each setting matters for a metric, from the runs that there are. Pure: no Streamlit, no store.

A random forest (Breiman, "Random Forests", Machine Learning 45, 2001) learns the metric from the settings; a
setting matters as much as the forest's score on runs that it has not seen falls when the setting's values
are shuffled among them (permutation importance, ibid.; as scikit-learn has it, in fewer calls). What is
learned is the rank of each run, so that one run that diverged does not decide alone. Spearman's rank
correlation adds the direction.

Importance is of these runs: what was not varied, or varied only together with something else, cannot show.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .trials import Column

FEWEST = 8
"""With fewer runs nothing is computed."""
FEW = 30
"""With fewer runs the answer is said to be uncertain."""
MOST = 500
"""Of more runs, so many are taken at random: more change the answer little and cost seconds."""
_FOLDS = 4
_TREES = 50
_SHUFFLES = 4
_SEED = 0
_PARTS = 8

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Importance:
    """What one setting means for the metric."""

    name: str
    share: float
    """Of all that the settings explain, 0 to 1; they add up to 1."""
    spread: float
    """The standard deviation of the share over the parts of the runs it was measured on."""
    correlation: float | None
    """Spearman's, -1 to 1; None for words, and where there is too little to tell."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """All settings, those that matter most first."""

    settings: tuple[Importance, ...]
    runs: int
    """How many runs it rests on."""
    explained: float
    """Share of the differences between unseen runs that the forest explains (R², may be negative)."""

    @property
    def warning(self) -> str:
        """What a reader must know before believing it; "" for nothing."""
        if self.explained <= 0.1:
            return (
                "The settings explain next to nothing of the metric's differences: do not rely on this order."
            )
        if self.runs < FEW:
            return f"Only {self.runs} runs: the order may be chance."
        return ""


def ranking(columns: Sequence[Column], metric: _Floats) -> Ranking | None:
    """Return how much each setting matters; None with too few runs that have the metric, or nothing varied.

    The same runs give the same answer.

    Args:
        columns: the settings, n values each. Words count by their place, which suits a forest's cuts.
        metric: shape (n,), NaN for runs to leave out.
    """
    rows = np.flatnonzero(np.isfinite(metric))
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(_SEED).choice(rows, MOST, replace=False))
    taken = [column.take(rows) for column in columns]
    varied = [column for column in taken if len(np.unique(column.numbers)) > 1]
    if len(rows) < FEWEST or not varied or np.ptp(metric[rows]) == 0:
        return None
    target = _ranks(metric[rows])
    drops, explained = _dropped(np.stack([column.numbers for column in varied], axis=1), target)
    shares = np.maximum(drops, 0) / max(float(np.maximum(drops.mean(axis=0), 0).sum()), 1e-12)
    found = [
        Importance(column.name, float(share), float(spread), _correlation(column, target))
        for column, share, spread in zip(
            varied, np.maximum(_mean_share(drops), 0), shares.std(axis=0), strict=True
        )
    ]
    found.sort(key=lambda one: (-one.share, one.name))
    return Ranking(tuple(found), len(rows), explained)


def first(columns: Sequence[Column], metric: _Floats, most: int) -> list[Column]:
    """Return the settings that are worth a first look, at most `most`, in their order.

    Those stay whose parts (words, or eighths of the numbers) differ most in the rank of the metric: the
    adjusted correlation ratio, which sees a best place in the middle, and takes milliseconds.
    """
    rows = np.flatnonzero(np.isfinite(metric))
    if len(columns) <= most or len(rows) < 2:
        return list(columns[:most])
    target = _ranks(metric[rows])
    alone = [_explained_alone(column.numbers[rows], target) for column in columns]
    kept = sorted(range(len(columns)), key=lambda place: -alone[place])[:most]
    return [columns[place] for place in sorted(kept)]


def _explained_alone(numbers: _Floats, target: _Floats) -> float:
    known = np.isfinite(numbers)
    own = np.unique(numbers[known])
    edges = own if len(own) <= _PARTS else np.quantile(numbers[known], np.linspace(0, 1, _PARTS + 1)[1:-1])
    part = np.where(known, np.searchsorted(edges, numbers), len(edges) + 1)
    _, part = np.unique(part, return_inverse=True)
    count = np.bincount(part)
    if len(target) <= len(count):
        return 0.0
    mean = np.bincount(part, target) / count
    within = float(np.square(target - mean[part]).sum())
    total = max(float(np.square(target - target.mean()).sum()), 1e-12)
    return 1.0 - within / total * (len(target) - 1) / (len(target) - len(count))


def _mean_share(drops: _Floats) -> _Floats:
    mean = np.maximum(drops.mean(axis=0), 0)
    return mean / max(float(mean.sum()), 1e-12)


def _dropped(settings: _Floats, target: _Floats) -> tuple[_Floats, float]:
    """Return by how much each shuffled setting lowers the score, shape (folds, settings), and the score."""
    # Loaded when somebody looks at the page: it takes a second.
    from sklearn.ensemble import RandomForestRegressor  # noqa: PLC0415

    random = np.random.default_rng(_SEED)
    part = random.permutation(len(settings)) % _FOLDS
    drops: list[list[float]] = []
    scores: list[float] = []
    for fold in range(_FOLDS):
        learned, held = part != fold, part == fold
        forest: Any = RandomForestRegressor(_TREES, random_state=_SEED, min_samples_leaf=2)
        forest.fit(settings[learned], target[learned])
        score = _score(forest.predict(settings[held]), target[held])
        drops.append([score - each for each in _shuffled(forest, settings[held], target[held], random)])
        scores.append(score)
    return np.array(drops), float(np.mean(scores))


def _shuffled(
    forest: Any, settings: _Floats, target: _Floats, random: np.random.Generator
) -> Iterator[float]:
    """Yield the mean score with each setting shuffled."""
    for place in range(settings.shape[1]):
        # All at once: a forest takes as long for a row as for a hundred.
        copies = np.tile(settings, (_SHUFFLES, 1))
        copies[:, place] = np.concatenate([random.permutation(settings[:, place]) for _ in range(_SHUFFLES)])
        guesses = forest.predict(copies).reshape(_SHUFFLES, -1)
        yield float(np.mean([_score(guess, target) for guess in guesses]))


def _score(guess: _Floats, target: _Floats) -> float:
    """Return R²: 1 is all right, 0 is no better than the mean."""
    return 1.0 - float(np.square(target - guess).sum()) / max(
        float(np.square(target - target.mean()).sum()), 1e-12
    )


def _correlation(column: Column, target: _Floats) -> float | None:
    known = np.isfinite(column.numbers)
    if column.words or known.sum() < FEWEST or np.ptp(column.numbers[known]) == 0:
        return None
    return float(np.corrcoef(_ranks(column.numbers[known]), _ranks(target[known]))[0, 1])


def _ranks(values: _Floats) -> _Floats:
    """Return the rank of each value, equal ones sharing theirs."""
    return np.asarray(pd.Series(values).rank(), dtype=np.float64)
