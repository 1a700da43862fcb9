"""A run folder shown in Weights & Biases: while it grows, or afterwards. Needs the extra `track`; never stops a run.

metrics.jsonl and dev/scores.json are the truth, W&B is a view of them: what it lacks is read from there, whenever.
"""

import importlib.util
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from filelock import FileLock, Timeout

from common import competition, rows, runs, scoring
from common.errors import UserError
from common.files import read_json, read_lines, shown, write_json
from common.rouge.profiles import get_profile

log = logging.getLogger(__name__)
Mode = Literal["off", "offline", "online"]
CHOICES = ("off", "auto", "offline", "online")
SAID: dict[str, Mode] = {"online": "online", "run": "online", "offline": "offline", "dryrun": "offline"}
SAMPLES = 30  # dev dialogues in the table
INIT_SECONDS, FINISH_SECONDS = 30.0, 120.0  # without a network training begins, and ends, this much later
SECRET = re.compile(r"(^|[._])(token|secret|password|credentials?|(api_?)?key)$")


def mode(asked: str, *, smoke: bool = False) -> Mode:
    """How a run is tracked, decided before it begins; nothing switches to another mode later.

    "auto": what WANDB_MODE says; without it online when wandb is installed and finds a key, else (and in a smoke run)
    off. WANDB_MODE=disabled or WANDB_DISABLED=true switch it off whatever is asked.
    Raises UserError when `asked` is no choice, or "online" or "offline" is asked and cannot be.
    """
    if asked not in CHOICES:
        raise UserError(f"--track {asked!r}: wanted {', '.join(CHOICES[:-1])} or {CHOICES[-1]}.")
    said = os.environ.get("WANDB_MODE", "").lower()
    if os.environ.get("WANDB_DISABLED", "").lower() in ("1", "true", "yes") or said == "disabled":
        return "off"
    if asked == "off":
        return "off"
    if asked != "auto":
        wanted: Mode = "online" if asked == "online" else "offline"
        obstacle = _obstacle(wanted)
        if obstacle:
            raise UserError(f"--track {asked}: {obstacle}")
        return wanted
    if said in SAID:
        obstacle = _obstacle(SAID[said])
        if obstacle:
            log.warning("WANDB_MODE=%s, but this run is not tracked: %s", said, obstacle)
        return "off" if obstacle else SAID[said]
    if smoke or not _key_may_exist():
        return "off"
    obstacle = _obstacle("online")
    if obstacle and os.environ.get("WANDB_API_KEY"):
        log.warning("WANDB_API_KEY is set, but this run is not tracked: %s", obstacle)
    return "off" if obstacle else "online"


def _obstacle(wanted: Mode) -> str:
    """Why that mode is not possible here and what to do about it; "" when it is."""
    if importlib.util.find_spec("wandb") is None:
        return (
            "wandb is not installed; install it with: .venv/bin/pip install -c constraints.txt -e '.[track]'"
        )
    if wanted == "offline":
        return ""
    os.environ["WANDB_MODE"] = "online"  # what is asked for by name counts, and wandb looks here too
    try:
        found = bool(_wandb().login(prompt=False, verify=False))
    except Exception as error:
        return f"the W&B key cannot be used ({_said(error)}); make a new one with: .venv/bin/wandb login"
    return (
        "" if found else "there is no W&B key; .venv/bin/wandb login, set WANDB_API_KEY, or --track offline"
    )


def _key_may_exist() -> bool:
    """A cheap look, which spares everybody else the import: is there any place where wandb looks for a key?"""
    netrc = os.environ.get("NETRC")
    places = [Path(netrc)] if netrc else [Path.home() / ".netrc", Path.home() / "_netrc"]
    named = any(os.environ.get(name) for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"))
    return named or any(place.exists() for place in places)


def _wandb() -> Any:
    """The package, quiet, without reports of its own errors to its makers."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    os.environ.setdefault("WANDB_SILENT", "true")
    import wandb  # half a second that untracked runs do not wait for

    return wandb


def _said(error: Exception) -> str:
    """The first line of an error, without the key."""
    text = (str(error).splitlines() or [""])[0]
    key = os.environ.get("WANDB_API_KEY", "").strip()
    return f"{type(error).__name__}: {text.replace(key, '…') if key else text}"


def sweep_run(experiment: str) -> str | None:
    """The name of the run folder of this trial when a sweep agent started this process, else None."""
    trial = os.environ.get("WANDB_RUN_ID", "").lower()
    return f"{experiment}-{trial}" if os.environ.get("WANDB_SWEEP_ID") and trial else None


def public(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without texts whose name says that they are secrets."""
    return {n: v for n, v in settings.items() if not (isinstance(v, str) and SECRET.search(n))}


@dataclass
class Tracker:
    """W&B's view of one run folder. Does nothing when off; a failing W&B costs one warning, never the run."""

    folder: Path
    mode: Mode = "off"
    texts: bool = False
    """Whether the table of dev samples carries the texts: online they leave this machine."""
    _run: Any = field(default=None, repr=False)
    _lines: int = 0
    _row: dict[str, Any] = field(default_factory=dict)
    _best: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the W&B run, if one was begun; after an error it counts as failed and can be resumed."""
        if self._run is None:
            return
        with self._guarded():
            if kind is None:
                self._emit()
                if (
                    "rouge_sum" in self._best
                ):  # what a sweep reads: of the checkpoint that is kept, not the last
                    self._run.summary["rouge_sum"] = self._best["rouge_sum"]
            run, self._run = self._run, None
            run.finish(exit_code=0 if kind is None else 1)

    def follow(self) -> None:
        """Show the lines of metrics.jsonl that are not shown yet.

        Lines of one step become one row, handed over when a later step appears: so a row is never half there, and
        after a crash the run goes on behind W&B's last row. Steps done again after it come out the same.
        """
        if self.mode == "off":
            return
        with self._guarded():
            self._begin()
            lines = read_lines(self.folder / "metrics.jsonl")
            for line in lines[self._lines :]:
                if self._row and line["step"] != self._row["step"]:
                    self._emit()
                self._row |= line
                if line.get("score", float("-inf")) > self._best.get("score", float("-inf")):
                    self._best = line
            self._lines = len(lines)

    def scores(self) -> None:
        """Show the dev scores of every profile, their floors, and a table of the first dev samples."""
        if self.mode == "off":
            return
        self.follow()
        with self._guarded():
            if self._run is None:
                return
            self._emit()
            report = read_json(self.folder / "dev" / "scores.json")
            values = {f"dev/{name}": value for name, value in report["diagnostics"].items()}
            for entry in report["scores"]:
                values |= {f"dev/{key}": value for key, value in entry["metrics"].items()}
                headline = next(key for key in entry["metrics"] if key.endswith(f"/{entry['headline_key']}"))
                floor = report["floors"][entry["profile"]]
                values[f"dev/{headline}/floor"] = max(floor["constant"], floor["lead"])
            self._run.summary.update(values)
            columns, cells = samples(self.folder, texts=self.texts)
            self._run.log({"dev/samples": _wandb().Table(columns=columns, data=cells)})

    def _emit(self) -> None:
        """Hand the collected row over, unless W&B has that step from before a crash."""
        row, self._row = self._row, {}
        if row and row["step"] >= self._run.starting_step:
            names = {"score": self._score_key} if "score" in row else {}
            values = {names.get(name, name): value for name, value in row.items()}
            self._run.log(values, step=row["step"])

    @property
    def _score_key(self) -> str:
        """What `score` is in this competition, with profile and tokenizer, for competitions share a project.

        "greedy": training decodes greedily, and perhaps not all dev rows; "dev/" are the scores of the predictions.
        """
        profile = competition.load(_about(self.folder)["competition"]).dev_profile
        keys = scoring.score({"": "a"}, {"": ["a"]}, profile).metrics
        headline = get_profile(profile).headline_key
        return "greedy/" + next(key for key in keys if key.endswith(f"/{headline}"))

    def _begin(self) -> None:
        if self._run is not None:
            return
        wandb = _wandb()
        path, about = self.folder / "wandb.json", _about(self.folder)
        known = read_json(path) if path.exists() else {"id": secrets.token_hex(4)}
        sweep = bool(os.environ.get("WANDB_SWEEP_ID"))  # wandb then takes id and project from the agent
        if not sweep:
            write_json(path, known)
        if self.mode == "offline":  # each record is complete: the newest alone is what `wandb sync` wants
            shutil.rmtree(self.folder / "wandb", ignore_errors=True)
        settings = wandb.Settings(
            save_code=False, disable_code=True, disable_git=True, disable_job_creation=True, console="off",
            host="", username="", email="", program="", program_relpath="", program_abspath="",
            x_disable_meta=True, x_disable_machine_info=True, x_disable_stats=True, x_save_requirements=False,
            silent=True, init_timeout=INIT_SECONDS, finish_timeout=FINISH_SECONDS,
        )  # fmt: skip
        for name in ("DATA", "CACHE", "ARTIFACT"):
            os.environ.setdefault(f"WANDB_{name}_DIR", str(self.folder.resolve() / "wandb" / name.lower()))
        project = known.get("project") or os.environ.get("WANDB_PROJECT") or "korean-dialogue-summarization"
        self._run = wandb.init(
            dir=self.folder,
            mode=self.mode,
            id=None if sweep else known["id"],
            resume="allow",
            project=None if sweep else project,
            entity=None if sweep else known.get("entity"),
            group=about["competition"],
            job_type=about["experiment"],
            name=self.folder.name,
            config={
                **public(about["config"]),
                "competition": about["competition"],
                "experiment": about["experiment"],
                "commit": about["git"]["commit"],
            },
            settings=settings,
        )
        found = {"id": self._run.id, "project": self._run.project, "entity": self._run.entity or None}
        write_json(path, found)
        where = self._run.url if self.mode == "online" else f"{shown(self.folder)}/wandb"
        log.info("W&B %s: %s", self.mode, where)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.mode, self._run = "off", None
            log.warning(
                "W&B failed and is left alone from here on (%s); the run itself goes on. Show it later with: "
                "python -m common track %s",
                _said(error),
                shown(self.folder),
            )


def tracker(folder: Path, asked: str, *, smoke: bool) -> Tracker:
    """The tracker of a run that begins. Raises UserError as `mode` does.

    Texts go along only when offline or online was asked for by name, never by "auto".
    """
    return Tracker(folder, mode(asked, smoke=smoke), texts=asked in ("offline", "online"))


def upload(folder: Path, asked: str, *, texts: bool) -> None:
    """Show a run folder as it stands. Raises UserError when it is no run's, W&B fails or is off, or as `mode` does."""
    if "train" not in runs.record(folder):
        raise UserError(f"{shown(folder)}: no run folder; there has to be a run.json of a training in it.")
    following = Tracker(folder, mode(asked), texts)
    try:
        with FileLock(folder.with_name(f".{folder.name}.lock")).acquire(timeout=0), following:
            following.follow()
            if (folder / "dev" / "scores.json").exists():
                following.scores()
    except Timeout as error:
        raise UserError(f"{shown(folder)} is in use by another process; wait for it.") from error
    if following.mode == "off":
        raise UserError(
            f"{shown(folder)} was not shown: W&B failed, or WANDB_MODE or WANDB_DISABLED switch it off."
        )


def samples(folder: Path, *, texts: bool) -> tuple[list[str], list[list[Any]]]:
    """Columns and cells of the first dev samples: id, with `texts` reference and prediction, headline scores.

    Raises UserError when predictions or references cannot be read.
    """
    chosen = competition.load(_about(folder)["competition"])
    predictions = rows.read_predictions(folder / "dev" / "predictions.csv", chosen)
    references = dict(list(rows.read_references(chosen, "dev").items())[:SAMPLES])
    predictions = {name: text for name, text in predictions.items() if name in references}
    columns: list[str] = ["id", *(("reference", "prediction") if texts else ())]
    cells: list[list[Any]] = [
        [name, *((" / ".join(wanted), predictions.get(name, "")) if texts else ())]
        for name, wanted in references.items()
    ]
    for profile in scoring.profiles(chosen):
        result = scoring.examples(predictions, references, profile, chosen.leaderboard_references)
        columns.append(f"{result.label}/{result.headline_key}")
        for row, value in zip(cells, result.per_example[result.headline_key].tolist(), strict=True):
            row.append(value)
    return columns, cells


def _about(folder: Path) -> dict[str, Any]:
    """What run.json says of the stage that is at work or was last: competition, experiment, config, git."""
    stages = runs.record(folder)
    stage: dict[str, Any] = stages.get("infer") or stages["train"]
    return stage
