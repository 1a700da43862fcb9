"""Show what a sweep found: its trials, how much each setting matters, and the best trial.

Workers write all of it to report.json in the sweep's folder, so that a reader needs neither Optuna nor the storage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import parse_json, read_regular, root, shown, unreadable, write_json
from common.sweep.study import SCORED, Study, evaluations

FILE = "report.json"
STATES = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
    "RUNNING": "running",
    "WAITING": "waiting",
}
LEAST = 4
"""Least number of scored trials from which the importance of settings is estimated."""
_TREES = 64


@dataclass(frozen=True)
class TrialView:
    """One trial of a sweep."""

    number: int
    run: str
    """Name of its run; its folder may be on another machine."""
    state: str
    """complete, pruned, failed, running or waiting."""
    settings: dict[str, Any]
    """Dotted name → value, constants included."""
    value: float | None
    """The metric of the checkpoint that the trial keeps; of a running trial the best value so far."""
    evaluations: tuple[float, ...]
    """The metric at each evaluation."""
    minutes: float | None
    """Minutes of training; None when no process has ended yet."""
    pruned_at: int | None
    """Number of the evaluation after which it was stopped early."""
    host: str
    """Machine that runs it, or ran it last."""
    reason: str
    """Why it failed."""
    version: int
    """Which version of the recipe it had, 1 for the first."""
    score: float | None = None
    """Headline score on all dev rows, decoded greedily from its best checkpoint; None before `make sweep-report` decoded it."""
    interval: tuple[float, float] | None = None
    """Ends of the 95 % bootstrap interval of `score`."""
    seen: float | None = None
    """The same on the dev rows that training evaluated, which the sweep chose by."""
    unseen: float | None = None
    """The same on the other dev rows."""


@dataclass(frozen=True)
class Flattery:
    """How much better the winner of a sweep looks on the dev rows that chose it than on the others."""

    difference: float
    """Winner's score on the seen rows minus that on the unseen ones, less the mean of the same difference of the other
    decoded trials: both kinds of rows then count as equally hard."""
    low: float
    high: float
    """Ends of its 95 % bootstrap interval."""
    seen_rows: int
    unseen_rows: int
    others: int
    """Number of the other decoded trials."""


@dataclass(frozen=True)
class SweepView:
    """A sweep, during its trials and after."""

    name: str
    experiment: str
    competition: str
    storage: str
    """Where its study is: a file, or a URL without user and password."""
    method: str
    metric: str
    goal: str
    searched: tuple[str, ...]
    """Settings with more than one value, in the order of the sweep file."""
    count: int | None
    """Number of scored trials that the last call wanted."""
    trials: tuple[TrialView, ...]
    importance: dict[str, float] = field(default_factory=dict)
    """Searched setting → share of the variance of the metric that it explains, in descending order (fANOVA); {} with too few trials."""
    best: int | None = None
    """Number of the best trial."""
    flattery: Flattery | None = None
    mixed: str = ""
    """A line when the trials have several versions of the recipe."""

    def count_of(self, *states: str) -> int:
        """Return the number of trials in one of these states."""
        return sum(one.state in states for one in self.trials)

    def ranked(self) -> list[TrialView]:
        """Return the scored trials, the best first."""
        sign = -1 if self.goal == "maximize" else 1
        scored = [one for one in self.trials if one.value is not None and one.state in ("complete", "pruned")]
        return sorted(scored, key=lambda one: (sign * (one.value or 0.0), one.number))


def view(study: Study, count: int | None, *, mixed: str = "") -> SweepView:
    """Return the present state of an open study; importance and scores on all of dev are added by others."""
    sweep = study.sweep
    trials = tuple(_trial(study, one) for one in study.trials())
    found = SweepView(
        name=study.name,
        experiment=sweep.experiment,
        competition=study.competition,
        storage=study.storage.name,
        method=sweep.method,
        metric=sweep.metric,
        goal=sweep.goal,
        searched=tuple(one.name for one in sweep.chosen),
        count=count,
        trials=trials,
        mixed=mixed,
    )
    ranked = [one for one in found.ranked() if one.state == "complete"] or found.ranked()
    return replace(found, best=ranked[0].number if ranked else None)


def _trial(study: Study, trial: Any) -> TrialView:
    about, values = trial.user_attrs, tuple(evaluations(trial))
    better = max if study.sweep.goal == "maximize" else min
    return TrialView(
        number=trial.number,
        run=about.get("run", study.run(trial.number)),
        state=STATES.get(trial.state.name, "running"),
        settings=dict(about.get("settings", {})),
        value=trial.value if trial.state.is_finished() else better(values) if values else None,
        evaluations=values,
        minutes=about.get("minutes"),
        pruned_at=about.get("pruned_at"),
        host=about.get("host", ""),
        reason=about.get("reason", ""),
        version=about.get("version", 1),
    )


def importance(study: Study) -> dict[str, float]:
    """Return searched setting → share of the variance of the metric that it explains, 0 to 1, in descending order.

    {} with fewer than LEAST scored trials, or when all have the same score. Trials that were stopped early count with what they reached.
    Source: Hutter et al. 2014, "An Efficient Approach for Assessing Hyperparameter Importance" (fANOVA).
    """
    from optuna import create_study
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    from optuna.trial import TrialState, create_trial

    from common.core.threads import one_thread

    trials = [one for one in study.trials() if one.state.name in SCORED and one.value is not None]
    if len(trials) < LEAST or len({one.value for one in trials}) < 2:
        return {}
    names = set.intersection(*(set(one.params) for one in trials))
    varied = [name for name in sorted(names) if len({one.params[name] for one in trials}) > 1]
    if not varied:
        return {}
    copy = create_study()
    for one in trials:  # pruned trials would not count
        kept = {name: one.params[name] for name in varied}
        ranges = {name: one.distributions[name] for name in varied}
        copy.add_trial(
            create_trial(state=TrialState.COMPLETE, value=one.value, params=kept, distributions=ranges)
        )
    try:
        with one_thread():
            found = get_param_importances(copy, evaluator=FanovaImportanceEvaluator(n_trees=_TREES, seed=0))
    except (ValueError, RuntimeError):  # ranges that changed during the study
        return {}
    return {name: float(share) for name, share in found.items()}


def write(folder: Path, found: SweepView) -> None:
    """Write the view for readers, whole or not at all."""
    write_json(folder / FILE, asdict(found))


def read(folder: Path) -> SweepView:
    """Return the view that a worker on this machine wrote last. Raises UserError when it cannot be read."""
    path = folder / FILE
    try:
        values: Mapping[str, Any] = parse_json(read_regular(path))
        trials = tuple(_read_trial(one) for one in values["trials"])
        flattery = Flattery(**values["flattery"]) if values["flattery"] else None
        return SweepView(
            **{**values, "trials": trials, "flattery": flattery, "searched": tuple(values["searched"])}
        )
    except FileNotFoundError as error:
        raise UserError(
            f"{shown(path)}: not there; begin the sweep with: make exp={folder.name.split('-')[0]} sweep"
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{shown(path)}: is no report of a sweep; remove it, then run: make sweep-report exp={folder.name.split('-')[0]}"
        ) from error


def _read_trial(values: Mapping[str, Any]) -> TrialView:
    interval = values["interval"]
    return TrialView(
        **{
            **values,
            "evaluations": tuple(values["evaluations"]),
            "interval": tuple(interval) if interval else None,
        }
    )


def sweeps(competition: str) -> Sequence[Path]:
    """Return the folders of all sweeps of a competition on this machine that can be read with `read`, sorted by name."""
    return sorted(path.parent for path in (root() / "outputs" / competition / "sweeps").glob(f"*/{FILE}"))
