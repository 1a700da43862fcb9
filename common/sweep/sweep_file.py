"""Read a sweep file in W&B's own format: what is searched, by which method, and when a trial ends early."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, product
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le

from common.core.config import override
from common.core.errors import UserError
from common.core.files import root, shown
from common.core.messages import brief
from common.core.toml_table import TomlTable
from common.runs.record import to_arguments
from common.sweep.parameter import Parameter
from common.sweep.parameter_file import hint_of, read_parameters
from common.sweep.yaml_file import read_yaml

Goal = Literal["maximize", "minimize"]
METRICS: Mapping[str, Goal] = {
    "rouge_sum": "maximize",
    "score": "maximize",
    "distinct": "maximize",
    "train_loss": "minimize",
}
"""What training writes to metrics.jsonl at each evaluation → which direction is better."""
MOST_TRIALS = 100_000
"""Most trials of one sweep."""
_UNUSED = ("apiVersion", "kind", "description", "program", "command", "controller")
"""Keys of W&B that say nothing about the search; `make sweep` starts trials itself."""
_ENDS = 8
"""Most values of a list that are tried together with those of each other parameter."""


@dataclass(frozen=True)
class Hyperband:
    """When W&B's hyperband ends a trial: at evaluation 1, 3, 9 … unless it is among the best third (Li et al. 2016)."""

    eta: float = 3.0
    """One of `eta` trials goes on, and the evaluations at which trials are judged grow by this factor."""
    min_iter: int | None = None
    """Number of the first evaluation at which trials are judged."""
    max_iter: int | None = None
    """Number of the last evaluation of a trial, from which the others are counted back; instead of `min_iter`."""
    s: int = 1
    """Number of evaluations at which trials are judged; with `max_iter` only."""

    def bands(self, most: int) -> list[int]:
        """Return the numbers of the evaluations at which trials are judged, in order, at most `most`."""
        found: list[int] = []
        band = float(self.min_iter or self.max_iter or 1)
        if self.min_iter is None:
            for _ in range(self.s):
                band /= self.eta
                found.append(int(band))
        while self.min_iter is not None and band <= most:
            found.append(int(band))
            band *= self.eta
        return sorted({band for band in found if 1 <= band <= most})


@dataclass(frozen=True)
class SweepFile:
    """A sweep: everything that its file says about the search."""

    path: Path
    experiment: str
    name: str
    """Name in W&B."""
    method: Literal["bayes", "random", "grid"]
    metric: str
    """Name in metrics.jsonl: a key of METRICS."""
    goal: Goal
    parameters: tuple[Parameter, ...]
    target: float | None = None
    """Value of the metric at which the sweep ends; None: it goes on."""
    impute: str | None = None
    """What W&B takes for the metric of a failed trial: latest, best or worst."""
    run_cap: int | None = None
    """Largest number of trials; None: no limit."""
    early_terminate: Hyperband | None = None
    project: str | None = None
    """Project in W&B; None: that of all runs."""
    entity: str | None = None
    """User or team in W&B; None: the owner of the key."""

    @property
    def chosen(self) -> tuple[Parameter, ...]:
        """The parameters with values to choose from, without the constants."""
        return tuple(parameter for parameter in self.parameters if parameter.chooses)

    @property
    def constants(self) -> dict[str, Any]:
        """Dotted name → value of the parameters that are the same in each trial."""
        return {one.name: one.values[0] for one in self.parameters if not one.chooses}

    @property
    def grid_size(self) -> int:
        """Number of combinations of a grid. Only for the method grid."""
        return prod(len(parameter.grid(MOST_TRIALS)) for parameter in self.parameters)


def sweep_path(experiment: str) -> Path:
    """Return the path of an experiment's sweep file, which need not exist."""
    return root() / "experiments" / experiment / "sweep.yaml"


def trial_arguments(values: Mapping[str, Any]) -> list[str]:
    """Return the settings of a trial (dotted name → value) as arguments of its command line; constants are to be included."""
    return to_arguments(
        {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    )


def read_sweep(path: Path, experiment: str, config: Any) -> SweepFile:
    """Return the sweep that a file describes for an experiment.

    `config`: the experiment's settings without those of the sweep; every trial changes these.
    Raises UserError, one line with file, key, what was found and what was wanted, for everything that would make a trial
    fail or the sweep useless: unknown keys and settings, values out of a setting's range, settings that exclude one another,
    a metric that training does not record, a grid over a continuous range.
    """
    if not hasattr(config, "training"):
        raise UserError(
            f"{experiment} records no metric while it trains, so there is nothing to search by; wanted an experiment whose "
            "config.py has training settings. To list experiments: make list"
        )
    table = TomlTable(path, "", read_yaml(path))
    method = table.choice("method", ("bayes", "random", "grid"))
    metric, goal, target, impute = _metric(table)
    parameters = read_parameters(
        path, table.take("parameters", dict, "the settings to search"), config, experiment
    )
    sweep = SweepFile(
        path=path,
        experiment=experiment,
        name=table.take("name", str, "a text", experiment),
        method=method,
        metric=metric,
        goal=goal,
        target=target,
        impute=impute,
        parameters=parameters,
        run_cap=table.number("run_cap", Annotated[int, Ge(1), Le(MOST_TRIALS)], None),
        early_terminate=_early_terminate(table),
        project=table.take("project", str, "a text", None),
        entity=table.take("entity", str, "a text", None),
    )
    table.known.update(_UNUSED)
    table.done()
    if not sweep.chosen:
        raise UserError(
            f'{shown(path)}: key "parameters" has constants only; wanted at least one setting with several values. Edit that file.'
        )
    if method == "grid":
        _require_grid(sweep)
    _require_consistent(sweep, config)
    return sweep


def _metric(table: TomlTable) -> tuple[str, Goal, float | None, str | None]:
    inner = table.take("metric", dict, 'what to search by, such as "name: rouge_sum" and "goal: maximize"')
    metric = TomlTable(table.path, "metric", inner)
    wanted = f"one of {', '.join(METRICS)}, which training records at each evaluation"
    name = metric.text("name", wanted)
    if name not in METRICS:
        raise metric.wrong("name", brief(name, 40), hint_of(name, METRICS) + wanted)
    better = METRICS[name]
    if inner.get("goal", "minimize") != better:
        found = brief(inner["goal"], 40) if "goal" in inner else "missing, which W&B takes for minimize"
        raise metric.wrong(
            "goal",
            found,
            f'"{better}", because {"more" if better == "maximize" else "less"} {name} is better',
        )
    target = metric.take("target", (int, float), "a number", None)
    impute = metric.choice("impute", ("latest", "best", "worst")) if "impute" in inner else None
    metric.known.update(("goal", "impute_while_running"))
    metric.done()
    return name, better, target, impute


def _early_terminate(table: TomlTable) -> Hyperband | None:
    given = table.take("early_terminate", dict, 'such as "type: hyperband" and "min_iter: 1"', None)
    if given is None:
        return None
    inner = TomlTable(table.path, "early_terminate", given)
    inner.choice("type", ("hyperband",))
    count = Annotated[int, Ge(1), Le(1_000_000)]
    found = Hyperband(
        eta=inner.number("eta", Annotated[float, Gt(1), Le(1000)], 3.0),
        min_iter=inner.number("min_iter", count, None),
        max_iter=inner.number("max_iter", count, None),
        s=inner.number("s", Annotated[int, Ge(1), Le(100)], 1),
    )
    inner.known.add("strict")
    inner.done()
    if (found.min_iter is None) == (found.max_iter is None):
        both = (
            "missing, as is max_iter"
            if found.min_iter is None
            else f"{found.min_iter}, and max_iter is {found.max_iter}"
        )
        raise inner.wrong(
            "min_iter",
            both,
            "one of them: the first evaluation that judges trials, or the last one of a trial",
        )
    if found.max_iter is not None and not found.bands(MOST_TRIALS):
        raise inner.wrong(
            "max_iter",
            str(found.max_iter),
            f"at least {found.eta:g}, so that one evaluation lies before the last",
        )
    return found


def _require_grid(sweep: SweepFile) -> None:
    """Raise UserError for a range that a grid cannot go through, and for too many combinations."""
    for parameter in sweep.chosen:
        where = f'{shown(sweep.path)}: method "grid" goes through every value, but {parameter.name}'
        if not parameter.finite:
            raise UserError(
                f"{where} has a continuous range ({parameter.distribution}); wanted values, int_uniform or q_uniform, or the method "
                "bayes or random. Edit that file."
            )
        if parameter.probabilities:
            raise UserError(
                f"{where} has probabilities, which a grid ignores; leave them out. Edit that file."
            )
    if sweep.grid_size > MOST_TRIALS:
        raise UserError(
            f"{shown(sweep.path)}: the grid has more than {MOST_TRIALS:,} combinations; give fewer values, or use the method bayes or "
            "random. Edit that file."
        )


def _require_consistent(sweep: SweepFile, config: Any) -> None:
    """Raise UserError when the ends of two parameters, or one alone, give settings that exclude one another."""
    ends = {one.name: _ends(one) for one in sweep.chosen}
    tried = [(name,) for name in ends] if len(ends) == 1 else list(combinations(ends, 2))
    for names in tried:
        for values in product(*(ends[name] for name in names)):
            chosen = dict(zip(names, values, strict=True))
            words = trial_arguments(sweep.constants | chosen)
            try:
                override(config, words)
            except UserError as error:
                together = ", ".join(f"{name} {brief(value, 40)}" for name, value in chosen.items())
                raise UserError(
                    f"{shown(sweep.path)}: no trial can have {together}: {error} Edit that file."
                ) from error


def _ends(parameter: Parameter) -> list[Any]:
    if not parameter.values:
        return [parameter.lowest, parameter.highest]
    return [*parameter.values[: _ENDS - 1], parameter.values[-1]]
