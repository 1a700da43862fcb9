"""Run one stage of an experiment, from its command line to its record in run.json."""

import argparse
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from filelock import AcquireReturnProxy, FileLock, Timeout

from common.core import distributed, verified_folder
from common.core.config import override, plain
from common.core.errors import UserError
from common.core.files import root, sha256_file, shown, write_json
from common.data.competition import Competition, active_competition, load_competition
from common.data.competition_rules import models_of, require_allowed, require_stage
from common.data.rows import Split, SplitName, read_split
from common.runs import record, wandb_log
from common.runs.record import (
    RUN_NAME,
    changed_code,
    code_hash,
    git_state,
    read_record,
    soup_command,
    stale_stage,
    stale_training,
    to_arguments,
)
from common.runs.wandb_log import Tracker, sweep_run

log = logging.getLogger(__name__)
C = TypeVar("C")
INFER_ONLY = ("decoding.", "grid.", "llm.", "postprocess.")  # settings that may change after training
AFTER_DECODING = ("common/postprocess/", "common/runs/scoring", "common/rouge/")
ERROR_DELAY = 15.0
"""Seconds that a process other than the first waits before it prints an error.

Usually all processes have the same error; when the first one exits, torchrun ends the others, so it is printed once.
"""
PLUMBING = {
    "core/distributed.py",
    "core/errors.py",
    "core/files.py",
    "core/locks.py",
    "core/memory.py",
    "core/paths.py",
    "core/progress.py",
    "core/provenance.py",
    "core/text_table.py",
    "core/torchrun.py",
    "data/competition_rules.py",
    "models/model_cards.py",
    "runs/experiments.py",
    "runs/record.py",
    "runs/results.py",
    "runs/run.py",
    "runs/stage.py",
    "runs/wandb_log.py",
    "runs/wandb_mode.py",
}  # these files do not affect results, so they are not part of a run's code hashes
PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "peft", "bitsandbytes", "ctranslate2", "vllm", "datasets", "numpy", "numba",
            "mecab-ko")  # fmt: skip


@dataclass
class Run(Generic[C]):
    """One running stage (train or infer) of one run."""

    stage: str
    experiment: str
    folder: Path
    competition: Competition
    config: C
    overrides: dict[str, Any]
    smoke: bool
    tracker: Tracker
    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)
    dev_only: bool = False
    """If true, inference only notes the dev score of greedy summaries, as in training, and writes no files."""
    notes: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, list[str]] = field(default_factory=dict)
    """The sources that the models in the config declare (`cards.declared`)."""
    started: float = field(default_factory=time.time)

    def split(self, name: SplitName) -> Split:
        """Return the checked rows of a split and note the file in the record; a smoke run gets only the first rows."""
        split = read_split(self.competition, name)
        key = str(split.path.resolve().relative_to(root()))
        for kind, count in split.warnings.items() if key not in self.data else ():
            log.warning("%s: %d rows: %s", shown(split.path), count, kind)
        self.data[key] = {"sha256": split.sha256, "rows": len(split.rows), "warnings": dict(split.warnings)}
        if self.smoke:
            return Split(name, split.rows[: 32 if name == "train" else 4], split.path, split.sha256,
                         split.warnings, split.warning_examples)  # fmt: skip
        return split

    def uses(self, path: Path, rows: int) -> None:
        """Note in the record that the result also depends on this file with this number of rows."""
        key = str(path.resolve().relative_to(root()))
        self.data[key] = {"sha256": sha256_file(path), "rows": rows, "warnings": {}}

    @property
    def near_copy(self) -> float:
        """The competition's near-copy threshold; reading it notes in the record that the result depends on it."""
        self.notes["near_copy"] = self.competition.near_copy
        return self.competition.near_copy

    def uses_run(self, folder: Path) -> None:
        """Note in the record that the result depends on another run's best checkpoint.

        Raises UserError when the checkpoint is missing or damaged.
        """
        self.runs[str(folder.resolve().relative_to(root()))] = verified_folder.fingerprint(folder / "best")

    def key(self, *extra: str) -> str:
        """Return a hash of what the candidates depend on: settings, code, the data read so far and `extra`.

        Post-processing and scoring are left out, because they do not change the candidates.
        """
        settings = {n: v for n, v in plain(self.config).items() if not n.startswith("postprocess.")}
        code = code_in_use(settings_too=False)
        code = {name: code[name] for name in sorted(code) if not name.startswith(AFTER_DECODING)}
        data = {name: entry["sha256"] for name, entry in self.data.items()}
        content = [self.experiment, settings, code, data, self.runs, extra, *self._noted_near_copy()]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def checkpoint(self) -> str:
        """The fingerprint of the best checkpoint. Raises UserError when the checkpoint is missing or damaged."""
        return verified_folder.fingerprint(self.folder / "best")

    @property
    def training_key(self) -> str:
        """The hash of the training settings and data; training resumes only from a checkpoint with the same hash."""
        content = [
            self.experiment,
            _training_part(plain(self.config)),
            {n: d["sha256"] for n, d in self.data.items()},
            *self._noted_near_copy(),
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _noted_near_copy(self) -> list[float]:
        return [self.notes["near_copy"]] if "near_copy" in self.notes else []

    def finish(self, files: Sequence[Path] = (), **values: Any) -> None:
        """Record the stage as finished, with the hashes of the `files` that it made and additional `values`."""
        self._write("finished", files, minutes=round((time.time() - self.started) / 60, 2), **values)

    def _write(self, status: str, files: Sequence[Path] = (), **values: Any) -> None:
        if distributed.rank():
            return
        stages = read_record(self.folder)
        earlier = stages.get(self.stage, {}) if status == "finished" else {}
        stages[self.stage] = {
            "status": status,
            "experiment": self.experiment,
            "competition": self.competition.name,
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "config": plain(self.config),
            "overrides": self.overrides,
            "seed": plain(self.config).get("seed"),
            "data": self.data,
            "runs": self.runs,
            "code": {**code_in_use(settings_too=self.stage == "infer"), **earlier.get("code", {})},
            "checkpoint": self.checkpoint if status == "finished" else None,
            "files": {str(p.resolve().relative_to(root())): sha256_file(p) for p in files},
            "processes": distributed.count(),
            "git": git_state(),
            "packages": package_versions(),
            "hardware": hardware(),
            "started": datetime.fromtimestamp(self.started, UTC).isoformat(timespec="seconds"),
            "notes": self.notes,
            "sources": self.sources,
            **values,
        }
        write_json(self.folder / "run.json", json.loads(json.dumps(stages, default=asdict)))


def _training_part(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if not name.startswith(INFER_ONLY)}


def code_in_use(*, settings_too: bool) -> dict[str, str]:
    """Return path → syntax hash of each imported file of common/ and experiments/ that can affect results.

    Without `settings_too` config.py is left out, because training compares its settings by value.
    """
    folders = [root() / "common", root() / "experiments"]
    plumbing = {root() / "common" / name for name in PLUMBING}
    loaded = [Path(file) for m in list(sys.modules.values()) if (file := getattr(m, "__file__", None))]
    own_files = sorted(
        {path.resolve() for path in loaded if any(path.is_relative_to(folder) for folder in folders)}
    )
    return {
        str(path.relative_to(root())): code_hash(path)
        for path in own_files
        if path not in plumbing and (settings_too or path.name != "config.py")
    }


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages that can affect results."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def hardware() -> dict[str, Any]:
    """Return the CPU architecture, the number of cores and, when torch is imported, the names of its GPUs."""
    torch = sys.modules.get("torch")
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch else []
    return {"machine": platform.machine(), "cores": os.cpu_count(), "gpus": gpus}


def _arguments(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--competition")
    parser.add_argument("--run")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--restart", action="store_true")
    parser.add_argument("--renew", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--track", default="auto")
    parser.add_argument("--soup")
    parser.add_argument("--soup-method", default="uniform")
    return parser.parse_known_args(argv)


def main(
    stage: str,
    file: str,
    config: C,
    smoke: C,
    work: Callable[[Run[C]], None],
    *,
    estimate: Callable[[Run[C]], str] | None = None,
) -> None:
    """Run one stage of the experiment that `file` belongs to, from the command line to the exit code.

    Common options: --competition NAME, --run NAME (a variant such as exp002-seed2), --smoke (tiny settings, takes
    seconds), --restart (train: move the old run aside first), --renew (train: the same, but only when the old run is
    stale or has other settings), --dry-run (stages that cost money: print `estimate` and exit without changing the
    record), --track off|auto|offline|online (W&B, see common/runs/wandb_log.py). Every other --name sets a scalar of the
    config.
    """
    level = logging.WARNING if distributed.rank() else logging.INFO
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
    for logger in ("accelerate", "datasets", "filelock", "httpx"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    # accelerate warns about tied weights at every checkpoint, bitsandbytes about every 8-bit layer.
    for logger in ("accelerate.utils.other", "bitsandbytes"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    # peft uses a deprecated name of transformers.
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
    experiment = Path(file).resolve().parent.name
    try:
        options, rest = _arguments(sys.argv[1:])
        settings, overrides = override(smoke if options.smoke else config, rest)
        name = options.run or sweep_run(experiment) or experiment
        if not RUN_NAME.fullmatch(name) or not name.startswith(experiment):
            raise UserError(f"--run {name!r}: wanted {experiment} or {experiment}-something.")
        chosen = load_competition(options.competition or active_competition())
        folder = record.outputs(chosen.name, smoke=options.smoke) / name
        if options.soup is not None and (stage != "infer" or options.smoke or distributed.count() > 1):
            raise UserError('--soup: make a soup with: make soup runs="exp002 exp002-b" run=exp002-soup')
        # Only the first process tracks; a soup has no metrics.
        asked = "off" if distributed.rank() or options.soup is not None else options.track
        tracker = wandb_log.tracker(folder, asked, smoke=options.smoke)
        run = Run(stage, experiment, folder, chosen, settings, overrides, options.smoke, tracker)
        if options.dry_run:
            _dry_run(run, estimate)
            return
        if (
            distributed.rank()
        ):  # only the first process writes to the folder; it also tells the others whether there is work
            if not any(distributed.gather([False])):
                return
            if stage == "infer":
                apply_training_overrides(run, read_record(folder).get("train", {}))
            work(run)
            return
        with _locked(folder), tracker:
            if options.soup is not None:
                from common.runs import soups  # torch, which not every experiment needs

                soups.make(run, options.soup.split(), options.soup_method, work, restart=options.restart)
            elif stage == "train":
                _begin_training(run, options.restart, options.renew, work)
            else:
                _begin_inference(run, work)
    except UserError as error:
        if distributed.rank():
            time.sleep(ERROR_DELAY)
            sys.exit(f"error: process {distributed.rank()}: {error}")
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same command again to resume from the last checkpoint.")


def _locked(folder: Path) -> AcquireReturnProxy:
    """Acquire the folder's lock and return it as a context manager that releases it."""
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(
            f"{shown(folder)} is in use by another process; wait for it to end, or choose another run name with --run."
        ) from error
    except OSError as error:
        raise UserError(
            f"{shown(folder)}: cannot be written ({error.strerror}); make it writable."
        ) from error


def _dry_run(run: Run[C], estimate: Callable[[Run[C]], str] | None) -> None:
    if estimate is None:
        raise UserError(
            f"--dry-run: {run.experiment} {run.stage} costs no money, so there is no estimate; leave --dry-run out."
        )
    apply_training_overrides(run, read_record(run.folder).get("train", {}))
    if distributed.rank() == 0:
        print(estimate(run))  # noqa: T201


def _begin_training(run: Run[C], restart: bool, renew: bool, work: Callable[[Run[C]], None]) -> None:
    _require_rules(run)
    if run.smoke:
        shutil.rmtree(run.folder)
        run.folder.mkdir()
    before = read_record(run.folder).get("train")
    if command := soup_command(before or {}, run.folder.name):
        raise UserError(
            f"{shown(run.folder)} is a soup and cannot be trained; make it anew with: {command}, "
            f"or train under another name: run={run.experiment}-NAME."
        )
    outdated = renew and before and (changed_settings(run, before) or stale_training(run.folder))
    if before and (restart or outdated):
        set_aside(run.folder)
        run.folder.mkdir()
        before = None
    if before:
        _require_same_settings(run, before)
        if before["status"] == "finished":
            stale = stale_training(run.folder)
            if not stale:
                log.info("%s is already trained; add restart=1 to train it again.", shown(run.folder))
                distributed.gather([False])
                return
            raise UserError(
                f"{shown(run.folder)} is trained, but {'; '.join(stale)}. Train it again with restart=1."
            )
        changed = changed_code(before["code"])
        if changed:
            run.notes["mixed"] = [*before["notes"].get("mixed", []), *changed]
            log.warning("resuming although %s; the result will count as stale.", "; ".join(changed))
    run._write("running")
    distributed.gather([True])
    work(run)


def set_aside(folder: Path) -> None:
    """Move an old run to the folder `replaced` next to it, with the time in its name."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    aside = folder.parent / "replaced" / f"{folder.name}-{stamp}"
    aside.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(aside)
    log.info("moved the old run to %s", shown(aside))


def _begin_inference(run: Run[C], work: Callable[[Run[C]], None]) -> None:
    before = read_record(run.folder).get("train", {})
    if before.get("status") != "finished":
        state = "was interrupted" if before else "has not been trained"
        variant = "" if run.folder.name == run.experiment else f" run={run.folder.name}"
        raise UserError(f"{shown(run.folder)} {state}; first run: make exp={run.experiment} train{variant}")
    apply_training_overrides(run, before)
    _require_same_settings(run, before)
    require_stage(run.competition, f"{shown(run.folder)}, trained", before)
    _require_rules(run)
    stale = stale_stage(before)
    if stale:
        log.warning(
            "the checkpoint is stale: %s. make submit will reject it; %s.",
            "; ".join(stale),
            soup_command(before, run.folder.name) or "train it again with restart=1",
        )
    run._write("running")
    distributed.gather([True])
    work(run)


def _require_rules(run: Run[C]) -> None:
    """Raise UserError, before any download, when the competition's rules forbid a model in the config."""
    settings, where = plain(run.config), f"{run.experiment} on {run.competition.name}"
    require_allowed(run.competition, where, settings, {})
    if models_of(settings):
        from common.models import model_cards  # loaded only when the config names a model

        run.sources = model_cards.declared(settings)
        require_allowed(run.competition, where, settings, run.sources)


def apply_training_overrides(run: Run[C], before: dict[str, Any]) -> None:
    """Apply the overrides of the training command, except those that the present command line sets."""
    kept = {n: v for n, v in before.get("overrides", {}).items() if n not in run.overrides}
    run.config, _ = override(run.config, to_arguments(kept))
    run.overrides = {**kept, **run.overrides}


def changed_settings(run: Run[C], before: dict[str, Any]) -> list[str]:
    """Return one printable reason for each training setting that differs from the recorded one."""
    then, now = _training_part(before["config"]), _training_part(plain(run.config))
    then, now = json.loads(json.dumps(then)), json.loads(json.dumps(now))
    return [
        f"{name} was {then.get(name)!r}, is {now.get(name)!r}"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]


def _require_same_settings(run: Run[C], before: dict[str, Any]) -> None:
    changed = changed_settings(run, before)
    if changed:
        raise UserError(
            f"{shown(run.folder)} was trained with other settings: {'; '.join(changed)}. "
            f"Use the same settings, train again (make exp={run.experiment} train restart=1), "
            f"or keep both with another run={run.experiment}-NAME."
        )
