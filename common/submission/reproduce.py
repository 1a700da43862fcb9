"""Record what a submission is made of, and rebuild a submission of the ledger from the same inputs."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import root, sha256_file, shown
from common.core.paths import run_folder
from common.core.progress import waiting
from common.core.provenance import git_state, package_versions, room_hashes
from common.data.competition import Competition
from common.data.competition_file import load_competition
from common.data.rows import SplitName
from common.ensemble.blend import blend
from common.ensemble.recipe import Recipe, read_recipe
from common.ensemble.recipe_members import Member
from common.submission import csv_file, ledger, member_files
from common.submission.candidates import member_candidates
from common.submission.register import kept_copy

SPLITS: tuple[SplitName, ...] = ("dev", "test")
MEMBER_FILES = (
    "run.json",
    *(f"{split}/{name}" for split in SPLITS for name in ("predictions.csv", "candidates.jsonl")),
)
"""What a blend reads of a member's run folder."""
ROOMS = ("core", "data", "rouge", "prompts", "runs", "postprocess", "ensemble", "submission")
"""Rooms whose code decides what a blend contains."""
DIGITS = 12  # digits of a hash in a message
_MISSING = "missing"


def recipe_path(name: str) -> Path:
    """Return the path of a recipe: submissions/NAME.toml."""
    return root() / "submissions" / f"{name}.toml"


def recorded_inputs(recipe: Recipe, competition: Competition) -> dict[str, Any]:
    """Return the part of a ledger entry that says what the CSV is made of: hashes of recipe, data, members and code.

    The recipe is there as text, too, because the next submission may change its file.
    """
    path = recipe_path(recipe.name)
    return {
        "recipe_sha256": _hash(path),
        "recipe_text": path.read_text(encoding="utf-8") if path.is_file() else None,
        "members": [_recorded_member(member, competition) for member in recipe.members],
        "git": git_state(),
        "data": {kind: _hash(competition.path(kind)) for kind in competition.files},
        "code": room_hashes(ROOMS),
        "packages": package_versions(),
    }


def _recorded_member(member: Member, competition: Competition) -> dict[str, Any]:
    if member.is_run:
        return {
            "run": member.name,
            "weight": member.weight,
            "run_sha256": _hash(run_folder(competition.name, member.name) / "run.json"),
            "files": _member_hashes(competition.name, member.name),
        }
    return {"name": member.name, "weight": member.weight, "files": member_files.hashes(member)}


@dataclass(frozen=True)
class Reproduction:
    """The result of rebuilding the CSV of a ledger entry."""

    entry: Mapping[str, Any]
    csv_sha256: str | None
    """Hash of the rebuilt CSV; None when it could not be built."""
    differences: tuple[str, ...]
    """One line for each input that is not the recorded one, and for the reason why the CSV could not be built."""

    @property
    def identical(self) -> bool:
        """Return whether the rebuilt CSV equals the submitted one, byte for byte."""
        return bool(self.csv_sha256 == self.entry["csv_sha256"])


def reproduce(submission: str, competition_name: str | None = None) -> Reproduction:
    """Rebuild the CSV of a ledger entry in memory, with the present inputs, and compare both with the recorded hashes.

    No file is written. Raises UserError as `ledger.find` does, when the entry's competition is gone, and for a CSV that was
    made elsewhere.
    """
    entry = ledger.find(submission, competition_name)
    competition = load_competition(entry["competition"])
    if ledger.is_registered(entry):
        raise UserError(
            f"{entry['id']} ({entry['recipe']}) was registered from a CSV made elsewhere, so it cannot be made here; "
            f"{kept_copy(entry)}."
        )
    with waiting("compare the inputs with the recorded ones"):
        differences = list(_differences(entry, competition))
    try:
        recipe = read_recipe(recipe_path(entry["recipe"]))
        made = blend(
            recipe, competition, *(member_candidates(recipe, competition, split) for split in SPLITS)
        )
        content = csv_file.text(competition, made.test).encode("utf-8")
    except (UserError, OSError) as error:
        return Reproduction(entry, None, (*differences, f"the CSV cannot be built: {error}"))
    return Reproduction(entry, hashlib.sha256(content).hexdigest(), tuple(differences))


def report(found: Reproduction) -> str:
    """Return the answer as text: "identical", or every input that differs, one line each."""
    entry, csv = found.entry, f"the CSV of {found.entry['id']} ({found.entry['recipe']})"
    recorded = entry["csv_sha256"][:DIGITS]
    if found.identical:
        lines = [f"identical: {csv} was built again, sha256 {recorded}"]
        lines += [f"  changed without an effect: {line}" for line in found.differences]
        return "\n".join(lines)
    built = "it cannot be built" if found.csv_sha256 is None else f"found {found.csv_sha256[:DIGITS]}"
    reasons = found.differences or (
        "no recorded input differs; the processor or a library may round differently",
    )
    return "\n".join(
        [f"different: {csv}: recorded sha256 {recorded}, {built}", *(f"  {one}" for one in reasons)]
    )


def _differences(entry: Mapping[str, Any], competition: Competition) -> Iterator[str]:
    """Yield a line for each input whose present hash is not the recorded one."""
    if "recipe_sha256" in entry:
        path = recipe_path(entry["recipe"])
        if line := _difference(f"recipe {shown(path)}", entry["recipe_sha256"], _hash(path)):
            yield f"{line} (the ledger keeps the recorded text as recipe_text)"
    else:
        yield "the entry is of an older version, which recorded neither recipe, predictions nor code"
    for kind, sha in entry["data"].items():
        path = competition.path(kind) if kind in competition.files else Path(kind)
        if line := _difference(f"data {shown(path)}", sha, _hash(path)):
            yield line
    for member in entry["members"]:
        if "run" not in member:
            for name, sha in member["files"].items():
                if line := _difference(f"member {member['name']}: {name}", sha, _hash(root() / name)):
                    yield line
            continue
        folder = run_folder(competition.name, member["run"])
        recorded = member.get("files") or {"run.json": member["run_sha256"]}
        for name, sha in recorded.items():
            if line := _difference(
                f"member {member['run']}: {shown(folder / name)}", sha, _hash(folder / name)
            ):
                yield line
    commit = entry["git"]["commit"]
    since = "" if commit is None else f" since commit {commit[:7]}"
    since += " with uncommitted changes" if entry["git"]["dirty"] else ""
    present = room_hashes(ROOMS)
    for room, sha in entry.get("code", {}).items():
        if line := _difference(f"code of common/{room}{since}", sha, present.get(room)):
            yield line
    versions = package_versions()
    for name, version in entry.get("packages", {}).items():
        if versions.get(name) != version:
            yield f"package {name} was {version}, is {versions.get(name, _MISSING)}"


def _difference(what: str, recorded: str | None, found: str | None) -> str | None:
    if recorded == found:
        return None
    then, now = (sha[:DIGITS] if sha else _MISSING for sha in (recorded, found))
    return f"{what} has changed: recorded sha256 {then}, found {now}"


def _member_hashes(competition: str, run: str) -> dict[str, str | None]:
    folder = run_folder(competition, run)
    return {name: _hash(folder / name) for name in MEMBER_FILES}


def _hash(path: Path) -> str | None:
    return sha256_file(path) if path.is_file() else None
