"""Fixtures of several tests: seven runs whose predictions are also files of somebody else, and a site to upload to."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.data.competition import Competition
from tests.support import foreign
from tests.support.commands import files
from tests.support.kaggle_server import Site, kaggle
from tests.support.submitting import solo, submit
from tests.support.uploading import SITE, declare


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Competition]]:
    """A repository with seven runs, and their predictions in theirs/."""
    root = tmp_path_factory.mktemp("foreign") / "repository"
    root.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDS_ROOT", str(root))
        talk = foreign.build(root)
        foreign.export(root, talk)
        yield root, talk


@pytest.fixture
def root(world: tuple[Path, Competition]) -> Iterator[Path]:
    """The repository, whose files are as before after the test."""
    before = files(world[0])
    os.environ["KDS_ROOT"] = str(world[0])
    yield world[0]
    for name in files(world[0]).keys() - before.keys():
        (world[0] / name).unlink()
    for name, content in before.items():
        if not (world[0] / name).is_file() or (world[0] / name).read_bytes() != content:
            (world[0] / name).write_bytes(content)


@pytest.fixture
def made(repository: Path) -> str:
    declare(repository, SITE)
    name: str = submit(repository, text=solo()).entry["id"]
    return name


@pytest.fixture
def site() -> Iterator[Site]:
    with kaggle() as found:
        yield found
