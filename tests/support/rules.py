"""Make competitions that forbid sources, and runs that break this rule."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.augment import augmented_rows
from common.augment.augmented_rows import RECORD, ROWS, AugmentedRow
from common.core.files import sha256_file
from common.data.competition_file import load_competition
from common.data.rows import Row, read_split
from common.ensemble.recipe import read_recipe
from common.submission.submit import Submitted, submit_blend
from tests.support import repository as repositories

SOURCES = ("dialogsum_en", "DialogSum")
SECRET = "팥빙수"  # in no message


def forbid(root: Path, *sources: str, near_copy: float = 0.15) -> None:
    path = root / "competitions" / "talk" / "competition.toml"
    head = path.read_text(encoding="utf-8").partition("[rules]")[0]
    listed = json.dumps(list(sources))
    path.write_text(
        f"{head}[rules]\ntext = []\nforbidden_sources = {listed}\nnear_copy = {near_copy}\n", encoding="utf-8"
    )


def with_model(root: Path) -> None:
    """Give exp001 a setting that names a model, and change nothing else."""
    path = root / "experiments" / "exp001" / "config.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("    seed: int = 1\n", '    seed: int = 1\n    model: str = ""\n'), encoding="utf-8"
    )


def refused(root: Path, stage: str, *arguments: str) -> str:
    """Return the error message of a stage of exp001."""
    with pytest.raises(SystemExit) as caught:
        repositories.stage(root, "exp001", stage, *arguments)
    assert str(caught.value).startswith("error: ")
    return str(caught.value)


def submit(root: Path, **options: Any) -> Submitted:
    recipe = read_recipe(root / "submissions" / "talk.toml")
    return submit_blend(recipe, load_competition("talk"), force=True, **options)


def made(root: Path, *rows: AugmentedRow, name: str = "swap", **values: Any) -> Path:
    """Write rows as `make augment` does."""
    folder = root / "outputs" / "talk" / "augmented" / name
    augmented_rows.write(folder / ROWS, rows)
    record = {
        "competition": "talk", "method": "speaker_swap", "name": name, "n": None, "overrides": {}, "config": {},
        "sources": {}, "near_copy": 0.15, "files": {ROWS: sha256_file(folder / ROWS)},
        "data": {"train": {"sha256": read_split(load_competition("talk"), "train").sha256}},
    }  # fmt: skip
    (folder / RECORD).write_text(json.dumps(record | values), encoding="utf-8")
    return folder / ROWS


def new(dialogue: str, parent: str = "train_0", number: int = 0) -> AugmentedRow:
    return AugmentedRow(
        Row(f"{parent}.x{number}", dialogue, ("요약",), ""), parent, "speaker_swap", "", "", 1, 0, 0.5, 0.5
    )


FAR = f"#Person1#: {SECRET} 먹으러 가자.\n#Person2#: 여름엔 그게 최고야!"
