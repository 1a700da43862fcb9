"""Finish an inference: write post-processed predictions, score them on dev, record them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from common.core import distributed, terminal
from common.core.config import plain
from common.core.files import shown, write_json
from common.core.progress import waiting
from common.data.rows import read_predictions, write_predictions
from common.postprocess.hints import hints
from common.postprocess.rules import PostprocessConfig, best_texts, within
from common.runs import score_text, scoring
from common.runs.candidates import Candidate
from common.runs.results import from_record, write_result
from common.runs.run import Run
from common.runs.scoring import ScoreReport

log = logging.getLogger(__name__)


def write(
    run: Run[Any],
    split: str,
    config: PostprocessConfig,
    candidates: Mapping[str, Sequence[Candidate]],
) -> Path:
    """Write the post-processed prediction of every id of the split to predictions.csv, and return its path.

    Empty candidates are counted in the run's notes and in a warning.
    """
    path = run.folder / split / "predictions.csv"
    if distributed.rank():  # only the first process writes
        return path
    _count_empty(run, split, candidates)
    predicted = best_texts(within(config, run.competition.submission.max_characters), candidates)
    write_predictions(path, list(predicted), list(predicted.values()), run.competition)
    return path


def _count_empty(run: Run[Any], split: str, candidates: Mapping[str, Sequence[Candidate]]) -> None:
    empty = sum(not candidate.text.strip() for group in candidates.values() for candidate in group)
    if not empty:
        return
    none = sum(not any(candidate.text.strip() for candidate in group) for group in candidates.values())
    run.notes.setdefault("empty_candidates", {})[split] = {"candidates": empty, "dialogues_without_any": none}
    if run.smoke:  # an untrained model writes anything
        return
    log.warning(
        "%d of %d candidates of %s are empty, and %d of %d dialogues have no other.",
        empty,
        sum(map(len, candidates.values())),
        split,
        none,
        len(candidates),
    )
    if plain(run.config).get("prompt.thinking"):
        log.warning(
            "A thought that does not end within --max-new-tokens leaves an empty candidate: raise that, or train and infer "
            "with --thinking false."
        )


def finish(run: Run[Any], files: Sequence[Path]) -> None:
    """Score the dev predictions in every profile, print the report and record the stage as finished.

    Also write the run's result into results/. Smoke runs are only recorded, and `make predict` records nothing.
    """
    if distributed.rank() or run.given is not None:
        return
    predictions = read_predictions(run.folder / "dev" / "predictions.csv", run.competition)
    if run.smoke:
        run.finish(files)
        return
    with waiting("score dev in every profile"):
        report = scoring.report(run.competition, "dev", predictions)
    path = run.folder / "dev" / "scores.json"
    write_json(path, report.plain())
    run.tracker.scores()
    judged = score_text.judged_by(run.competition, "dev")
    print(terminal.fitted(f"{score_text.text(report, judged)}\n{shown(run.folder)} on dev"))  # noqa: T201
    for line in hints(predictions):
        log.warning("%s", line)
    run.finish([*files, path], scores={s.profile: asdict(s) for s in report.scores})
    defaults = plain(type(run.config)())
    changed = {name: value for name, value in plain(run.config).items() if value != defaults[name]}
    result = from_record(run.folder, changed, report, _test_report(run))
    log.info("result written to %s; commit it with git.", shown(write_result(result)))


def _test_report(run: Run[Any]) -> ScoreReport | None:
    competition = run.competition
    if "solution" not in competition.files or not competition.path("solution").exists():
        return None
    predictions = read_predictions(run.folder / "test" / "predictions.csv", competition)
    with waiting("score test in every profile"):
        return scoring.report(competition, "test", predictions)
