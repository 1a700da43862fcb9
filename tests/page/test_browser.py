"""The helper itself: it must see what it is there to see."""

import hashlib
import json
import time
from pathlib import Path

import pytest

from tests.support.browser import AXE, PHONE, Browser, started

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:"></head><body>BODY</body></html>"""


def _page(folder: Path, body: str) -> Path:
    path = folder / "page.html"
    path.write_text(PAGE.replace("BODY", body), encoding="utf-8")
    return path


def test_vendored_axe_is_the_published_file() -> None:
    noted = json.loads((AXE.parent / "vendor.json").read_text(encoding="utf-8"))
    for name, entry in noted.items():
        assert hashlib.sha256((AXE.parent / name).read_bytes()).hexdigest() == entry["sha256"]
        assert all((AXE.parent / licence).is_file() for licence in entry["licence_files"])


def test_it_sees_a_blocked_script(tmp_path: Path, shared_browser: Browser) -> None:
    page = _page(tmp_path, "<h1>a</h1><script>1</script>")
    shared_browser.open(page)
    shared_browser.violations()  # switches the policy off, for the page that is open
    shared_browser.open(page)
    seen: list[str] = []
    end = time.monotonic() + 30
    while not any("Content Security Policy" in message for message in seen):  # it may come after the page
        assert time.monotonic() < end, seen
        seen += shared_browser.errors()
        time.sleep(0.05)
    assert shared_browser.errors() == []  # each is reported once


def test_it_sees_a_request_and_answers_none(tmp_path: Path, shared_browser: Browser) -> None:
    page = tmp_path / "page.html"
    page.write_text('<title>t</title><img src="https://example.invalid/a.png" alt="">', encoding="utf-8")
    shared_browser.requests()
    shared_browser.open(page)
    shared_browser.wait("document.images[0].complete")
    assert shared_browser.requests() == ["https://example.invalid/a.png"]
    assert shared_browser.errors()


def test_it_sees_what_is_too_wide_and_what_cannot_be_read(tmp_path: Path, browser: Browser) -> None:
    browser.open(_page(tmp_path, "<main><h1>a</h1><button></button></main>"))
    browser.resize(PHONE)
    assert browser.overflow() == 0
    assert [line.split(":")[0] for line in browser.violations()] == ["critical button-name"]
    browser.open(_page(tmp_path, "<main><h1>a</h1><pre>" + "x" * 300 + "</pre></main>"))
    assert browser.overflow() > 0


def test_without_a_browser_the_tests_are_skipped_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"), started():
        pass
