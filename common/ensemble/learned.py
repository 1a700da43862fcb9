"""Choosing by what dev taught: stacking (Ridge, gradient boosting), a pairwise ranker, and all three together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.ensemble.pool import Floats

Model = Callable[[Floats], Floats]
"""Columns (dialogues, n, columns) → a score for every candidate (dialogues, n): higher is chosen."""
ALPHAS = (1.0, 10.0, 100.0, 1000.0, 10000.0)
PAIRS = 40  # pairs of candidates a dialogue that the ranker learns from


@dataclass(frozen=True, eq=False)
class Examples:
    """The candidates of some dialogues, with what each is worth."""

    columns: Floats
    """(dialogues, n, columns) of `features`."""
    target: Floats
    """(dialogues, n): dev ROUGE of each candidate."""
    mask: NDArray[np.bool_]
    """(dialogues, n): where there is a candidate."""


def centred(columns: Floats, mask: NDArray[np.bool_]) -> Floats:
    """The columns, and beside them how far each is from its dialogue's mean: (dialogues, n, 2 × columns).

    A choice is made within a dialogue, so what is common to its candidates decides nothing by itself.
    """
    count = np.maximum(1, mask.sum(axis=1))[:, None, None]
    mean = (columns * mask[:, :, None]).sum(axis=1, keepdims=True) / count
    return np.concatenate([columns, (columns - mean) * mask[:, :, None]], axis=2)


def _flat(examples: Examples) -> tuple[Floats, Floats]:
    """Columns and targets of the candidates there are; a target is the difference from its dialogue's mean."""
    mask = examples.mask
    mean = (examples.target * mask).sum(axis=1, keepdims=True) / np.maximum(
        1, mask.sum(axis=1, keepdims=True)
    )
    return centred(examples.columns, mask)[mask], (examples.target - mean)[mask]


def _scored(predict: Callable[[Floats], Any], columns: Floats) -> Floats:
    """A flat predictor as a Model; padding, whose columns are all 0, is scored too and masked by the caller."""
    mask = np.asarray(columns.any(axis=2), dtype=bool)
    wide = centred(columns, mask)
    scores = np.full(mask.shape, -np.inf)
    scores[mask] = predict(wide[mask])
    return scores


def ridge(examples: Examples) -> Model:
    """Ridge regression of a candidate's worth within its dialogue; the penalty by leave-one-out error.

    Source: the field's guide stacks three models by Ridge; with texts, the row is a candidate and the arg-max its text.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = _flat(examples)
    model = make_pipeline(StandardScaler(), RidgeCV(alphas=ALPHAS)).fit(x, y)
    return lambda columns: _scored(model.predict, columns)


def boosting(examples: Examples) -> Model:
    """Gradient-boosted trees (histograms, as LightGBM's) of the same rows and targets; the same for a seed of 0."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    x, y = _flat(examples)
    model = HistGradientBoostingRegressor(
        max_iter=150,
        learning_rate=0.05,
        max_leaf_nodes=8,
        min_samples_leaf=40,
        l2_regularization=10.0,
        early_stopping=False,
        random_state=0,
    ).fit(x, y)
    return lambda columns: _scored(model.predict, columns)


def rank(examples: Examples) -> Model:
    """A linear ranker: logistic regression on differences of two candidates' columns, weighted by their gap.

    At most PAIRS pairs of a dialogue, drawn with seed 0.
    Source: Herbrich et al. 1999 (ordinal regression by pairs); Burges et al. 2005, "Learning to Rank using Gradient
    Descent", for weighting a pair by what it is worth.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    wide = centred(examples.columns, examples.mask)
    scaler = StandardScaler().fit(wide[examples.mask])
    differences, gaps = [], []
    for row, there in enumerate(examples.mask):
        places = np.flatnonzero(there)
        if len(places) < 2:
            continue
        first, second = rng.choice(places, (2, PAIRS))
        gap = examples.target[row, first] - examples.target[row, second]
        x = scaler.transform(wide[row])
        differences.append((x[first] - x[second])[gap != 0])
        gaps.append(gap[gap != 0])
    x, gap = (
        np.concatenate(differences or [np.empty((0, wide.shape[2]))]),
        np.concatenate(gaps or [np.empty(0)]),
    )
    if len(gap) == 0:  # all candidates are worth the same: any order is right
        return lambda columns: _scored(lambda rows: np.zeros(len(rows)), columns)
    # Each pair both ways: two classes always, and no side is the first.
    model = LogisticRegression(C=0.01, fit_intercept=False, max_iter=500)
    model.fit(np.concatenate([x, -x]), np.concatenate([gap > 0, gap < 0]), sample_weight=np.abs([*gap, *gap]))
    return lambda columns: _scored(lambda rows: scaler.transform(rows) @ model.coef_[0], columns)


def committee(examples: Examples) -> Model:
    """The three above, each score divided by its mean deviation within the dialogues learned from, added up.

    Their mistakes differ, and which of them is best is mostly chance of the dialogues.
    """
    models = [fit(examples) for fit in (ridge, boosting, rank)]
    scales = [_deviation(model(examples.columns), examples.mask) for model in models]

    def scored(columns: Floats) -> Floats:
        found: Floats = np.sum(
            [model(columns) / scale for model, scale in zip(models, scales, strict=True)], axis=0
        )
        return found

    return scored


def _deviation(scores: Floats, mask: NDArray[np.bool_]) -> float:
    """Mean over dialogues of the standard deviation of their candidates' scores; 1 where all are alike."""
    found = [float(row[there].std()) for row, there in zip(scores, mask, strict=True) if there.any()]
    return float(np.mean(found)) or 1.0
