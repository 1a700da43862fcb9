"""Score the best trials of a sweep on all dev rows, and measure how much the winner flatters itself.

The best of N trials was chosen by its score on some dev rows, so that score is too high. The other dev rows say by how much.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from common.core.config import leaves, plain
from common.core.errors import UserError, first_line
from common.core.files import root, shown
from common.core.json_lines import read_lines
from common.core.messages import cut
from common.core.paths import run_folder
from common.core.progress import waiting
from common.core.signals import Interrupted
from common.data.competition import Competition
from common.data.rows import read_references, read_split
from common.data.sampled_rows import sampled_rows
from common.rouge import bootstrap_interval
from common.runs.asked import Asked
from common.runs.record import read_record
from common.runs.scoring import example_scores
from common.sweep.report import Flattery, SweepView, TrialView
from common.sweep.trial import PRIVATE
from common.sweep.unseen import unseen_rows

GREEDY = {"decoding.candidates": 1, "decoding.beams": 1, "decoding.samples": 0, "decoding.temperature": 0.0}
"""How training decodes dev rows."""
_RESAMPLES = 2000


@dataclass(frozen=True)
class Decoded:
    """The scores of one trial on all dev rows."""

    scores: npt.NDArray[np.float64]
    """One score for each dev row, in file order."""
    seen: npt.NDArray[np.bool_]
    """Whether training evaluated the row."""
    unseen: npt.NDArray[np.bool_]
    """Whether no trial of the sweep evaluated the row."""

    @property
    def means(self) -> tuple[float | None, float | None]:
        """Mean score on the seen and on the unseen rows; None where there are none."""
        found = [self.scores[self.seen], self.scores[self.unseen]]
        seen, unseen = (float(part.mean()) if part.size else None for part in found)
        return seen, unseen


def profile(view: SweepView, competition: Competition) -> str:
    """Return the profile that the sweep's metric is the headline of, else the competition's dev profile."""
    return "rouge101" if view.metric == "rouge_sum" else competition.dev_profile


def chosen(view: SweepView, top: int) -> list[TrialView]:
    """Return the best `top` complete trials, and half as many from the middle as a control: they were not chosen by chance."""
    ranked = [one for one in view.ranked() if one.state == "complete"]
    best, rest = ranked[:top], ranked[top:]
    middle = len(rest) // 2
    return [*best, *rest[max(0, middle - top // 4) :][: top // 2]]


def rescored(
    view: SweepView, competition: Competition, config: Any, folder: Path, top: int
) -> tuple[SweepView, list[str]]:
    """Return the view with scores on all of dev for the best trials, and a line for each that cannot be decoded here."""
    rows = read_split(competition, "dev").rows
    recipe = plain(config)
    configs = {one.number: {**recipe, **one.settings} for one in view.trials}
    others = unseen_rows(rows, configs.values()) if "dev_rows" in recipe else []
    unseen = np.isin([row.id for row in rows], [row.id for row in others])
    decoded: dict[int, Decoded] = {}
    lines = []
    for one in chosen(view, top) if top else ():
        try:
            texts = _decoded(view, one, competition, config, folder)
            mine = configs[one.number]
            there = sampled_rows(rows, mine["dev_rows"], mine["seed"]) if "dev_rows" in recipe else []
            seen = np.isin([row.id for row in rows], [row.id for row in there])
            decoded[one.number] = Decoded(_scores(view, competition, texts), seen, unseen)
        except UserError as error:
            lines.append(f"trial {one.number} cannot be scored on all of dev: {first_line(error)}")
    trials = tuple(_with_scores(one, decoded.get(one.number)) for one in view.trials)
    return replace(view, trials=trials, flattery=flattery(decoded, view.best)), lines


def _decoded(
    view: SweepView, one: TrialView, competition: Competition, config: Any, folder: Path
) -> dict[str, str]:
    """Return a trial's greedy summaries of all dev rows by id; the sweep's folder keeps them."""
    own = run_folder(competition.name, one.run)
    train = read_record(own).get("train", {})
    if train.get("status") != "finished":
        where = f"on {one.host}" if one.host else "on another machine"
        raise UserError(f"{shown(own)} has no finished training here; it ran {where}.")
    target = folder / "decoded" / f"{one.run}-{train['checkpoint'][:12]}.jsonl"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        asked = Asked(source=str(competition.path("dev").resolve()), target=str(target.resolve()))
        known = leaves(config)
        greedy = [f"--{name}={value}" for name, value in GREEDY.items() if name in known]
        options = [
            "--competition",
            competition.name,
            "--run",
            one.run,
            "--track",
            "off",
            asked.option(),
            *greedy,
        ]
        with waiting(f"decode dev with trial {one.number}"):
            _run(
                [sys.executable, "-m", "common.core.launch", f"experiments.{view.experiment}.infer", *options]
            )
    columns = competition.submission
    return {line[columns.id]: line[columns.summary] for line in read_lines(target)}


def _run(command: Sequence[str]) -> None:
    own = {name: value for name, value in os.environ.items() if name not in PRIVATE}
    with subprocess.Popen(command, cwd=root(), env={**own, "PYTHONUNBUFFERED": "1"}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:  # fmt: skip
        try:
            said, _ = process.communicate()
        except Interrupted as stop:
            process.send_signal(stop.number)
            raise
    if process.returncode:
        lines = [line for line in said.splitlines() if line.strip()]
        raise UserError(
            cut(lines[-1].removeprefix("error: "), 300) if lines else f"exit code {process.returncode}"
        )


def _scores(view: SweepView, competition: Competition, texts: Mapping[str, str]) -> npt.NDArray[np.float64]:
    """Return the headline score of each dev row, in file order."""
    found = example_scores(texts, read_references(competition, "dev"), profile(view, competition))
    return np.asarray(found.per_example[found.headline_key], dtype=np.float64)


def _with_scores(one: TrialView, found: Decoded | None) -> TrialView:
    if found is None:
        return one
    interval = bootstrap_interval(found.scores)
    seen, unseen = found.means
    return replace(one, score=interval.mean, interval=(interval.low, interval.high), seen=seen, unseen=unseen)


def flattery(decoded: Mapping[int, Decoded], best: int | None, seed: int = 0) -> Flattery | None:
    """Return how much better the winner is on the rows that chose it than on the others, compared with other trials.

    A row's advantage is the winner's score minus the mean score of the other trials, so that hard rows weigh nothing. The
    result is the mean advantage on the seen rows minus that on the unseen ones, with a bootstrap over the rows. None without a
    winner, another trial that saw the same rows, or rows of both kinds.
    """
    winner = decoded.get(best) if best is not None else None
    if winner is None:
        return None
    others = [one for number, one in decoded.items() if number != best and (one.seen == winner.seen).all()]
    if not others or not winner.unseen.any() or not winner.seen.any():
        return None
    advantage = winner.scores - np.mean([one.scores for one in others], axis=0)
    seen, unseen = advantage[winner.seen], advantage[winner.unseen]
    chance = np.random.default_rng(seed)
    means = [chance.choice(part, (_RESAMPLES, part.size)).mean(axis=1) for part in (seen, unseen)]
    low, high = np.quantile(means[0] - means[1], [0.025, 0.975])
    return Flattery(
        float(seen.mean() - unseen.mean()), float(low), float(high), seen.size, unseen.size, len(others)
    )
