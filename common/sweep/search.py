"""Choose the settings of the next trial with Optuna, and decide whether a trial is stopped early."""

import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from common.sweep.parameter import Parameter
from common.sweep.storage import quiet_optuna
from common.sweep.sweep_file import MOST_TRIALS, SweepFile

SEED = 7
"""Seed of every study; with the number of a trial it decides what is random in that trial's choice."""
_NATIVE = {"uniform", "q_uniform", "log_uniform_values", "q_log_uniform_values"}


def distributions(sweep: SweepFile) -> dict[str, Any]:
    """Return setting → Optuna's distribution, for each setting that has more than one value.

    A list of values becomes its JSON texts. A distribution that Optuna lacks, such as the normal one, becomes the
    quantile of its value, 0 to 1; `settings` turns it back.
    """
    return {one.name: _distribution(one, sweep.method) for one in sweep.chosen}


def _distribution(one: Parameter, method: str) -> Any:
    kinds = quiet_optuna().distributions
    if method == "grid" or (one.distribution == "categorical" and not one.probabilities):
        values = one.grid(MOST_TRIALS) if method == "grid" else one.values
        return kinds.CategoricalDistribution([json.dumps(value, ensure_ascii=False) for value in values])
    if one.distribution == "int_uniform":
        return kinds.IntDistribution(int(one.low), int(one.high))
    if one.distribution in _NATIVE:
        return kinds.FloatDistribution(float(one.low), float(one.high), log=one.log)
    return kinds.FloatDistribution(0.0, 1.0)


def settings(sweep: SweepFile, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted name → JSON value of every setting of a trial, its constants included, from what Optuna chose."""
    found = {}
    for one in sweep.parameters:
        value = _value(one, chosen[one.name], sweep.method) if one.chooses else one.values[0]
        found[one.name] = list(value) if isinstance(value, tuple) else value
    return found


def _value(one: Parameter, chosen: Any, method: str) -> Any:
    if isinstance(chosen, str):
        return json.loads(chosen)
    if one.distribution == "int_uniform":
        return int(chosen)
    if one.distribution not in _NATIVE:
        return one.at(chosen)
    if one.q is None:
        return chosen
    low, high, value = (math.log(v) if one.log else v for v in (one.low, one.high, chosen))
    return one.at((value - low) / (high - low) if high > low else 0.0)


def sampler(sweep: SweepFile, number: int) -> Any:
    """Return what chooses the settings of trial `number`: at random, or by what earlier trials scored (TPE).

    The choice depends only on the trials before, so that it is the same after a crash.
    """
    optuna = quiet_optuna()
    if sweep.method == "bayes":
        return optuna.samplers.TPESampler(
            seed=SEED + number, multivariate=True, constant_liar=True, n_startup_trials=8
        )
    return optuna.samplers.RandomSampler(seed=SEED + number)


def should_stop(sweep: SweepFile, own: Sequence[float], others: Iterable[Sequence[float]]) -> bool:
    """Return whether a trial is to be stopped after its newest evaluation, as W&B's hyperband decides.

    `own`: its value at each evaluation; `others`: the same of all other trials, finished or not. At an evaluation of
    `Hyperband.bands`, it goes on if its best value so far is among the best 1/eta of the values that trials had there.
    Source: Li et al. 2018, "A System for Massively Parallel Hyperparameter Tuning".
    """
    stop, place = sweep.early_terminate, len(own)
    if stop is None or place not in stop.bands(place):
        return False
    best = max if sweep.goal == "maximize" else min
    mine = best(own)
    there = [mine, *(best(values[:place]) for values in others if len(values) >= place)]
    there.sort(reverse=sweep.goal == "maximize")
    threshold = there[math.ceil(len(there) / stop.eta) - 1]
    return mine < threshold if sweep.goal == "maximize" else mine > threshold


def unused_cell(sweep: SweepFile, trials: Iterable[Any]) -> dict[str, str] | None:
    """Return the first combination of a grid that no trial has, as Optuna's parameters; None when all are taken."""
    options = {name: one.choices for name, one in distributions(sweep).items()}
    names = list(options)
    taken = {_key({**one.system_attrs.get("fixed_params", {}), **one.params}, names) for one in trials}
    cells = (dict(zip(names, cell, strict=True)) for cell in itertools.product(*options.values()))
    return next((cell for cell in cells if _key(cell, names) not in taken), None)


def _key(chosen: Mapping[str, Any], names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(chosen.get(name) for name in names)
