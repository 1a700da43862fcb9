"""Write invented sweeps for the tests of the HTML page, in the format in which workers report."""

import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from common.sweep import report
from common.sweep.report import Flattery, SweepView, TrialView
from tests.support import REPOSITORY

SEARCHED = ("training.learning_rate", "training.epochs", "training.label_smoothing", "training.schedule")


def sweep(
    competition: str, trials: int = 20, *, running: bool = False, experiment: str = "exp002"
) -> SweepView:
    """Return a sweep: every third trial is stopped early, the fifth failed, the best three are decoded.

    `running`: the last two trials still run, and nothing is decoded.
    """
    chance = random.Random(trials)
    made = [_trial(number, chance, experiment) for number in range(trials)]
    if running:
        made[-1] = replace(made[-1], state="running", value=None, evaluations=(), pruned_at=None)
        made[-2] = replace(made[-2], state="running", pruned_at=None)
    view = SweepView(f"{competition}/{experiment}-sweep", experiment, competition, "outputs/journal.log", "bayes", "rouge_sum",
                     "maximize", SEARCHED, trials, tuple(made))  # fmt: skip
    complete = [one for one in view.ranked() if one.state == "complete"]
    if not complete:
        return view
    view = replace(view, best=complete[0].number)
    if running:
        return view
    for place, one in enumerate(complete[:3]):
        score = (one.value or 0.0) - 2.5
        made[one.number] = replace(
            one, score=score, interval=(score - 1.4, score + 1.4), seen=score + 1.1 - place / 4, unseen=score - 1.2 + place / 4
        )  # fmt: skip
    shares = dict(zip(SEARCHED, (0.71, 0.17, 0.08, 0.04), strict=True))
    return replace(
        view, trials=tuple(made), importance=shares, flattery=Flattery(1.31, 0.22, 2.4, 100, 99, 2)
    )


def _trial(number: int, chance: random.Random, experiment: str) -> TrialView:
    rate = 10 ** chance.uniform(-3.3, -2.1)
    settings: dict[str, Any] = {
        "training.learning_rate": rate,
        "training.epochs": chance.randrange(3, 11),
        "training.label_smoothing": chance.choice([0.0, 0.05, 0.1, 0.15]),
        "training.schedule": chance.choice(["linear", "cosine"]),
        "dev_rows": 100,
    }
    top = 44 - 9 * abs(rate - 0.003) / 0.003 + settings["training.epochs"] / 3 + chance.gauss(0, 0.8)
    state = "failed" if number == 4 else "pruned" if number % 3 == 2 else "complete"
    count = {"failed": 0, "pruned": 2, "complete": 5}[state]
    reached = tuple(round(top * (1 - 0.6 * 0.5**place), 3) for place in range(1, count + 1))
    return TrialView(
        number=number, run=f"{experiment}-sweep-{number:03d}", state=state, settings=settings,
        value=max(reached, default=None), evaluations=reached, minutes=round(1.7 * count + 0.4, 2),
        pruned_at=2 if state == "pruned" else None, host="one", reason="out of memory" if state == "failed" else "", version=1,
    )  # fmt: skip


def write(root: Path, view: SweepView, name: str = "") -> Path:
    """Write a sweep's report, with its experiment beside it, and return the sweep's folder."""
    experiment = root / "experiments" / view.experiment
    if not experiment.exists():
        shutil.copytree(
            REPOSITORY / "experiments" / view.experiment,
            experiment,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    folder = root / "outputs" / view.competition / "sweeps" / (name or f"{view.experiment}-sweep")
    folder.mkdir(parents=True)
    report.write(folder, view)
    return folder
