"""Augmentation jobs for tests."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.augment.augmented_rows import AugmentedRow
from common.augment.making import Job, Made
from common.augment.settings import settings as defaults
from common.core.config import override
from common.data.competition_file import load_competition
from common.data.rows import Row

SYNONYMS = {"어디서": "어느 곳에서", "좋아요": "좋습니다", "같이": "함께", "모두": "다들", "봐요": "만나요"}


def job(method: str, *arguments: str, n: int | None = None, name: str = "", comp: str = "daily_talk") -> Job:
    config, overrides = override(defaults(method), arguments)
    return Job(load_competition(comp), method, name or method, n, config, overrides)


def polite(texts: Sequence[str], source: str, target: str) -> list[str]:
    """Replace words by synonyms, in place of a translation."""
    out = []
    for text in texts:
        for old, new in SYNONYMS.items() if target == "ko" else ():
            text = text.replace(old, new)
        out.append(text)
    return out


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def record(made: Made) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((made.folder / "run.json").read_text(encoding="utf-8"))
    return found


def new(number: int, parent: int, similarity: float) -> AugmentedRow:
    row = Row(f"train_{parent}.x{number}", "#Person1#: 네", ("요약",), "")
    return AugmentedRow(row, f"train_{parent}", "turn_drop", "", "", 1, 0, similarity, 1.0)
