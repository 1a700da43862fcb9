"""`make soup`: runs of one experiment → a run whose weights are the mean of theirs (Wortsman et al. 2022).

It is a run like any: `infer` and `submit` take it, and it is stale once an ingredient is trained anew.
"""

import dataclasses
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from common.core import verified_folder
from common.core.errors import UserError
from common.core.files import fsync_folder, sha256_file, shown
from common.core.paths import run_folder
from common.core.provenance import code_in_use
from common.core.text_table import text_table
from common.models import soup
from common.models.soup import require_alike
from common.runs.record import read_record, require_trained, stale_training, to_arguments
from common.runs.run import INFER_ONLY, Run, apply_training_overrides, changed_settings, set_aside

log = logging.getLogger(__name__)
METHODS = ("uniform", "greedy")
ROOM = ("common/runs/soups.py", "common/models/soup.py", "common/models/adapter_soup.py")
"""The code that a uniform soup depends on; which ingredients a greedy one takes depends on all that decodes, too."""
# Settings that say how weights came about, not what a model reads: ingredients may well differ in them.
_OF_TRAINING = ("seed", "dev_rows", "training.", "lora.", "model.", "base.", *INFER_ONLY)

Work = Callable[[Run[Any]], None]


def make(run: Run[Any], names: Sequence[str], method: str, work: Work, *, restart: bool) -> None:
    """Average the best checkpoints of the named runs into `run`, whose folder is put in place whole or not at all.

    uniform: all of them. greedy: by falling dev score, each that does not make the soup's dev score fall; `work` is the
    experiment's inference, which decodes dev greedily as training does.
    Raises UserError when the runs are too few, not trained, of another experiment or of models that differ, and when
    the run is there already (unless `restart`, which moves it aside).
    """
    target, staging = run.folder, run.folder.with_name(f".staging-{run.folder.name}")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        if method not in METHODS:
            raise UserError(f"method {method!r}: wanted one of {', '.join(METHODS)}.")
        _require_new(target, restart)
        arguments = _own_arguments(run)
        folders = _ingredients(run, names)
        require_alike({name: folder / "best" for name, folder in folders.items()})
        _take_settings(run, folders)
        staging.mkdir()
        chosen, tried = _greedy(run, folders, staging, work) if method == "greedy" else (list(folders), [])
        best = {name: folders[name] / "best" for name in chosen}
        verified_folder.save(staging / "best", partial(soup.average, best))
        run.folder, run.stage = staging, "train"
        _record(run, folders, method, chosen, tried, arguments)
        if any(target.iterdir()):
            set_aside(target)
        staging.rename(target)
        fsync_folder(target.parent)
    finally:
        run.folder = target
        shutil.rmtree(staging, ignore_errors=True)
        if target.exists() and not any(target.iterdir()):
            target.rmdir()
    _report(run, chosen, method, tried)


def _require_new(target: Path, restart: bool) -> None:
    if any(target.iterdir()) and not restart:
        raise UserError(
            f"{shown(target)} is there already; restart=1 moves it aside, or choose another run=NAME."
        )


def _own_arguments(run: Run[Any]) -> list[str]:
    """The settings given to the soup itself. Raises UserError for one that belongs to the ingredients' training."""
    for name in run.overrides:
        if name != "dev_rows" and not name.startswith(INFER_ONLY):
            raise UserError(
                f"--{name}: the ingredients were trained without asking a soup; it takes --dev-rows and decoding.* alone."
            )
    return to_arguments(run.overrides)


def _ingredients(run: Run[Any], names: Sequence[str]) -> dict[str, Path]:
    """The ingredients' folders by name. Raises UserError for one that cannot be used."""
    if len(set(names)) != len(names) or len(names) < 2:
        raise UserError(f'runs="{" ".join(names)}": wanted two different runs or more.')
    folders = {}
    for name in names:
        folder = run_folder(run.competition.name, name)
        if name.split("-")[0] != run.experiment:
            raise UserError(
                f"{name} is no run of {run.experiment}; a soup is made of runs of one experiment, whose infer it uses."
            )
        train = read_record(folder).get("train", {})
        if name == run.folder.name or run.folder.name in train.get("soup", {}).get("ingredients", ()):
            raise UserError(f"{name} would be an ingredient of itself; choose another run=NAME.")
        require_trained(folder)
        run.uses_run(folder)
        if verified_folder.fingerprint(folder / "best") != train["checkpoint"]:
            raise UserError(f"{shown(folder)}: the checkpoint is another than the one that training made.")
        if stale := stale_training(folder):
            log.warning("%s is stale, and so will the soup be: %s", name, "; ".join(stale))
        run.data |= train["data"]
        folders[name] = folder
    return folders


def _take_settings(run: Run[Any], folders: Mapping[str, Path]) -> None:
    """Let the first ingredient's settings hold, and say where the others' say something else of what is read."""
    records = {name: read_record(folder)["train"] for name, folder in folders.items()}
    first, *others = records
    apply_training_overrides(run, records[first])
    changed = [line for line in changed_settings(run, records[first]) if not line.startswith("dev_rows ")]
    if changed:
        raise UserError(
            f"{first} was trained with other settings than config.py has now: {'; '.join(changed)}. Change them back."
        )
    for name in others:
        mine, theirs = records[first]["config"], records[name]["config"]
        for key in sorted({*mine, *theirs}):
            if not key.startswith(_OF_TRAINING) and mine.get(key) != theirs.get(key):
                log.warning(
                    "%s had %s %s; the soup has %s's %s", name, key, theirs.get(key), first, mine.get(key)
                )
        bases = [records[n]["notes"].get("base", {}).get("weights_sha256") for n in (first, name)]
        if bases[0] is None or bases[0] != bases[1]:
            log.warning(
                "%s and %s did not begin with the same weights: means of such models seldom work", first, name
            )


def _greedy(
    run: Run[Any], folders: Mapping[str, Path], staging: Path, work: Work
) -> tuple[list[str], list[dict[str, Any]]]:
    """The ingredients taken, and every soup that was tried with its dev score."""
    alone = {name: _dev_score(run, folder, work) for name, folder in folders.items()}
    ranked = sorted(alone, key=lambda name: -alone[name])
    chosen, best = ranked[:1], alone[ranked[0]]
    tried = [{"ingredients": chosen, "dev": best, "taken": True}]
    for name in ranked[1:]:
        candidate = [*chosen, name]
        place = staging / "trial"
        parts = {part: folders[part] / "best" for part in candidate}
        verified_folder.save(place / "best", partial(soup.average, parts))
        score = _dev_score(run, place, work)
        shutil.rmtree(place)
        taken = score >= best
        tried.append({"ingredients": candidate, "dev": score, "taken": taken})
        if taken:
            chosen, best = candidate, score
    run.notes["alone"] = alone
    return chosen, tried


def _dev_score(run: Run[Any], folder: Path, work: Work) -> float:
    alone = dataclasses.replace(run.config.decoding, average_with=())  # as training evaluates
    config, run.config = run.config, dataclasses.replace(run.config, decoding=alone)
    run.folder, run.dev_only = folder, True
    work(run)
    run.config = config
    found: dict[str, float] | None = run.notes.pop("dev", None)
    if found is None:
        raise UserError(f"{run.experiment}'s infer.py does not decode by stages.infer; use method=uniform.")
    log.info("%.2f  %s", found["score"], shown(folder))
    return found["score"]


def _record(
    run: Run[Any],
    folders: Mapping[str, Path],
    method: str,
    chosen: Sequence[str],
    tried: Sequence[dict[str, Any]],
    arguments: Sequence[str],
) -> None:
    if tried:
        run.notes["soups"] = {"profile": run.competition.dev_profile, "tried": tried}
    code = code_in_use(settings_too=False)
    ingredients = {
        name: {
            "taken": name in chosen,
            "run_sha256": sha256_file(folder / "run.json"),
            "checkpoint": verified_folder.fingerprint(folder / "best"),
            "weights_sha256": {path.name: sha256_file(path) for path in sorted((folder / "best").glob("*.safetensors"))},
            "dev": run.notes.get("alone", {}).get(name),
            "best_score": (read_record(folder)["train"].get("result") or {}).get("best_score"),
        }
        for name, folder in folders.items()
    }  # fmt: skip
    run.finish(
        soup={"method": method, "ingredients": ingredients, "arguments": list(arguments)},
        code=code if method == "greedy" else {name: code[name] for name in ROOM if name in code},
    )


def _report(run: Run[Any], chosen: Sequence[str], method: str, tried: Sequence[dict[str, Any]]) -> None:
    lines = [f"{shown(run.folder)}: the mean of {', '.join(chosen)} ({method})"]
    if tried:
        table = [["soup", f"dev {run.competition.dev_profile}", "taken"]]
        table += [
            [" + ".join(t["ingredients"]), f"{t['dev']:.2f}", "yes" if t["taken"] else "no"] for t in tried
        ]
        lines = [text_table(table), "", *lines]
        lines.append(f"chosen on dev among {len(tried)} soups: its dev score flatters it.")
    lines.append(f"next: make exp={run.experiment} run={run.folder.name} infer")
    print("\n".join(lines))  # noqa: T201
