"""Hand the trials of a study to workers: every trial belongs to one worker, and one that died loses its trials to others.

What belongs together happens under the storage's lock, which the system frees when a worker is killed.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from common.core.paths import outputs
from common.runs.catalogue import is_running
from common.sweep import search
from common.sweep.storage import Storage, quiet_optuna, reachable
from common.sweep.sweep_file import SweepFile
from common.sweep.workers import PREFIX, Worker

RECIPE = "recipe"
"""Attribute of the study with the versions of the recipe, the newest last; see `common.sweep.version`."""
SCORED = ("COMPLETE", "PRUNED")


@dataclass(frozen=True)
class Claim:
    """A trial that this worker is to run."""

    number: int
    settings: dict[str, Any]
    """Dotted name → JSON value, constants included."""
    again: bool
    """Whether an earlier worker began it."""


@dataclass
class Study:
    """An open study, as one worker sees it."""

    storage: Storage
    sweep: SweepFile
    competition: str
    name: str
    """What make calls it: the last part of its run folders' names."""
    worker: Worker
    fixed: dict[str, Any] = field(default_factory=dict)
    """Settings of every trial besides those of the sweep file."""
    optuna: Any = None
    id: int = -1
    ids: dict[int, int] = field(default_factory=dict)
    """Number of a trial → its id in the storage."""

    @property
    def full_name(self) -> str:
        """The name in the storage, which may hold studies of several competitions and experiments."""
        return f"{self.competition}/{self.sweep.experiment}-{self.name}"

    @property
    def title(self) -> str:
        """What messages call the sweep."""
        return title(self.sweep.experiment, self.name)

    def run(self, number: int) -> str:
        """Return the name of a trial's run: exp002-NAME_007."""
        return f"{self.sweep.experiment}-{self.name}_{number:03}"

    def open(self, *, create: bool = True) -> bool:
        """Open the study, or create it; return False when there is none and none is to be created."""
        optuna = quiet_optuna()
        direction = "maximize" if self.sweep.goal == "maximize" else "minimize"
        with reachable(self.storage.name), self.storage.locked():
            names = [one.study_name for one in self.storage.optuna.get_all_studies()]
            if self.full_name not in names and not create:
                return False
            if self.full_name in names:
                self.optuna = optuna.load_study(study_name=self.full_name, storage=self.storage.optuna)
            else:
                self.optuna = optuna.create_study(
                    study_name=self.full_name, storage=self.storage.optuna, direction=direction
                )
            self.id = self.storage.optuna.get_study_id_from_name(self.full_name)
        return True

    def trials(self) -> list[Any]:
        """Return all trials, sorted by number, as Optuna's frozen trials."""
        with reachable(self.storage.name):
            return list(self.storage.optuna.get_all_trials(self.id, deepcopy=False))

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of the study."""
        with reachable(self.storage.name):
            return dict(self.storage.optuna.get_study_user_attrs(self.id))

    def note(self, name: str, value: Any) -> None:
        """Set an attribute of the study."""
        with reachable(self.storage.name):
            self.storage.optuna.set_study_user_attr(self.id, name, value)

    def beat(self) -> None:
        """Give a sign of life when it is due."""
        if self.worker.due():
            self.note(PREFIX + self.worker.id, self.worker.sign())

    def claim(self, count: int, known: Collection[int] = ()) -> Claim | None:
        """Return a trial of a dead worker, else a new one while fewer than `count` are scored or running, else None.

        `known`: this worker's own trials. Another one that it owns was claimed while the storage went down.
        """
        self.beat()
        with reachable(self.storage.name), self.storage.locked():
            trials, attributes = self.trials(), self.attributes()
            running = [one for one in trials if one.state.name == "RUNNING"]
            for trial in running:
                owner = trial.user_attrs.get("owner", "")
                forgotten = owner == self.worker.id and trial.number not in known
                free = not owner or forgotten or self.worker.is_dead(owner, attributes)
                if free and not self._in_use(trial):
                    return self._own(trial, again="settings" in trial.user_attrs)
            scored = sum(one.state.name in SCORED for one in trials)
            if scored + len(running) >= count or self._reached(trials):
                return None
            return self._new(trials)

    def _in_use(self, trial: Any) -> bool:
        """Return whether the process of a killed worker still saves the trial's state on this machine."""
        return is_running(outputs(self.competition) / self.run(trial.number))

    def _reached(self, trials: Sequence[Any]) -> bool:
        """Return whether a trial has reached the sweep's target."""
        target = self.sweep.target
        values = [one.value for one in trials if one.state.name in SCORED and one.value is not None]
        if target is None or not values:
            return False
        return bool(max(values) >= target if self.sweep.goal == "maximize" else min(values) <= target)

    def _new(self, trials: Sequence[Any]) -> Claim | None:
        waiting = any(one.state.name == "WAITING" for one in trials)
        if self.sweep.method == "grid" and not waiting:
            cell = search.unused_cell(self.sweep, trials)
            if cell is None:
                return None
            self.optuna.enqueue_trial(cell)
        self.optuna.sampler = search.sampler(self.sweep, len(trials))
        trial = self.optuna.ask(search.distributions(self.sweep))
        return self._own(self._frozen(trial.number), again=False)

    def _frozen(self, number: int) -> Any:
        return self.storage.optuna.get_trial(self._id(number))

    def _id(self, number: int) -> int:
        if number not in self.ids:
            found = self.storage.optuna.get_trial_id_from_study_id_trial_number(self.id, number)
            self.ids[number] = found
        return self.ids[number]

    def _own(self, trial: Any, *, again: bool) -> Claim:
        """Make a trial this worker's own; choose what a worker did not get to before it was killed."""
        number, settings = trial.number, trial.user_attrs.get("settings")
        if settings is None:
            wanted = search.distributions(self.sweep)
            if set(trial.params) != set(wanted):
                self.optuna.sampler = search.sampler(self.sweep, number)
                self.optuna.get_trials(deepcopy=False)  # Optuna's cache must know the trial
                _suggest_all(quiet_optuna().trial.Trial(self.optuna, self._id(number)), wanted)
                trial = self._frozen(number)
            settings = {**self.fixed, **search.settings(self.sweep, trial.params)}
        versions = self.attributes().get(RECIPE, [])
        self._set(
            number, settings=settings, run=self.run(number), host=self.worker.host, version=len(versions)
        )
        self._set(number, owner=self.worker.id)
        return Claim(number, settings, again)

    def _set(self, number: int, **attributes: Any) -> None:
        for name, value in attributes.items():
            self.storage.optuna.set_trial_user_attr(self._id(number), name, value)

    def report(self, number: int, values: Sequence[float]) -> None:
        """Store the metric at each evaluation of a trial so far."""
        with reachable(self.storage.name):
            before = self._frozen(number).intermediate_values
            for place, value in enumerate(values, 1):
                if before.get(place) != value:
                    self.storage.optuna.set_trial_intermediate_value(self._id(number), place, value)

    def should_stop(self, number: int, values: Sequence[float], judged: int) -> bool:
        """Return whether a trial is to be stopped early after any of its evaluations except the first `judged` ones."""
        if self.sweep.early_terminate is None:
            return False
        others = [evaluations(one) for one in self.trials() if one.number != number]
        new = range(judged + 1, len(values) + 1)
        return any(search.should_stop(self.sweep, values[:place], others) for place in new)

    def owns(self, number: int) -> bool:
        """Return whether a running trial is still this worker's; one that was silent for too long loses its trials."""
        with reachable(self.storage.name):
            trial = self._frozen(number)
        return bool(trial.state.name == "RUNNING" and trial.user_attrs.get("owner") == self.worker.id)

    def finish(self, number: int, state: str, value: float | None, **attributes: Any) -> bool:
        """Store how a trial of this worker ended: COMPLETE, PRUNED or FAIL; return False when it is no longer its own."""
        states = quiet_optuna().trial.TrialState
        with reachable(self.storage.name), self.storage.locked():
            if not self.owns(number):
                return False
            self._set(number, **attributes)
            values = None if value is None or not math.isfinite(value) else [value]
            self.storage.optuna.set_trial_state_values(self._id(number), states[state], values)
        return True

    def release(self, number: int, **attributes: Any) -> None:
        """Give a trial up, so that any worker may go on with it."""
        with reachable(self.storage.name), self.storage.locked():
            if self.owns(number):
                self._set(number, **attributes, owner="")


def title(experiment: str, name: str) -> str:
    """Return what messages call a sweep; "sweep" is the name of one that was given none."""
    return f"sweep of {experiment}" if name == "sweep" else f"sweep {name} of {experiment}"


def evaluations(trial: Any) -> list[float]:
    """Return the metric at each evaluation of a trial, the first one first."""
    return [value for _, value in sorted(trial.intermediate_values.items())]


def _suggest_all(trial: Any, wanted: Mapping[str, Any]) -> None:
    """Choose a value of each setting that the trial lacks, as `Study.ask` does."""
    for name, one in wanted.items():
        if hasattr(one, "choices"):
            trial.suggest_categorical(name, one.choices)
        elif isinstance(one.low, int):
            trial.suggest_int(name, one.low, one.high)
        else:
            trial.suggest_float(name, one.low, one.high, log=one.log)
