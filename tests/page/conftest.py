"""Define the browser that the tests of the page share; it starts once in each worker."""

from collections.abc import Iterator

import pytest

from tests.support.browser import Browser, started


@pytest.fixture(scope="session")
def shared_browser() -> Iterator[Browser]:
    with started() as browser:
        yield browser


@pytest.fixture
def browser(shared_browser: Browser) -> Iterator[Browser]:
    """A Chromium window of the size of a desktop's; the test fails when its console has an error at the end."""
    from tests.support.browser import DESKTOP

    shared_browser.resize(DESKTOP)
    shared_browser.requests()
    yield shared_browser
    assert shared_browser.errors() == []
    assert shared_browser.requests() == []
