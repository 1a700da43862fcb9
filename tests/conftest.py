"""Define fixtures that tests of several rooms use."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support import REPOSITORY
from tests.support import repository as repositories

# With a thread for every core, two workers and the processes they start slow each other down. The workers start after
# this line, so numpy and torch have not read the variables yet.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["PYTHONPATH"] = str(
    REPOSITORY
)  # processes test this checkout, wherever the environment was installed from
os.environ["KDS_LANG"] = "en"  # tests check English messages, whatever the language of the machine
os.environ["WANDB_MODE"] = "disabled"  # whoever runs the tests may well have a key
os.environ.pop("COLUMNS", None)  # a test that needs a width gives one
hypothesis.settings.register_profile("untimed", deadline=None)  # a deadline would be an assertion on time
hypothesis.settings.load_profile("untimed")


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start, also where a shell ignores it because it runs them in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow tests first, so that no worker begins a long file when the other is done."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new repository root with the competition.toml files and no data; KDS_ROOT names it."""
    root = tmp_path / "repository"
    for source in sorted((REPOSITORY / "competitions").glob("*/competition.toml")):
        target = root / "competitions" / source.parent.name / source.name
        target.parent.mkdir(parents=True)
        shutil.copyfile(source, target)
    monkeypatch.setenv("KDS_ROOT", str(root))
    return root


@pytest.fixture(scope="module")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new folder for tiny and converted models."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDS_MODEL_CACHE", str(folder))
        yield folder


@pytest.fixture
def fresh_precision() -> Iterator[None]:
    """Let this test and the next choose a precision: accelerate keeps the first one for the whole process."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)  # what a test of another file may have left
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository (tests/support/repository.py) whose two experiments are trained and inferred; to be copied, never changed."""
    root = tmp_path_factory.mktemp("trained") / "repository"
    repositories.build(root)
    for experiment in ("exp001", "exp002"):
        for stage in ("train", "infer"):
            repositories.stage(root, experiment, stage)
    return root


@pytest.fixture
def repository(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the trained repository; KDS_ROOT names it."""
    root = repositories.copy(trained, tmp_path / "repository")
    monkeypatch.setenv("KDS_ROOT", str(root))
    return root
