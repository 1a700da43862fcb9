"""The page as a whole: every view in both themes, both widths and both languages, without a network."""

import json
import re
from pathlib import Path

import pytest

from common.data.competition_file import load_competition
from common.page.build import write_page
from tests.support import page_texts
from tests.support.browser import DESKTOP, PHONE, Browser, Theme

HANGUL = re.compile("[가-힣]")


def _views(browser: Browser) -> list[str]:
    found: list[str] = browser.run("return page.offered();")
    return found


def _shown(browser: Browser, view: str) -> None:
    """Open a view, and wait until it has drawn something."""
    browser.go(f"#/{view}")
    browser.wait("document.querySelector('#views [aria-current]')?.dataset.view === arguments[0]", view)
    browser.wait("document.querySelector('main h2') && document.querySelector('main').innerText.length > 60")
    if view == "examples":
        browser.wait("document.querySelector('.example-list')")


def test_it_has_every_view_and_opens_with_a_score(browser: Browser, whole: Path) -> None:
    browser.open(whole)
    assert {"runs", "examples", "curves", "progress", "trust", "compare"} <= set(_views(browser))
    browser.wait("document.querySelector('table')")
    assert browser.one("#views [aria-current]").text in browser.driver.title


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_view_can_be_read_by_everybody(
    browser: Browser, whole: Path, size: tuple[int, int], theme: Theme
) -> None:
    browser.resize(size)
    browser.open(whole, theme=theme)
    found = []
    for view in _views(browser):
        _shown(browser, view)
        if browser.overflow():
            found.append(f"{view}: scrolls sideways by {browser.overflow()}")
        found += [f"{view}: {line}" for line in browser.violations()]
    assert found == []


def test_the_theme_of_the_machine_and_the_switch(browser: Browser, whole: Path) -> None:
    def ground() -> str:
        return str(browser.run("return getComputedStyle(document.body).backgroundColor;"))

    browser.open(whole, theme="light")
    light = ground()
    browser.open(whole, theme="dark")
    dark = ground()
    assert light != dark
    browser.click("#theme")  # automatic → light
    assert ground() == light
    browser.click("#theme")
    assert ground() == dark
    browser.driver.refresh()
    browser.wait("document.getElementById('theme')")
    assert ground() == dark  # it is kept


def test_both_languages(browser: Browser, whole: Path) -> None:
    browser.open(whole, "#/runs")
    assert browser.run("return document.documentElement.lang;") == "en"
    english = browser.one("main h2").text
    browser.click("#language")
    browser.wait("document.documentElement.lang === 'ko'")
    assert browser.run("return document.activeElement.id;") == "language"
    assert browser.one("main h2").text != english
    for view in _views(browser):
        _shown(browser, view)
        assert HANGUL.search(browser.one("main h2").text), view
        assert browser.one("#views [aria-current]").text in browser.driver.title
    browser.click("#language")
    browser.wait("document.documentElement.lang === 'en'")


def _column(browser: Browser, key: str) -> list[str]:
    return [
        cell.text.split("\n")[0]
        for cell in browser.all(f"#runs-table tbody tr > :nth-child({1 + _keys(browser).index(key)})")
    ]


def _keys(browser: Browser) -> list[str]:
    return [head.get_attribute("data-column") or "" for head in browser.all("#runs-table thead th")]


def test_the_table_sorts(browser: Browser, whole: Path) -> None:
    browser.open(whole, "#/runs?kind=run")
    scores = [float(text) for text in _column(browser, "score")]
    assert len(scores) == 12
    assert scores == sorted(scores, reverse=True)
    browser.click("th[data-column='score'] button")
    browser.wait(
        "document.querySelector(\"th[data-column='score']\").getAttribute('aria-sort') === 'ascending'"
    )
    assert [float(text) for text in _column(browser, "score")] == sorted(scores)
    browser.click("th[data-column='name'] button")
    browser.wait(
        "document.querySelector(\"th[data-column='name']\").getAttribute('aria-sort') === 'ascending'"
    )
    names = [name.split()[0] for name in _column(browser, "name")]
    assert names == sorted(names)
    assert "sort=name" in browser.driver.current_url


def test_the_table_filters_and_the_address_remembers(browser: Browser, whole: Path) -> None:
    browser.open(whole, "#/runs?kind=run")
    browser.click("#filter")
    browser.press("exp010")
    browser.wait("document.querySelectorAll('#runs-table tbody tr').length === 3")
    assert {name.split()[0] for name in _column(browser, "name")} == {"exp010", "exp010-v1", "exp010-v2"}
    address = browser.driver.current_url
    browser.open(whole, "#" + address.partition("#")[2])
    assert len(browser.all("#runs-table tbody tr")) == 3


def test_from_a_run_to_its_examples_and_back(browser: Browser, whole: Path) -> None:
    browser.open(whole, "#/runs?kind=run")
    for run in ("exp002", "exp003"):
        browser.click(f"#choose-run-{run}")
    browser.click("#examples")
    browser.wait("document.querySelector('.example-list')")
    assert [one.text for one in browser.all(".models summary .tag")] == ["exp002", "exp003"]
    browser.driver.back()
    browser.wait("document.querySelector('#runs-table')")
    assert browser.run("return document.getElementById('choose-run-exp002').checked;")


def test_from_the_best_submission_to_the_dialogues_on_which_it_loses(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    page_texts.build(tmp_path, 3, others=2)
    (tmp_path / "submissions").mkdir()
    (tmp_path / "submissions" / "talk.toml").write_text(
        'competition = "talk"\nmethod = "vote"\nmembers = [{ run = "exp001" }, { run = "exp003", weight = 3.0 }]\n',
        encoding="utf-8",
    )
    score = {"leaderboard": 60.0}
    entry = {
        "id": "0" * 10, "time": "2026-11-01T00:00:00+00:00", "recipe": "talk", "competition": "talk", "method": "vote",
        "csv_sha256": "0" * 64, "members": [{"run": "exp001"}, {"run": "exp002"}, {"run": "exp003"}], "stale": {},
        "git": {"commit": None, "dirty": False}, "data": {}, "dev": {"blend": score, "floor": score, "exp001": score},
        "verdict": {"best": "exp001", "difference": 1.0, "low": -1.0, "high": 3.0, "supported": False},
    }  # fmt: skip
    (tmp_path / "submissions" / "ledger.jsonl").write_text(json.dumps(entry) + "\n", encoding="utf-8")
    browser.open(write_page(load_competition("talk")).path, "#/runs")
    browser.click(".fact a[href*='show=worsened']")
    browser.wait("document.querySelector('.list .count')")
    assert "the largest losses from exp001 to talk" in browser.one(".count").text
    losses = len(browser.all(".example"))
    assert browser.one(".count").text.endswith(f"dialogues with a loss: {losses}")
    gains = [one.text for one in browser.all(".example .bad")]
    assert gains
    assert all(gain.startswith("−") for gain in gains)
    assert browser.one(".model[data-run='talk'] .tag").text == "blend"


def test_every_view_is_a_link(browser: Browser, whole: Path) -> None:
    browser.open(whole)
    for view in _views(browser):
        browser.open(whole, f"#/{view}")
        assert browser.one("#views [aria-current]").get_attribute("data-view") == view
    browser.open(whole, "#/nonsense?x=%E0%A4%A")
    assert browser.one("#views [aria-current]").get_attribute("data-view") == _views(browser)[0]


def test_the_skip_link_and_the_focus(browser: Browser, whole: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open(whole, "#/runs")
    browser.press(Keys.TAB)
    assert browser.run("return document.activeElement.id;") == "skip"
    assert browser.run(
        "const r = document.activeElement.getBoundingClientRect(); return r.left >= 0 && r.top >= 0;"
    )
    browser.press(Keys.TAB)
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle;") == "solid"


def test_printed_it_has_no_controls(browser: Browser, whole: Path) -> None:
    browser.open(whole, "#/examples?id=dev_1")
    browser.wait("document.getElementById('example')")
    browser.emulate("Emulation.setEmulatedMedia", media="print")
    assert not browser.one("#views").is_displayed()
    assert not browser.one(".example-list").is_displayed()
    assert browser.one(".turns").is_displayed()
    assert browser.run("return getComputedStyle(document.body).backgroundColor;") == "rgb(255, 255, 255)"
    assert not browser.one(".detail-head a").is_displayed()
    browser.emulate("Emulation.setEmulatedMedia", media="")


def test_without_javascript_it_says_what_to_do_in_both_languages(
    shared_browser: Browser, whole: Path
) -> None:
    shared_browser.emulate("Emulation.setScriptExecutionDisabled", value=True)
    try:
        shared_browser.driver.get("about:blank")
        shared_browser.driver.get(whole.as_uri())
        texts = {one.get_attribute("lang"): one for one in shared_browser.all(".noscript p")}
        assert set(texts) == {"ko", "en"}
        assert all(one.is_displayed() and "make leaderboard" in one.text for one in texts.values())
        assert min(one.location["x"] for one in texts.values()) >= 16
    finally:
        shared_browser.emulate("Emulation.setScriptExecutionDisabled", value=False)
