"""Remember which recipe a study searched: its settings, code, data and sweep file. Trials of two recipes do not compare."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from common.core.config import plain
from common.core.errors import UserError
from common.core.files import root, sha256_file
from common.core.messages import brief
from common.core.provenance import code_hash
from common.data.competition import Competition
from common.runs.record import changed_code, read_record
from common.runs.start import NEEDED
from common.sweep.storage import reachable
from common.sweep.study import RECIPE, Study
from common.sweep.sweep_file import SweepFile

OF_FILE = "sweep file: "
"""Beginning of a difference in the sweep file."""
PARAMETERS = "parameters."
"""Prefix of the parameters of a sweep file in what a study remembers of it."""
_NAMED = 3
"""Number of differences that a message names."""


def recipe(sweep: SweepFile, config: Any, competition: Competition) -> dict[str, Any]:
    """Return what the trials of a sweep depend on now, as JSON values. `code` is completed when a trial has begun."""
    folder = root() / "experiments" / sweep.experiment
    code = {str(path.relative_to(root())): code_hash(path) for path in sorted(folder.glob("*.py"))}
    searched = {one.name for one in sweep.parameters}
    data = [competition.path(kind) for kind in NEEDED[:2] if kind in competition.files]
    found = {
        "settings": {name: value for name, value in plain(config).items() if name not in searched},
        "code": {name: value for name, value in code.items() if not name.endswith("/config.py")},
        "data": {str(path.relative_to(root())): sha256_file(path) for path in data},
        "sweep": {
            "method": sweep.method,
            "metric": sweep.metric,
            "goal": sweep.goal,
            **{f"{PARAMETERS}{one.name}": one.for_wandb() for one in sweep.parameters},
        },
    }
    return dict(json.loads(json.dumps(found)))


def require_same(study: Study, now: dict[str, Any], *, stale: bool) -> None:
    """Store the recipe with a new study. Raises UserError, which names what differs, when the study has another one.

    `stale`: go on with the new recipe; the study then remembers both, and every trial the one that it had.
    """
    versions: list[dict[str, Any]] = study.attributes().get(RECIPE, [])
    if not versions:
        study.note(RECIPE, [now])
        return
    changed = differences(versions[-1], now)
    if not changed:
        return
    if stale:
        study.note(RECIPE, [*versions, now])
        return
    more = f"; and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
    again = ", name its own sweep file with from=" if any(one.startswith(OF_FILE) for one in changed) else ""
    raise UserError(
        f"{study.title} was begun with another recipe: {'; '.join(changed[:_NAMED])}{more}. "
        f"Scores before and after do not compare: begin another one with name={again}, or go on with this one: stale=ok."
    )


def as_begun(study: Study) -> tuple[SweepFile, tuple[str, ...]]:
    """Return the sweep with the method and the metric that its study has, and the settings that it searches, in their order.

    A report then shows the study as it is, whatever the sweep file says now.
    """
    versions: list[dict[str, Any]] = study.attributes().get(RECIPE, [])
    said = versions[-1]["sweep"] if versions else {}
    if not said:
        return study.sweep, tuple(one.name for one in study.sweep.chosen)
    begun = {name: said[name] for name in ("method", "metric", "goal")}
    searched = [
        name.removeprefix(PARAMETERS)
        for name, one in said.items()
        if name.startswith(PARAMETERS) and "value" not in one
    ]
    return replace(study.sweep, **begun), tuple(searched)


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return one printable reason for each part of the recipe that is not as the study remembers it."""
    found = changed_code(then["code"])
    old, new = then["data"], now["data"]
    found += [f"data {name} has changed" for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    of_file = {name.removeprefix(PARAMETERS) for name in (*then["sweep"], *now["sweep"])}
    for part, word in (("sweep", OF_FILE), ("settings", "")):
        old, new = then[part], now[part]
        found += [
            f"{word}{name} was {_value(old, name)}, is {_value(new, name)}"
            for name in sorted({*old, *new})
            # A setting that either sweep file has is a difference of the sweep files.
            if old.get(name) != new.get(name) and not (part == "settings" and name in of_file)
        ]
    return found


def _value(values: dict[str, Any], name: str) -> str:
    if name not in values:
        return "not there"
    value = values[name]
    return brief(
        json.dumps(value, ensure_ascii=False).replace('"', "") if isinstance(value, dict) else value, 60
    )


def require_own_code(study: Study, folder: Path) -> bool:
    """Compare the code that a trial recorded with the study's recipe; return whether it has recorded it yet.

    The first trial completes the recipe: only its process knows every file that it uses. Raises UserError when the code was
    changed while the sweep runs.
    """
    code: dict[str, str] = read_record(folder).get("train", {}).get("code", {})
    if not code:
        return False
    with reachable(study.storage.name), study.storage.locked():
        versions: list[dict[str, Any]] = study.attributes().get(RECIPE, [])
        last = versions[-1] if versions else {"code": {}}
        if not last.get("complete"):
            complete = {**last, "code": {**last["code"], **code}, "complete": True}
            study.note(RECIPE, [*versions[:-1], complete])
            return True
    changed = sorted(name for name in code if code[name] != last["code"].get(name, code[name]))
    if changed:
        raise UserError(
            f"code {', '.join(changed[:_NAMED])} was changed while the {study.title} runs, so it stops: its "
            "trials would not compare. Restore the code, or begin another sweep with name=."
        )
    return True


def mixed(study: Study) -> str:
    """Return a line when the study has trials of several recipes, else ""."""
    versions = {one.user_attrs.get("version") for one in study.trials()}
    if len(versions) < 2:
        return ""
    names = ", ".join(str(one) for one in sorted(v for v in versions if v is not None))
    return f"Its trials have {len(versions)} versions of the recipe ({names}), because stale=ok was given: their scores do not compare well."
