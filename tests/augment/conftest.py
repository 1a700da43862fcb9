"""A repository to augment in."""

import shutil
from pathlib import Path

import pytest

from tests.support import REPOSITORY, tiny


@pytest.fixture
def talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with 60 little train rows in daily_talk; KDS_ROOT names it."""
    root = tmp_path / "repository"
    root.mkdir()
    tiny.repository(root)
    for folder in ("common", "experiments"):
        shutil.rmtree(root / folder)  # the worktree's own are used
    monkeypatch.setenv("KDS_ROOT", str(root))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return root
