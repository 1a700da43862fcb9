"""Read the candidates of a blend's members: of runs, post-processed as their predictions are, and of files."""

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from common.core.errors import UserError
from common.core.files import shown
from common.core.paths import run_folder
from common.core.progress import brief_progress
from common.data.competition import Competition
from common.data.rows import SplitName, read_predictions, read_split
from common.ensemble.blend import Members
from common.ensemble.recipe import Recipe
from common.postprocess.rules import apply_recorded
from common.runs import candidates
from common.runs.candidates import Candidate
from common.runs.record import read_record
from common.submission import member_files

PredictionsByRun = dict[str, dict[str, str]]  # run -> id -> prediction


def member_candidates(
    recipe: Recipe, competition: Competition, split: SplitName
) -> dict[str, dict[str, list[Candidate]]]:
    """Return member → id → candidates: the prediction first, at most `recipe.candidates` different texts.

    Those of a run are post-processed. Members without dev predictions are left out of dev. Raises UserError when a
    member's ids differ from those of the split (ids are never silently dropped), when the runs were inferred on different
    data, and as `member_files.read` and `member_files.require_different` do.
    """
    _require_one_data(recipe, competition, split)
    member_files.require_different(recipe, competition)
    wanted = [row.id for row in read_split(competition, split).rows]
    members: dict[str, dict[str, list[Candidate]]] = {}
    bar = brief_progress(len(recipe.members), f"read {split} candidates", "member", even=False)
    for member in recipe.members:
        if member.is_run:
            members[member.name] = _of_run(member.name, recipe, competition, split, wanted)
        elif split in member.files:
            found = member_files.read(member, competition, split)
            members[member.name] = {
                name: _different(found[name][0].text, found[name], recipe.candidates) for name in wanted
            }
        bar.update()
    bar.close()
    return members


def _of_run(
    run: str, recipe: Recipe, competition: Competition, split: SplitName, wanted: Sequence[str]
) -> dict[str, list[Candidate]]:
    """Return the candidates of a run of this repository by id."""
    folder = run_folder(competition.name, run)
    path = folder / split / "predictions.csv"
    read = read_predictions(path, competition)
    # As they are submitted.
    found = {name: unicodedata.normalize("NFC", text) for name, text in read.items()}
    absent, extra = set(wanted) - set(found), set(found) - set(wanted)
    if absent or extra:
        name = sorted(absent or extra)[0]
        raise UserError(
            f"{shown(path)}: {len(absent)} ids of {split} are missing and {len(extra)} are unknown, "
            f"for example {name!r}; infer {run} again."
        )
    record = read_record(folder)
    if "infer" not in record:
        raise UserError(f"{shown(folder / 'run.json')}: no record of inference; infer {run} again.")
    apply_rules = apply_recorded(
        record["infer"]["config"], folder / "run.json", competition.submission.max_characters
    )
    proposed = candidates.read(folder / split / "candidates.jsonl")
    return {
        name: _different(
            found[name],
            [replace(c, text=apply_rules(c.text)) for c in proposed.get(name, [])],
            recipe.candidates,
        )
        for name in wanted
    }


def _require_one_data(recipe: Recipe, competition: Competition, split: SplitName) -> None:
    """Raise UserError when the members were inferred on different versions of a split, even if stale ones are allowed."""
    place = shown(competition.path(split))
    seen: dict[str, str] = {}
    for run in recipe.runs:
        stage = read_record(run_folder(competition.name, run)).get("infer", {})
        seen[run] = stage.get("data", {}).get(place, {}).get("sha256", "")
    for run, sha in seen.items():
        first = recipe.runs[0]
        if sha != seen[first]:
            raise UserError(
                f"submissions/{recipe.name}.toml: {run} and {first} were inferred on different versions of {place}; "
                "infer both again on the present data."
            )


def _different(prediction: str, proposed: Sequence[Candidate], most: int) -> list[Candidate]:
    """Return the prediction and then the other texts among the candidates, without duplicates, at most `most` in all."""
    texts: dict[str, Candidate] = {prediction: Candidate(prediction, None, 0)}
    for candidate in proposed:
        if candidate.text and (candidate.text not in texts or texts[candidate.text].logprob is None):
            texts[candidate.text] = candidate
    return list(texts.values())[:most]


def predictions_of(members: Members) -> PredictionsByRun:
    """Return run → id → prediction."""
    return {run: {name: group[0].text for name, group in by_id.items()} for run, by_id in members.items()}
