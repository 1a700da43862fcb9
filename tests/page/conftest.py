"""Define the browser that the tests of the page share, and the pages that they look at; each is made once in a worker."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.data.competition_file import load_competition
from common.page.build import write_page
from tests.support import REPOSITORY, page_texts, page_world
from tests.support.browser import DESKTOP, Browser, started


@pytest.fixture(scope="session")
def shared_browser() -> Iterator[Browser]:
    """Chromium, for tests that look for errors themselves."""
    with started() as browser:
        yield browser


@pytest.fixture
def browser(shared_browser: Browser) -> Iterator[Browser]:
    """A Chromium window of the size of a desktop's; afterwards its console has no error and nothing was requested."""
    shared_browser.resize(DESKTOP)
    shared_browser.errors()
    shared_browser.requests()
    yield shared_browser
    assert shared_browser.errors() == []
    assert shared_browser.requests() == []


@pytest.fixture(scope="session")
def talk_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the competition "talk", three runs with texts and a page; to be read, never changed."""
    root = tmp_path_factory.mktemp("talk")
    page_texts.build(root)
    _write(root, page_texts.COMPETITION)
    return root


@pytest.fixture
def talk(talk_root: Path) -> Path:
    """The page of `talk_root`."""
    return talk_root / "outputs" / page_texts.COMPETITION / "page.html"


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything that it can show: 12 runs, 8 submissions, curves, and the texts of the first four runs."""
    root = tmp_path_factory.mktemp("whole")
    shutil.copytree(
        REPOSITORY / "competitions" / page_world.COMPETITION, root / "competitions" / page_world.COMPETITION
    )
    for number, run in enumerate(page_world.write(root, 12, 8)[:4]):
        page_texts.add_texts(root, page_world.COMPETITION, run.name, number)
    return _write(root, page_world.COMPETITION)


def _write(root: Path, competition: str) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDS_ROOT", str(root))
        return write_page(load_competition(competition)).path
