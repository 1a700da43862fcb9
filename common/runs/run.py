"""Define the running stage of an experiment, which notes everything its result depends on in run.json."""

import hashlib
import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from common.core import distributed, verified_folder
from common.core.config import override, plain
from common.core.errors import UserError, first_line
from common.core.files import root, sha256_file, shown, write_json
from common.core.provenance import code_in_use, git_state, hardware, package_versions
from common.data.competition import Competition
from common.data.rows import Split, SplitName, read_split
from common.runs.imported import require_startable_here
from common.runs.record import make_settings, read_record, require_not_archived, to_arguments, training_part
from common.runs.wandb_log import Tracker

log = logging.getLogger(__name__)
C = TypeVar("C")
SPLITS: tuple[SplitName, ...] = ("dev", "test")
GIVEN = "given rows"
"""Name of the rows of `make predict` in a key, whatever file they come from."""
AFTER_DECODING = ("common/postprocess/", "common/runs/scoring", "common/rouge/")


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
    notes: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, list[str]] = field(default_factory=dict)
    """The sources that the models in the config declare (`model_cards.declared`)."""
    started: float = field(default_factory=time.time)
    aside: Path | None = None
    """Where this start moved the old run; None when it moved none."""
    given: Split | None = None
    """The rows that `make predict` puts in the place of test; None in a stage."""
    inferred: dict[str, Any] = field(default_factory=dict)
    """What the run's finished inference recorded, for `make predict`; {} in a stage."""

    @property
    def splits(self) -> tuple[SplitName, ...]:
        """The splits that infer predicts: dev and test, or test alone when `given` rows are in its place."""
        return SPLITS if self.given is None else ("test",)

    def split(self, name: SplitName) -> Split:
        """Return the checked rows of a split and note the file in the record; a smoke run gets only the first rows.

        Warnings about the file go into the record only: `make data` has shown them.
        """
        if name == "test" and self.given is not None:
            self.data[GIVEN] = {"sha256": self.given.sha256, "rows": len(self.given.rows), "warnings": {}}
            return self.given
        split = read_split(self.competition, name)
        key = str(split.path.resolve().relative_to(root()))
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
    def make_settings(self) -> str:
        """The settings " run=… comp=…" that a make command for this run needs besides exp=; "" when it needs none."""
        return make_settings(self.folder.name, self.competition.name)

    @property
    def training_key(self) -> str:
        """The hash of the training settings and data; training resumes only from a checkpoint with the same hash."""
        content = [
            self.experiment,
            training_part(plain(self.config)),
            {n: d["sha256"] for n, d in self.data.items()},
            *self._noted_near_copy(),
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _noted_near_copy(self) -> list[float]:
        return [self.notes["near_copy"]] if "near_copy" in self.notes else []

    def finish(self, files: Sequence[Path] = (), **values: Any) -> None:
        """Record the stage as finished, with the hashes of the `files` that it made and additional `values`."""
        self._write("finished", files, minutes=round((time.time() - self.started) / 60, 2), **values)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Note in the record why the stage failed, if an error leaves this context after the stage began.

        A signal is no failure. Raises UserError when the run is archived, or belongs to another machine.
        """
        require_not_archived(self.folder)
        require_startable_here(self.folder, self.stage)
        try:
            yield
        except Exception as error:
            with suppress(UserError):  # a full disk may be the very error
                stages = read_record(self.folder)
                own = stages.get(self.stage, {})
                if own.get("status") == "running" and own.get("started") == self._began:
                    own["failure"] = first_line(error)
                    write_json(self.folder / "run.json", stages)
            raise

    @property
    def _began(self) -> str:
        return datetime.fromtimestamp(self.started, UTC).isoformat(timespec="seconds")

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
            "started": self._began,
            "notes": self.notes,
            "sources": self.sources,
            **values,
        }
        write_json(self.folder / "run.json", json.loads(json.dumps(stages, default=asdict)))


def set_aside(run: Run[C]) -> None:
    """Move an old run to the folder `replaced` next to it, with the time in its name, and make an empty one."""
    folder = run.folder
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    aside = folder.parent / "replaced" / f"{folder.name}-{stamp}"
    aside.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(aside)
    run.aside = aside
    folder.mkdir()
    log.info("moved the old run to %s", shown(aside))


def apply_training_overrides(run: Run[C], before: dict[str, Any]) -> None:
    """Apply the overrides of the training command, except those that the present command line sets."""
    kept = {n: v for n, v in before.get("overrides", {}).items() if n not in run.overrides}
    run.overrides = {**kept, **run.overrides}
    run.config, _ = override(run.config, to_arguments(run.overrides))
