"""What a stage says at its end, and after a signal: only what is true of the files on disk."""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from common.data.competition_file import load_competition
from common.runs import wandb_log
from common.runs.closing import closing, how_to_go_on
from common.runs.run import Run
from tests.support import repository as repositories


@dataclass(frozen=True)
class Plain:
    """Settings of an experiment that asks no API."""

    seed: int = 1


@dataclass(frozen=True)
class Model:
    """Settings of an API."""

    model: str = "solar"


@dataclass(frozen=True)
class Asking:
    """Settings of an experiment that asks an API."""

    seed: int = 1
    llm: Model = field(default_factory=Model)


def run_of(folder: Path, stage: str, config: Any = None, *, smoke: bool = False) -> Run[Any]:
    tracker = wandb_log.tracker(folder, "off", smoke=smoke)
    return Run(stage, "exp001", folder, load_competition("talk"), config or Plain(), {}, smoke, tracker)


def partial(folder: Path, split: str) -> None:
    """Write what `resumable.generate` leaves when it is interrupted after a batch."""
    (folder / split).mkdir(parents=True)
    (folder / split / "candidates.key.json").write_text(json.dumps({"key": "a"}), encoding="utf-8")
    (folder / split / "candidates.0.jsonl").write_text("{}\n", encoding="utf-8")


def test_an_interrupted_inference_says_what_is_kept(repository: Path) -> None:
    folder = repository / "outputs/talk/exp001-x"
    nothing = "nothing is kept yet: the same command begins from the start."
    assert how_to_go_on(run_of(folder, "infer"), restart=False) == nothing
    partial(folder, "train")  # samples that training made are no predictions
    assert how_to_go_on(run_of(folder, "infer"), restart=False) == nothing
    asked = how_to_go_on(run_of(folder, "infer", Asking()), restart=False)
    assert asked == "run the same command again: paid answers are kept."
    partial(folder, "dev")
    decoded = how_to_go_on(run_of(folder, "infer"), restart=False)
    assert decoded == "run the same command again: finished dialogues are kept."


def test_an_interrupted_training_says_what_is_kept(repository: Path) -> None:
    folder = repository / "outputs/talk/exp001-x"
    start = "there is no checkpoint yet: the same command begins from the start."
    assert how_to_go_on(run_of(folder, "train"), restart=True) == start
    partial(folder, "train")
    sampled = how_to_go_on(run_of(folder, "train"), restart=True)
    assert sampled == "run the same command without restart=1 to resume: finished dialogues are kept."
    (folder / "checkpoints/step-00000003").mkdir(parents=True)
    saved = how_to_go_on(run_of(folder, "train"), restart=False)
    assert saved == "run the same command again to resume."


def test_a_stage_ends_with_what_was_made_and_what_comes_next(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    repositories.stage(repository, "exp001", "train", "--competition=talk", "--run=exp001-new")
    folder = "outputs/talk/exp001-new"
    made, following = caplog.messages[-1].splitlines()
    assert made.startswith(f"{folder}/best: trained in ")
    assert following == "Next: make exp=exp001 infer run=exp001-new"
    repositories.stage(repository, "exp001", "infer", "--competition=talk", "--run=exp001-new")
    made, following = caplog.messages[-1].splitlines()
    assert made.startswith(f"{folder}: dev and test predicted in ")
    assert following == (
        'Next: name the run in submissions/new.toml, as in first.toml ({ run = "exp001-new" }), then: '
        "make submit blend=new"
    )


def test_a_run_of_a_recipe_names_the_recipe(repository: Path) -> None:
    assert "Next: make submit blend=talk" in closing(run_of(repository / "outputs/talk/exp001", "infer"))


def test_a_recipe_that_cannot_be_blended_yet_is_not_offered(repository: Path) -> None:
    run = run_of(repository / "outputs/talk/exp001", "infer")
    (repository / "outputs/talk/exp002/test/predictions.csv").unlink()
    assert "make submit blend=talk" not in closing(run)
    assert "Next: name the run in submissions/exp001.toml" in closing(run)


def test_a_smoke_run_says_that_it_was_one(repository: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    repositories.stage(repository, "exp001", "train", "--competition=talk", "--smoke")
    assert caplog.messages[-1].startswith("smoke run: trained with tiny settings")
    assert "It is in outputs/smoke/talk/exp001;" in caplog.messages[-1]


def test_warnings_about_the_data_are_recorded_and_not_repeated(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = repository / "competitions/talk/data/train.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("?", "\u200b?", 1), encoding="utf-8")
    repositories.stage(repository, "exp001", "train", "--competition=talk", "--run=exp001-odd")
    record = json.loads((repository / "outputs/talk/exp001-odd/run.json").read_text(encoding="utf-8"))
    [warnings] = [entry["warnings"] for entry in record["train"]["data"].values() if entry["warnings"]]
    assert warnings == {"invisible character": 1}
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
