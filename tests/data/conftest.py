"""A competition of a few rows and the folder its files come from."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from common.data.competition import Competition
from common.data.competition_file import load_competition
from tests.support.competition_files import TOML, english_row, fill


@pytest.fixture
def tiny(workspace: Path) -> Competition:
    """A competition of a few rows, its files in place."""
    folder = workspace / "competitions" / "tiny"
    (folder / "data").mkdir(parents=True)
    (folder / "competition.toml").write_text(TOML, encoding="utf-8")
    fill(folder / "data")
    return load_competition("tiny")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The organisers' folder: the same files, inside a folder of their own."""
    folder = tmp_path / "download"
    fill(folder / "data")
    return folder


@pytest.fixture
def lines(workspace: Path) -> Callable[[str], Competition]:
    """Writes three dev rows of the English competition, the second one replaced."""

    def write(second: str) -> Competition:
        path = workspace / "competitions/dialogsum_en/competition.toml"
        path.write_text(path.read_text().replace("rows = 500", "rows = 3").replace("last = 499", "last = 2"))
        english = load_competition("dialogsum_en")
        good = [json.dumps(english_row(n)) for n in range(3)]
        english.path("dev").parent.mkdir()
        english.path("dev").write_text("\n".join([good[0], second, good[2], ""]))
        return english

    return write
