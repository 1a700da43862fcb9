"""Write and read results: one small JSON file for each run in results/, to be committed. Never imports torch."""

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.core.errors import UserError, first_line
from common.core.files import parse_json, read_regular, root, shown, write_json
from common.core.messages import brief
from common.runs import experiments
from common.runs.portable import portable_value
from common.runs.record import read_record

if TYPE_CHECKING:
    from common.runs.scoring import ScoreReport

HASH = 12  # hexadecimal digits kept of a sha256


@dataclass(frozen=True)
class ProfileScore:
    """Scores of a run's predictions in one profile."""

    key: str
    """Full name of the headline metric, with profile and tokenizer. Scores with different keys cannot be compared."""
    score: float
    """Mean of the headline metric, on the profile's own scale."""
    low: float
    """Lower end of its 95% bootstrap interval."""
    high: float
    """Upper end of that interval."""
    floor: float | None
    """Headline of the better trivial answer: one sentence for every dialogue, or the first turns."""
    metrics: dict[str, float]
    """Means of the profile's other metrics, such as rouge1."""


@dataclass(frozen=True)
class Stage:
    """How one stage ran."""

    minutes: float
    """Minutes of the process that finished the stage. Interrupted processes before it are not counted."""
    processes: int
    """Number of processes, at least 1."""
    hardware: str
    """GPUs, or the processor's architecture, its number of cores and, where known, the number of threads used."""
    commit: str | None
    """Git commit of the code; None outside a checkout."""
    dirty: bool | None
    """Whether files differed from that commit."""
    packages: dict[str, str]
    """Versions of Python and of the packages that decide results."""


@dataclass(frozen=True)
class Result:
    """The scores of a run, and the settings, code and data that produced them."""

    run: str
    experiment: str
    title: str
    model: str
    competition: str
    date: str
    """Time when inference started, ISO 8601 in UTC."""
    dev_rows: int
    dev: dict[str, ProfileScore]
    """Scores on dev by profile."""
    test: dict[str, ProfileScore]
    """Scores on the local test split by profile; empty where the competition has no solution."""
    stages: dict[str, Stage]
    """Train and infer by name."""
    settings: dict[str, Any]
    """Settings that differ from the experiment's defaults, by dotted name."""
    checkpoint: str
    """First digits of the checkpoint's sha256."""
    data: dict[str, str]
    """First digits of the sha256 of each data file, by path."""


def from_record(
    folder: Path, settings: Mapping[str, Any], dev: "ScoreReport", test: "ScoreReport | None"
) -> Result:
    """Return the result of a finished run from its run.json and its score reports.

    `settings` are those that differ from the experiment's defaults.
    """
    stages = read_record(folder)
    infer = stages["infer"]
    about = experiments.describe(infer["experiment"])
    data = {path: entry["sha256"] for stage in stages.values() for path, entry in stage["data"].items()}
    return Result(
        run=folder.name,
        experiment=infer["experiment"],
        title=about.title,
        model=about.model,
        competition=infer["competition"],
        date=infer["started"],
        dev_rows=dev.diagnostics.rows,
        dev=_by_profile(dev),
        test=_by_profile(test) if test else {},
        stages={name: _stage(entry) for name, entry in stages.items()},
        settings={name: portable_value(value) for name, value in settings.items()},
        checkpoint=infer["checkpoint"][:HASH],
        data={path: sha[:HASH] for path, sha in sorted(data.items())},
    )


def _by_profile(report: "ScoreReport") -> dict[str, ProfileScore]:
    found = {}
    for score in report.scores:
        key = next(key for key in score.metrics if key.endswith(f"/{score.headline_key}"))
        floor = report.floors.get(score.profile)
        found[score.profile] = ProfileScore(
            key=key,
            score=score.headline,
            low=score.intervals[key][0],
            high=score.intervals[key][1],
            floor=max(floor.constant, floor.lead) if floor else None,
            metrics={name.rpartition("/")[2]: mean for name, mean in score.metrics.items() if name != key},
        )
    return found


def hardware_text(hardware: Mapping[str, Any]) -> str:
    """Return the recorded hardware of a stage as "2 × NVIDIA A100" or "x86_64, 8 cores, 4 threads"."""
    gpus = [f"{hardware['gpus'].count(name)} × {name}" for name in dict.fromkeys(hardware["gpus"])]
    processor = f"{hardware['machine']}, {hardware['cores']} cores"
    if threads := hardware.get("threads"):
        processor += f", {threads} {'thread' if threads == 1 else 'threads'}"
    return ", ".join(gpus) or processor


def _stage(entry: Mapping[str, Any]) -> Stage:
    git = entry["git"]
    return Stage(
        entry["minutes"],
        entry.get("processes", 1),
        hardware_text(entry["hardware"]),
        git["commit"],
        git["dirty"],
        dict(entry["packages"]),
    )


def write_result(result: Result) -> Path:
    """Write `results/<competition>/<run>.json` atomically and return its path. Raises UserError when it cannot."""
    path = root() / "results" / result.competition / f"{result.run}.json"
    write_json(path, asdict(result))
    return path


def read_results(competition: str | None = None) -> list[Result]:
    """Return the committed and local results of one competition, or of all, in the order of their paths.

    Raises UserError naming the first file that is broken.
    """
    return [read_result(path) for path in sorted((root() / "results").glob(f"{competition or '*'}/*.json"))]


def read_result(path: Path) -> Result:
    """Return the result in a file. Raises UserError naming the file when it is broken."""
    try:
        result: Result = _decoded(Result, parse_json(read_regular(path)), "")
        datetime.fromisoformat(result.date)
        if (result.competition, result.run) != (path.parent.name, path.stem):
            raise ValueError(f"is the result of {result.competition}/{result.run}")
    except (OSError, ValueError) as error:  # also broken JSON and bytes that are no UTF-8
        reason = error.strerror if isinstance(error, OSError) else first_line(error)
        raise UserError(
            f"{shown(path)}: not a result ({reason}); restore it with git checkout, or delete it and "
            "run infer again."
        ) from error
    return result


def _decoded(hint: Any, value: Any, name: str) -> Any:
    """Return a JSON value as an object of the declared type. Raises ValueError when it is not one."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if is_dataclass(hint) and isinstance(value, dict):
        hints = typing.get_type_hints(hint)
        missing = [field for field in hints if field not in value]
        if missing:
            raise ValueError(f'"{name}{missing[0]}" is missing')
        made: Any = hint
        return made(**{field: _decoded(of, value[field], f"{name}{field}.") for field, of in hints.items()})
    if origin is dict and isinstance(value, dict):
        return {key: _decoded(arguments[1], entry, f"{name}{key}.") for key, entry in value.items()}
    if origin is types.UnionType:
        return None if value is None else _decoded(arguments[0], value, name)
    if hint is float and type(value) is int:
        return float(value)
    if hint is Any or (type(value) is hint and not (hint is float and not math.isfinite(value))):
        return value
    raise ValueError(f'"{name.rstrip(".")}" is {brief(value)}, wanted {getattr(hint, "__name__", hint)}')
