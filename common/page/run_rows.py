"""Read the runs of a competition for the page: result files and run folders, whichever exists."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from common.core.errors import UserError, first_line
from common.core.files import read_json, root, shown
from common.core.paths import archived_folder, outputs
from common.data.competition import Competition
from common.page.content import RunRow, Shares, Text
from common.page.finite import finite
from common.page.run_scores import folder_scores, of_this_run, result_scores
from common.page.sentences import both
from common.runs.catalogue import RunEntry, catalogue
from common.runs.experiments import describe
from common.runs.record import make_settings, read_record
from common.runs.results import HASH, Result, hardware_text, read_result

REASONS = 8
"""Maximum number of reasons that a row has."""
Gap = Callable[[str], None]
"""Takes a sentence about something that could not be read."""


def run_rows(competition: Competition, gap: Gap) -> list[RunRow]:
    """Return a row for each run, the newest first; archived runs count, smoke runs do not.

    `gap` is told what could not be read; the rest of the row is still there.
    """
    found = {entry.run: entry for entry in catalogue(competition) if entry.status != "smoke"}
    results = {result.run: result for result in _results(competition.name, gap)}
    rows = []
    for name in dict.fromkeys([*found, *results]):
        folder = folder_of(competition.name, name)
        stages = _record(folder)
        try:
            rows.append(_row(competition, folder, stages, found.get(name), results.get(name), gap))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            gap(f"{shown(folder / 'run.json')}: holds other things than a run records ({first_line(error)}).")
            rows.append(_row(competition, folder, {}, found.get(name), results.get(name), gap))
    return sorted(rows, key=lambda row: (row.started or "", row.name), reverse=True)


def folder_of(competition: str, run: str) -> Path:
    """Return the folder of a run, that of the archive when it is only there; it need not exist."""
    plain, archived = outputs(competition) / run, archived_folder(competition, run)
    return archived if archived.is_dir() and not plain.is_dir() else plain


def _results(competition: str, gap: Gap) -> Iterator[Result]:
    for path in sorted((root() / "results").glob(f"{competition}/*.json")):
        try:
            yield read_result(path)
        except UserError as error:
            gap(str(error))


def _row(
    competition: Competition,
    folder: Path,
    stages: Mapping[str, Any],
    entry: RunEntry | None,
    result: Result | None,
    gap: Gap,
) -> RunRow:
    if result and not of_this_run(result, stages):
        option = make_settings(folder.name, competition.name)
        gap(
            f"results/{competition.name}/{folder.name}.json: made with another checkpoint than that of {shown(folder)}, so its "
            f"scores are left out; write it again with: make exp={folder.name.split('-')[0]} infer{option}"
        )
        result = None
    experiment = result.experiment if result else folder.name.split("-")[0]
    title, model = _about(experiment, result)
    hardware = _distinct(
        [hardware_text(stage["hardware"]) for stage in stages.values() if "hardware" in stage]
    )
    commits = [stage["git"] for stage in stages.values() if "git" in stage]
    settings = {key: value for stage in stages.values() for key, value in stage["config"].items()}
    of_result = list(result.stages.values()) if result else []
    return RunRow(
        name=folder.name,
        experiment=experiment,
        title=title,
        model=model,
        status=entry.status if entry else "result",
        started=(entry.started if entry else None) or (result.date if result else None),
        dev=result_scores(result.dev) if result else folder_scores(folder),
        test=result_scores(result.test) if result else {},
        minutes={stage: record["minutes"] for stage, record in stages.items() if "minutes" in record}
        or {stage: record.minutes for stage, record in (result.stages.items() if result else ())},
        hardware=" / ".join(hardware or _distinct([stage.hardware for stage in of_result])),
        processes=max(
            [*(stage.get("processes", 1) for stage in stages.values()), *(s.processes for s in of_result)],
            default=1,
        ),
        commit=next((git["commit"] for git in reversed(commits)), None)
        or next((stage.commit for stage in reversed(of_result)), None),
        dirty=any(bool(git["dirty"]) for git in commits) or any(bool(stage.dirty) for stage in of_result),
        money=_money(stages),
        settings=settings or (result.settings if result else {}),
        whole=bool(settings),
        changed=result.settings if result else entry.settings if entry else {},
        data=_data(stages) or (result.data if result else {}),
        shares=_shares(folder, stages, gap),
        note=entry.note if entry else "",
        reasons=[both(reason) for reason in entry.reasons[:REASONS]] if entry else [],
    )


def _record(folder: Path) -> dict[str, Any]:
    """Return the record of a run; {} when it cannot be read, which the row's status and reasons say."""
    try:
        return read_record(folder)
    except UserError:
        return {}


def _about(experiment: str, result: Result | None) -> tuple[Text, Text]:
    """Return title and model of an experiment; those of the result when the experiment is gone."""
    try:
        about = describe(experiment)
        return both(about.title), both(about.model)
    except (UserError, OSError):
        return both(result.title if result else ""), both(result.model if result else "")


def _distinct(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _money(stages: Mapping[str, Any]) -> float | None:
    """Return the US dollars that an API charged, lost answers included; None without API calls."""
    used = [
        note
        for stage in stages.values()
        for name, note in stage["notes"].items()
        if name.startswith("llm_") and isinstance(note, dict) and "cost" in note
    ]
    return (
        sum((finite(note["cost"]) or 0) + (finite(note.get("lost_cost")) or 0) for note in used)
        if used
        else None
    )


def _data(stages: Mapping[str, Any]) -> dict[str, str]:
    found = {path: entry["sha256"] for stage in stages.values() for path, entry in stage["data"].items()}
    return {path: sha[:HASH] for path, sha in sorted(found.items())}


def _shares(folder: Path, stages: Mapping[str, Any], gap: Gap) -> Shares:
    """Return the shares from scores.json and from the notes of the stages."""
    path, found = folder / "dev" / "scores.json", {}
    if path.is_file():
        try:
            found = read_json(path)["diagnostics"]
        except UserError as error:
            gap(str(error))
        except (KeyError, TypeError):
            gap(f"{shown(path)}: has no diagnostics; run infer again.")
    numbers = {name: _number(found, name) for name in ("distinct", "characters", "copied")}
    counts = {name: None if (n := _number(found, name)) is None else int(n) for name in ("rows", "missing")}
    return Shares(
        rows=counts["rows"],
        missing=counts["missing"],
        **numbers,
        cut=_share(stages.get("infer", {}), ("cut", "dev"), "cut", "summaries"),
        shortened=_share(stages.get("train", {}), ("train_cuts",), "dialogues_cut", "dialogues"),
    )


def _number(found: Any, name: str) -> float | None:
    return finite(found.get(name)) if isinstance(found, dict) else None


def _share(stage: Mapping[str, Any], at: tuple[str, ...], part: str, whole: str) -> float | None:
    """Return one noted number divided by another, in [0, 1]; None when it was not noted."""
    found: Any = stage.get("notes", {})
    for key in at:
        found = found.get(key) if isinstance(found, dict) else None
    some, every = _number(found, part), _number(found, whole)
    return some / every if some is not None and every else None
