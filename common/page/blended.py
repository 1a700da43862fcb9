"""Find the texts of the blends for the error browser: chosen on dev as `make submit` does, and those of test from the CSV."""

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import cached, root, sha256_file, sha256_files, sha256_texts
from common.core.paths import run_folder
from common.data.competition import Competition
from common.data.rows import SplitName, read_predictions
from common.ensemble import blend
from common.ensemble.recipe import Recipe, read_recipe
from common.runs.catalogue import run_folders
from common.submission.candidates import member_candidates

Gap = Callable[[str, str], None]
"""Takes the name of a blend and why it is left out."""


def blend_texts(competition: Competition, split: SplitName, gap: Gap) -> dict[str, dict[str, str]]:
    """Return recipe → id → text for the recipes of a competition, in the order of their names.

    dev texts are kept in `.cache/blends` under a hash of everything that they depend on, since learning takes seconds.
    """
    runs = {folder.name for folder in run_folders(root() / "outputs" / competition.name)}
    found: dict[str, dict[str, str]] = {}
    for path in sorted((root() / "submissions").glob("*.toml")):
        name = path.stem if path.stem not in runs else f"{path.stem} (blend)"
        try:
            recipe = read_recipe(path)
            if recipe.competition != competition.name:
                continue
            texts = chosen_on_dev(recipe, path, competition) if split == "dev" else _of_csv(path, competition)
        except (UserError, OSError) as error:
            gap(name, str(error))
            continue
        if texts:
            found[name] = texts
    return found


def _of_csv(path: Path, competition: Competition) -> dict[str, str]:
    """Return the texts of the newest CSV of a recipe; {} before the first."""
    csv = path.with_suffix(".csv")
    return read_predictions(csv, competition) if csv.exists() else {}


def chosen_on_dev(recipe: Recipe, path: Path, competition: Competition) -> dict[str, str]:
    """Return id → the text that the recipe chooses on dev, without learning again when nothing has changed since.

    Raises UserError when a member has no dev predictions, and as `blend_on_dev` does.
    """

    def read(content: Any) -> dict[str, str]:
        if not all(isinstance(text, str) for text in content.values()):
            raise TypeError
        return dict(content)

    def choose() -> dict[str, str]:
        texts = blend.blend_on_dev(recipe, competition, member_candidates(recipe, competition, "dev"))
        return {name: unicodedata.normalize("NFC", text) for name, text in texts.items()}

    key = key_of(recipe, path, competition)
    return cached(root() / ".cache" / "blends" / f"{key[:24]}.json", read, choose, dict)


def key_of(recipe: Recipe, path: Path, competition: Competition) -> str:
    """Return a hash of a recipe, the code that blends and scores, the competition's files, and the members' dev texts.

    Raises UserError when a member has no dev predictions.
    """
    rooms = Path(__file__).parents[1]
    code = sorted(
        file
        for room in ("data", "rouge", "runs", "ensemble", "submission")
        for file in rooms.glob(f"{room}/*.py")
    )
    files = [
        path,
        competition.folder / "competition.toml",
        competition.path("train"),
        competition.path("dev"),
    ]
    for member in recipe.members:
        if member.is_run:
            folder = run_folder(competition.name, member.name)
            predictions = folder / "dev" / "predictions.csv"
            if not predictions.exists():
                raise UserError(f"{path.name}: {member.name} has no dev predictions.")
            files += [predictions, folder / "dev" / "candidates.jsonl", folder / "run.json"]
        elif "dev" in member.files:
            files.append(root() / member.files["dev"])
    hashes = [sha256_file(file) if file.exists() else "" for file in files]
    return sha256_texts([*hashes, *sha256_files(code)])
