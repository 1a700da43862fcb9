"""Upload submissions of a test repository to a loopback server that plays Kaggle's API, with Kaggle's own client."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from tests.support import REPOSITORY
from tests.support.commands import Ended, started
from tests.support.kaggle_server import KEY, SLUG, USER, Site

LEDGER = "submissions/ledger.jsonl"
CLIENT = importlib.util.find_spec("kaggle")
needs_client = pytest.mark.skipif(
    CLIENT is None, reason="Kaggle's client is not installed: pip install -c constraints.txt -e '.[kaggle]'"
)
SITE = f'[site]\nkind = "kaggle"\ncompetition = "{SLUG}"\nsubmissions_per_day = 2\ntime_zone = "UTC"\n'
LOGIN = {"KAGGLE_USERNAME": USER, "KAGGLE_KEY": KEY}


def declare(repository: Path, text: str) -> None:
    path = repository / "competitions/talk/competition.toml"
    path.write_text(path.read_text(encoding="utf-8").partition("[site]")[0] + text, encoding="utf-8")


def variables(repository: Path, site: Site) -> dict[str, str]:
    """Return the environment of an upload to this site, without a key."""
    paths = [str(REPOSITORY)]
    if CLIENT is not None and CLIENT.origin is not None:
        paths.append(str(Path(CLIENT.origin).parents[1]))
    return {
        "PYTHONPATH": os.pathsep.join(paths), "HOME": str(repository.parent), "KAGGLE_API_ENDPOINT": site.url,
        "KAGGLE_USERNAME": "", "KAGGLE_KEY": "", "KAGGLE_API_TOKEN": "", "KAGGLE_CONFIG_DIR": "", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip


def upload(repository: Path, site: Site, *words: str, **given: str) -> Ended:
    command = [sys.executable, "-m", "common", "upload", "--wait=0", *words]
    return started(repository, *command, **{**variables(repository, site), **given})
