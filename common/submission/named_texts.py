"""Read the predictions that a user names: a run, a file, or a member of a recipe that was made elsewhere."""

from pathlib import Path

from common.core.errors import UserError
from common.core.files import root, shown
from common.core.messages import cut, quoted
from common.core.paths import RUN_NAME
from common.data.competition import Competition
from common.data.rows import SplitName, read_predictions
from common.ensemble.recipe import read_recipe
from common.ensemble.recipe_members import Member
from common.runs.named import predictions_path
from common.submission.member_files import RANK, SCORE, read_file


def named_texts(named: str, competition: Competition, split: SplitName) -> tuple[Path, dict[str, str]]:
    """Return the file that the predictions come from, and the texts by id: of several candidates the best.

    A file of that name wins over a run, and a run over a member of a recipe. Raises UserError as `predictions_path` and
    reading do, for a member of which two recipes name different files, and for one without a file for this split.
    """
    members = {} if RUN_NAME.fullmatch(named) or Path(named).exists() else _members(competition)
    if named in members:
        path = root() / _file(members[named], split)
        return path, _best(path, competition, split, f"member {quoted(named)}")
    path = predictions_path(named, competition.name, split, list(members))
    whose = f"file {quoted(path.name)}"
    if path.suffix == ".jsonl" and path.is_file():
        return path, _best(path, competition, split, whose)
    try:
        return path, read_predictions(path, competition)
    except UserError:
        if not _has_several(path):
            raise
    return path, _best(path, competition, split, whose)


def _best(path: Path, competition: Competition, split: SplitName, whose: str) -> dict[str, str]:
    return {key: group[0].text for key, group in read_file(path, competition, split, whose).items()}


def _members(competition: Competition) -> dict[str, dict[Path, Member]]:
    """Return name → recipe → member, of the members made elsewhere in this competition's valid recipes."""
    found: dict[str, dict[Path, Member]] = {}
    for path in sorted((root() / "submissions").glob("*.toml")):
        try:
            recipe = read_recipe(path)
        except UserError:
            continue  # make submit says what is wrong with it
        if recipe.competition == competition.name:
            for member in recipe.members:
                if not member.is_run:
                    found.setdefault(member.name, {})[path] = member
    return found


def _file(by_recipe: dict[Path, Member], split: SplitName) -> str:
    """Return the member's file for a split. Raises UserError when there is none or recipes name different ones."""
    files = {path: member.files[split] for path, member in by_recipe.items() if split in member.files}
    recipe, member = next(iter(by_recipe.items()))
    if not files:
        raise UserError(
            f"{cut(member.name)}: {shown(recipe)} gives this member no {split} predictions; add {split} = to it there, or name "
            "another split with split=."
        )
    different = {file: path for path, file in reversed(files.items())}
    if len(different) > 1:
        told = ", ".join(f"{file} ({shown(path)})" for file, path in reversed(different.items()))
        raise UserError(
            f"{cut(member.name)}: recipes name different files for the {split} predictions of this member: {told}; name one of "
            "these files instead."
        )
    return next(iter(files.values()))


def _has_several(path: Path) -> bool:
    """Return whether the header of a CSV has a column for several texts of one dialogue."""
    try:
        with path.open("rb") as file:
            header = file.readline(10_000).decode("utf-8-sig", "replace")
    except OSError:
        return False
    return bool({RANK, SCORE} & {cell.strip().strip('"') for cell in header.split(",")})
