"""Show a run folder in Weights & Biases, during the run or afterwards. Needs the extra `track`; never stops a run.

metrics.jsonl and dev/scores.json are the source; W&B only shows them. What W&B does not have yet is read from there.
"""

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
from typing import Any

from filelock import FileLock, Timeout

from common.core.errors import UserError
from common.core.files import read_json, shown, write_json
from common.core.json_lines import read_lines
from common.data.competition_file import load_competition
from common.data.rows import read_predictions, read_references
from common.runs import wandb_mode
from common.runs.record import read_record
from common.runs.wandb_mode import Mode, error_line, tracking_mode

log = logging.getLogger(__name__)
SAMPLES = 30  # number of dev dialogues in the table
INIT_SECONDS, FINISH_SECONDS = 30.0, 120.0  # longest delay at the start and at the end without a network
SECRET = re.compile(r"(^|[._])(token|secret|password|credentials?|(api_?)?key)$")

SWEPT = ("rouge_sum", "score", "distinct", "train_loss")
"""What a sweep can search by: training writes it to metrics.jsonl at each evaluation."""


def _in_sweep() -> bool:
    """Return whether an agent of a W&B sweep started this process."""
    return bool(os.environ.get("WANDB_SWEEP_ID"))


def public(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings without the texts whose name marks them as secrets."""
    return {n: v for n, v in settings.items() if not (isinstance(v, str) and SECRET.search(n))}


@dataclass
class Tracker:
    """The connection of one run folder to W&B. Does nothing when off; an error of W&B only causes one warning."""

    folder: Path
    mode: Mode = "off"
    texts: bool = False
    """Whether the table of dev samples contains the texts; in online mode they are uploaded."""
    _run: Any = field(default=None, repr=False)
    _lines: int = 0
    _row: dict[str, Any] = field(default_factory=dict)
    _best: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the W&B run, if one was started; after an error it is marked as failed and can be resumed."""
        if self._run is None:
            return
        with self._guarded():
            if kind is None:
                self._emit()
                # Sweeps read the summary, so it holds the best checkpoint's values, not the last ones.
                kept = SWEPT if _in_sweep() else ("rouge_sum",)
                self._run.summary.update({name: self._best[name] for name in kept if name in self._best})
            run, self._run = self._run, None
            run.finish(exit_code=0 if kind is None else 1)

    def follow(self) -> None:
        """Log the new lines of metrics.jsonl.

        The lines of one step become one row, which is logged when a later step appears. So no row is incomplete, and
        after a crash logging resumes after W&B's last row. Steps that are repeated after a crash have the same values.
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
        """Log the dev scores of every profile, their floors, and a table of the first dev samples."""
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
            self._run.log({"dev/samples": wandb_mode.wandb().Table(columns=columns, data=cells)})

    def _emit(self) -> None:
        """Log the collected row, unless W&B already has its step from before a crash."""
        row, self._row = self._row, {}
        if row and row["step"] >= self._run.starting_step:
            names = {"score": self._score_key} if "score" in row else {}
            values = {names.get(name, name): value for name, value in row.items()}
            if "score" in row and _in_sweep():
                values["score"] = row["score"]  # the name in the sweep file
            self._run.log(values, step=row["step"])

    @property
    def _score_key(self) -> str:
        """Return the W&B name of `score`, with profile and tokenizer, because competitions share a project.

        It starts with "greedy/", because training decodes greedily and maybe only some dev rows; the scores of the
        final predictions start with "dev/".
        """
        from common.rouge.profiles import get_profile  # with numpy, which no command line needs
        from common.runs.scoring import score

        profile = load_competition(_about(self.folder)["competition"]).dev_profile
        keys = score({"": "a"}, {"": ["a"]}, profile).metrics
        headline = get_profile(profile).headline_key
        return "greedy/" + next(key for key in keys if key.endswith(f"/{headline}"))

    def _begin(self) -> None:
        if self._run is not None:
            return
        wandb = wandb_mode.wandb()
        path, about = self.folder / "wandb.json", _about(self.folder)
        known = read_json(path) if path.exists() else {"id": secrets.token_hex(4)}
        # In a sweep wandb gets the id and the project from the agent.
        sweep = _in_sweep()
        if not sweep:
            write_json(path, known)
        if self.mode == "offline":  # each record is complete, and `wandb sync` needs only the newest
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
                "W&B failed and is off from here on (%s); the run itself continues. Show it later with: "
                "python -m common track %s",
                error_line(error),
                shown(self.folder),
            )


def tracker(folder: Path, asked: str, *, smoke: bool) -> Tracker:
    """Return the tracker of a new run. Raises UserError as `tracking_mode` does.

    Texts are logged only when "offline" or "online" was asked for explicitly, never with "auto".
    """
    return Tracker(folder, tracking_mode(asked, smoke=smoke), texts=asked in ("offline", "online"))


def upload(folder: Path, asked: str, *, texts: bool) -> None:
    """Log the present state of a run folder to W&B.

    Raises UserError when it is not a run folder, when W&B fails or is off, and as `tracking_mode` does.
    """
    if "train" not in read_record(folder):
        raise UserError(
            f"{shown(folder)}: not a run folder (no run.json with a training); wanted outputs/COMPETITION/RUN."
        )
    following = Tracker(folder, tracking_mode(asked, setting="mode"), texts)
    try:
        with FileLock(folder.with_name(f".{folder.name}.lock")).acquire(timeout=0), following:
            following.follow()
            if (folder / "dev" / "scores.json").exists():
                following.scores()
    except Timeout as error:
        raise UserError(f"{shown(folder)} is in use by another process; wait for it to end.") from error
    if following.mode == "off":
        raise UserError(
            f"{shown(folder)} was not shown: W&B failed, or WANDB_MODE or WANDB_DISABLED switch it off."
        )


def samples(folder: Path, *, texts: bool) -> tuple[list[str], list[list[Any]]]:
    """Return columns and cells for the first dev samples: id, reference and prediction (with `texts`), headline scores.

    Raises UserError when predictions or references cannot be read.
    """
    chosen = load_competition(_about(folder)["competition"])
    from common.runs.scoring import example_scores, profiles

    predictions = read_predictions(folder / "dev" / "predictions.csv", chosen)
    references = dict(list(read_references(chosen, "dev").items())[:SAMPLES])
    predictions = {name: text for name, text in predictions.items() if name in references}
    columns: list[str] = ["id", *(("reference", "prediction") if texts else ())]
    cells: list[list[Any]] = [
        [name, *((" / ".join(wanted), predictions.get(name, "")) if texts else ())]
        for name, wanted in references.items()
    ]
    for profile in profiles(chosen):
        result = example_scores(predictions, references, profile, chosen.leaderboard_references)
        columns.append(f"{result.label}/{result.headline_key}")
        for row, value in zip(cells, result.per_example[result.headline_key].tolist(), strict=True):
            row.append(value)
    return columns, cells


def _about(folder: Path) -> dict[str, Any]:
    """Return the record in run.json of the latest stage: infer if it has started, else train."""
    stages = read_record(folder)
    stage: dict[str, Any] = stages.get("infer") or stages["train"]
    return stage
