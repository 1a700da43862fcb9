"""What tests of several rooms share."""

import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository root of its own, with the competition.toml files and no data; KDS_ROOT names it."""
    root = tmp_path / "repository"
    for source in sorted((REPOSITORY / "competitions").glob("*/competition.toml")):
        target = root / "competitions" / source.parent.name / source.name
        target.parent.mkdir(parents=True)
        shutil.copyfile(source, target)
    monkeypatch.setenv("KDS_ROOT", str(root))
    return root
