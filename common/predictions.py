"""Last steps of every inference: write post-processed predictions, score them on dev, record them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from common import postprocess, processes, rows, scoring
from common.candidates import Candidate
from common.files import shown, write_json
from common.postprocess import PostprocessConfig
from common.tracking import Run

SPLITS: tuple[rows.SplitName, ...] = ("dev", "test")


def write(
    run: Run[Any],
    split: str,
    config: PostprocessConfig,
    candidates: Mapping[str, Sequence[Candidate]],
) -> Path:
    """Write the post-processed prediction of every id of the split to predictions.csv, and return its path."""
    path = run.folder / split / "predictions.csv"
    if processes.rank():  # only the first process writes
        return path
    predicted = postprocess.predictions(config, candidates)
    rows.write_predictions(path, list(predicted), list(predicted.values()), run.competition)
    return path


def finish(run: Run[Any], files: Sequence[Path]) -> None:
    """Score the dev predictions in every profile, print the report and record the stage as finished."""
    if processes.rank():
        return
    predictions = rows.read_predictions(run.folder / "dev" / "predictions.csv", run.competition)
    if run.smoke:
        run.finish(files)
        return
    report = scoring.report(run.competition, "dev", predictions)
    path = run.folder / "dev" / "scores.json"
    write_json(path, report.plain())
    run.tracker.scores()
    print(f"{shown(run.folder)} on dev\n{scoring.table(report)}")  # noqa: T201
    run.finish([*files, path], scores={s.profile: asdict(s) for s in report.scores})
