"""Choose with models trained on dev: stacking (Ridge, gradient boosting), a pairwise ranker, and all three together."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.core.threads import one_thread
from common.ensemble.pool import Floats

Model = Callable[[Floats], Floats]
"""Columns (dialogues, n, columns) → a score for every candidate (dialogues, n); the highest is chosen."""
ALPHAS = (1.0, 10.0, 100.0, 1000.0, 10000.0)
PAIRS = 40  # pairs of candidates per dialogue that the ranker learns from


@dataclass(frozen=True, eq=False)
class Examples:
    """The candidates of some dialogues, with their scores."""

    columns: Floats
    """(dialogues, n, columns) of `features`."""
    target: Floats
    """(dialogues, n): dev ROUGE of each candidate."""
    mask: NDArray[np.bool_]
    """(dialogues, n): where there is a candidate."""


def centred(columns: Floats, mask: NDArray[np.bool_]) -> Floats:
    """Return the columns followed by their differences from the dialogue's mean: (dialogues, n, 2 × columns).

    A choice is made within a dialogue, so a value that all its candidates share decides nothing by itself.
    """
    count = np.maximum(1, mask.sum(axis=1))[:, None, None]
    mean = (columns * mask[:, :, None]).sum(axis=1, keepdims=True) / count
    return np.concatenate([columns, (columns - mean) * mask[:, :, None]], axis=2)


def _flat(examples: Examples) -> tuple[Floats, Floats]:
    """Return columns and targets of all candidates; a target is the difference from its dialogue's mean."""
    mask = examples.mask
    mean = (examples.target * mask).sum(axis=1, keepdims=True) / np.maximum(
        1, mask.sum(axis=1, keepdims=True)
    )
    return centred(examples.columns, mask)[mask], (examples.target - mean)[mask]


def _scored(predict: Callable[[Floats], Any], columns: Floats) -> Floats:
    """Return the scores of a flat predictor, (dialogues, n); -inf for padding, whose columns are all 0."""
    mask = np.asarray(columns.any(axis=2), dtype=bool)
    wide = centred(columns, mask)
    scores = np.full(mask.shape, -np.inf)
    scores[mask] = predict(wide[mask])
    return scores


def _in_one_thread(fit: Callable[[Examples], Model]) -> Callable[[Examples], Model]:
    """Return the fit with one thread for itself and for its model (see `one_thread`)."""

    @wraps(fit)
    def fitted(examples: Examples) -> Model:
        import sklearn.ensemble  # noqa: F401  loads OpenMP and BLAS, so that they can be limited

        with one_thread():
            model = fit(examples)

        def scored(columns: Floats) -> Floats:
            with one_thread():
                return model(columns)

        return scored

    return fitted


@_in_one_thread
def ridge(examples: Examples) -> Model:
    """Return a Ridge regression of a candidate's score within its dialogue; leave-one-out error sets the penalty.

    Source: the competition's guide stacks three models with Ridge. Here a row is a candidate, and the text with the
    highest prediction is chosen.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = _flat(examples)
    model = make_pipeline(StandardScaler(), RidgeCV(alphas=ALPHAS)).fit(x, y)
    return lambda columns: _scored(model.predict, columns)


@_in_one_thread
def boosting(examples: Examples) -> Model:
    """Return gradient-boosted trees (histograms, as in LightGBM) on the same rows and targets; deterministic, seed 0."""
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


@_in_one_thread
def rank(examples: Examples) -> Model:
    """Return a linear ranker: logistic regression on differences of two candidates' columns, weighted by their gap.

    At most PAIRS pairs per dialogue are sampled, with seed 0.
    Source: Herbrich et al. 1999 (ordinal regression by pairs); Burges et al. 2005, "Learning to Rank using Gradient
    Descent", for weighting a pair by its difference in score.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    wide = centred(examples.columns, examples.mask)
    scaler = StandardScaler().fit(wide[examples.mask])
    differences, gaps = [], []
    for row, present in enumerate(examples.mask):
        places = np.flatnonzero(present)
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
    if len(gap) == 0:  # all candidates score the same, so any order is right
        return lambda columns: _scored(lambda rows: np.zeros(len(rows)), columns)
    # Each pair in both orders, so that there are always two classes and the order tells nothing.
    model = LogisticRegression(C=0.01, fit_intercept=False, max_iter=500)
    model.fit(np.concatenate([x, -x]), np.concatenate([gap > 0, gap < 0]), sample_weight=np.abs([*gap, *gap]))
    return lambda columns: _scored(lambda rows: scaler.transform(rows) @ model.coef_[0], columns)


def committee(examples: Examples) -> Model:
    """Return the sum of the three models above, each divided by the mean deviation of its scores on these dialogues.

    Their errors differ, and it is mostly chance which of them is best.
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
    """Return the mean over dialogues of the standard deviation of a dialogue's scores; 1 if it is 0."""
    found = [float(row[present].std()) for row, present in zip(scores, mask, strict=True) if present.any()]
    return float(np.mean(found)) or 1.0
