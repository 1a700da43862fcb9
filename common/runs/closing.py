"""Say how a stage ended: what was made, where, how long it took and what usually comes next."""

import contextlib
import time
import tomllib
from typing import Any

from common.core.config import plain
from common.core.files import root, shown
from common.core.messages import duration
from common.core.paths import run_folder
from common.data.competition_file import comp_setting
from common.runs.record import stage_command
from common.runs.run import Run


def closing(run: Run[Any]) -> str:
    """Return the last lines of a finished stage."""
    took = duration(time.time() - run.started)
    if run.smoke:
        if run.stage == "train":
            done = (
                f"smoke run: trained with tiny settings on a few rows in {took}, only to see that it works."
            )
        else:
            done = (
                f"smoke run: predicted with tiny settings on a few rows in {took}, only to see that it works."
            )
        return f"{done} It is in {shown(run.folder)}; scores and submissions never use it."
    name, competition = run.folder.name, run.competition.name
    comp = comp_setting(competition)
    if run.stage == "train":
        return (
            f"{shown(run.folder / 'best')}: trained in {took}.\n"
            f"Next: {stage_command(name, 'infer', run.folder, comp)}"
        )
    recipes = _recipes_with(run)
    if recipes:
        submit = f"make submit blend={recipes[0]}{comp}"
    else:
        recipe = name.partition("-")[2] or name
        submit = (
            f'name the run in submissions/{recipe}.toml, as in first.toml ({{ run = "{name}" }}), then: '
            f"make submit blend={recipe}{comp}"
        )
    return f"{shown(run.folder)}: dev and test predicted in {took}; predictions.csv is in dev/ and test/.\nNext: {submit}"


def _recipes_with(run: Run[Any]) -> list[str]:
    """Return the names of the competition's blend recipes that have this run as a member and can be blended now, sorted."""
    found = []
    for path in sorted((root() / "submissions").glob("*.toml")):
        with contextlib.suppress(
            OSError, ValueError, KeyError, TypeError
        ):  # make submit says what is wrong with a recipe
            recipe = tomllib.loads(path.read_text(encoding="utf-8"))
            members = [member["run"] for member in recipe["members"]]
            ready = run.folder.name in members and all(_has_predictions(run, name) for name in members)
            if ready and recipe["competition"] == run.competition.name:
                found.append(path.stem)
    return found


def _has_predictions(run: Run[Any], name: str) -> bool:
    folder = run_folder(run.competition.name, name)
    return all((folder / split / "predictions.csv").is_file() for split in ("dev", "test"))


def how_to_go_on(run: Run[Any], *, restart: bool) -> str:
    """Return what happens next after a signal has ended the stage, according to what is on disk."""
    if run.smoke:
        return "a smoke run begins from the start."
    if run.stage == "infer":
        if _has_partial(run) and _asks(run):
            return "run the same command again: finished dialogues and paid answers are kept."
        if _has_partial(run):
            return "run the same command again: finished dialogues are kept."
        if _asks(run):
            return "run the same command again: paid answers are kept."
        return "nothing is kept yet: the same command begins from the start."
    checkpoint = any((run.folder / "checkpoints").glob("step-*"))
    if not checkpoint and not _has_partial(run):
        return "there is no checkpoint yet: the same command begins from the start."
    if checkpoint and restart:
        return "run the same command without restart=1 to resume."
    if checkpoint:
        return "run the same command again to resume."
    if restart:
        return "run the same command without restart=1 to resume: finished dialogues are kept."
    return "run the same command again to resume: finished dialogues are kept."


def _has_partial(run: Run[Any]) -> bool:
    """Return whether candidates that `resumable.generate` continues with are on disk."""
    for key in run.folder.glob("*/*.key.json"):
        if (key.parent.name == "train") != (run.stage == "train"):
            continue
        stem = key.name.removesuffix(".key.json")
        if any(path.stat().st_size for path in key.parent.glob(f"{stem}*.jsonl")):
            return True
    return False


def _asks(run: Run[Any]) -> bool:
    """Return whether the experiment asks an API, whose answers are kept in .cache."""
    return any(name.startswith("llm.") for name in plain(run.config))
