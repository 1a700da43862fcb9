"""The views of blends and sweeps show the right values, on desktop and phone, in both themes, by mouse and keyboard."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from common.core.config import plain
from common.data.competition_file import load_competition
from common.ensemble import report_file
from common.ensemble.report import blend_report
from common.page.build import write_page, write_report
from common.runs.start import config_of
from common.submission.candidates import member_candidates
from common.sweep import report
from tests.support import page_sweeps, page_texts
from tests.support.browser import DESKTOP, PHONE, Browser, Theme
from tests.support.submitting import recipe

RECIPE = """competition = "talk"
method = "vote"
members = [{ run = "exp001" }, { run = "exp002" }, { run = "exp003" }]
"""
SWEEP = page_sweeps.sweep("talk")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with a blend that was compared, one that cannot be measured, a finished sweep and one that runs."""
    root = tmp_path_factory.mktemp("views")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDS_ROOT", str(root))
        page_texts.build(root, 3, page_texts.talks(30), others=2)
        (root / "submissions").mkdir()
        made, competition = recipe(root, RECIPE), load_competition("talk")
        (root / "submissions" / "early.toml").write_text(RECIPE.replace("exp003", "exp009"), encoding="utf-8")
        members = member_candidates(made, competition, "dev")
        report_file.write("talk", "talk", 8, members, blend_report(made, competition, members))
        page_sweeps.write(root, page_sweeps.sweep("talk", 7, running=True), "exp002-tiny")
        page_sweeps.write(root, SWEEP)
        return write_page(competition).path


def _data(browser: Browser, name: str) -> Any:
    return browser.run(f"return page.data.{name};")


def _number(text: str) -> float:
    return float(re.sub("[^0-9.+-]", "", text.replace("−", "-")))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_everybody_can_read_them(browser: Browser, page: Path, size: tuple[int, int], theme: Theme) -> None:
    browser.resize(size)
    found = []
    for view in (
        "blends?blend=talk",
        "blends?blend=early",
        "sweeps?sweep=exp002-sweep",
        "sweeps?sweep=exp002-tiny",
    ):
        browser.open(page, f"#/{view}", theme=theme)
        browser.wait("document.querySelector('main h2')")
        browser.run("for (const one of document.querySelectorAll('details')) one.open = true;")
        if browser.overflow():
            found.append(f"{view}: scrolls sideways by {browser.overflow()}")
        found += [f"{view}: {line}" for line in browser.violations()]
        assert "cannot be drawn" not in browser.text()
    assert found == []


def test_a_blend_shows_members_methods_agreement_and_wins(browser: Browser, page: Path) -> None:
    browser.open(page, "#/blends?blend=talk")
    browser.wait("document.querySelector('figure')")
    [blend] = [one for one in _data(browser, "blends") if one["recipe"] == "talk"]
    text = browser.text()
    assert f"{blend['blend']['mean']:.2f}" in text
    assert [figure.text for figure in browser.all("figure h3")][:3] == [
        "Members and blend on dev", "Agreement between members", "What each way of blending gains"
    ]  # fmt: skip
    cells: list[str] = browser.run(
        "const figure = [...document.querySelectorAll('figure')].find(one => one.querySelector('h3').textContent === 'Agreement between members');"
        "return [...figure.querySelectorAll('tbody td')].map(one => one.textContent);"
    )
    wanted = ["–" if value is None else f"{value:.2f}" for line in blend["agreement"] for value in line]
    assert cells == wanted
    methods: list[list[str]] = browser.run(
        "const figure = [...document.querySelectorAll('figure')].find(one => one.querySelector('h3').textContent === 'What each way of blending gains');"
        "return [...figure.querySelectorAll('tbody tr')].map(row => [...row.children].map(one => one.textContent));"
    )
    saved = blend["report"]
    assert [row[0] for row in methods] == [*(one["method"] for one in saved["methods"]), "control (auto)"]
    assert [_number(row[2]) for row in methods[:-1]] == pytest.approx(
        [one["difference"] for one in saved["methods"]], abs=0.006
    )
    assert saved["advice"]["en"] in text
    # The blend's texts can be looked at from here.
    link = browser.one("main a[href*='show=worsened']")
    assert "exp001,talk" in (link.get_attribute("href") or "").replace("%2C", ",").replace("%252C", ",")


def test_who_wins_can_be_seen_by_topic(browser: Browser, page: Path) -> None:
    browser.open(page, "#/blends?blend=talk")
    [blend] = [one for one in _data(browser, "blends") if one["recipe"] == "talk"]
    kinds = {group["kind"] for group in blend["groups"]}
    assert "turns" in kinds
    rows: list[str] = browser.run(
        "return [...[...document.querySelectorAll('main table')].at(-1).querySelectorAll('tbody th')].map(one => one.textContent);"
    )
    assert rows == [group["name"] for group in blend["groups"] if group["kind"] == "turns"]
    if "topic" not in kinds:
        assert not browser.all("#by")


TOPICS = [
    {"kind": "topic", "name": "회의 시간과 장소 정하기, 아주 긴 주제 이름", "rows": 6, "blend": 40.0},
    {"kind": "topic", "name": "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW", "rows": 5, "blend": 41.0},
]


def test_topics_say_how_many_dialogues_they_leave_out(browser: Browser, page: Path) -> None:
    browser.resize(PHONE)
    browser.open(page, "#/runs")
    browser.run(
        "const blend = page.data.blends.find(one => one.recipe === 'talk'); const of = value => Object.fromEntries(blend.members.map(one => [one.name, value]));"
        "blend.groups = blend.groups.filter(one => one.kind === 'turns').concat(arguments[0].map(one => ({...one, mean: of(40), won: of(1 / 3)})));",
        TOPICS,
    )
    browser.go("#/blends?blend=talk&by=topic")
    browser.wait("document.querySelector('#by')")
    assert "These topics have 11 of the 30 dialogues. The other 19 are left out" in browser.text()
    # The names of topics stay inside the card's padding.
    edges: list[float] = browser.run(
        "const figure = [...document.querySelectorAll('figure')].at(-1), left = figure.getBoundingClientRect().left + parseFloat(getComputedStyle(figure).paddingLeft);"
        "return [...figure.querySelectorAll('svg:not(.legend svg) text')].map(one => one.getBoundingClientRect().left - left);"
    )
    assert min(edges) >= -1
    browser.go("#/blends?blend=talk&by=turns")
    browser.wait("document.querySelector('#by').value === 'turns'")
    assert "left out: they have no topic" not in browser.text()


def test_charts_of_a_blend_leave_no_gap_and_share_the_colours_of_runs(browser: Browser, page: Path) -> None:
    browser.open(page, "#/blends?blend=talk")
    browser.wait("document.querySelector('figure')")
    boxes: list[list[float]] = browser.run(
        "return [...document.querySelectorAll('.pair > *')].map(one => { const r = one.getBoundingClientRect(); return [r.top, r.height]; });"
    )
    assert len(boxes) == 2
    assert boxes[0][0] == boxes[1][0]
    assert max(boxes[0][1], boxes[1][1]) < 2 * min(boxes[0][1], boxes[1][1])
    members: list[str] = browser.run(
        "return [...document.querySelectorAll('figure')[0].querySelectorAll('[data-mark=dot] circle')].map(one => one.getAttribute('fill'));"
    )
    legend: list[str] = browser.run(
        "return [...document.querySelectorAll('.legend path')].map(one => one.getAttribute('class').replace('fill-', 'var(--c') + ')');"
    )
    assert members == ["var(--ink)", *legend]
    assert len(set(members)) == 4


def test_a_blend_without_predictions_says_why(browser: Browser, page: Path) -> None:
    browser.open(page, "#/blends?blend=early")
    browser.wait("document.querySelector('.notice')")
    assert "exp009" in browser.one("main .notice").text
    browser.run(
        "const s = document.getElementById('blend'); s.value = 'talk'; s.dispatchEvent(new Event('change'));"
    )
    browser.wait("document.querySelector('figure')")
    assert "blend=talk" in browser.driver.current_url


def test_a_sweep_shows_its_winner_and_how_far_to_trust_it(browser: Browser, page: Path) -> None:
    browser.open(page, "#/sweeps?sweep=exp002-sweep")
    browser.wait("document.querySelectorAll('figure').length > 6")
    best = SWEEP.trials[SWEEP.best or 0]
    text = browser.text()
    assert f"trial {best.number}" in text
    assert "+1.31" in text
    assert "trust its score on the unseen rows" in text
    settings = browser.run("return [...document.querySelectorAll('main table')][0].innerText;")
    assert "training.learning_rate" in settings
    assert f"{best.settings['training.learning_rate']:.4g}" in settings
    recipe_of = plain(config_of("exp002").Config())
    for name, value in best.settings.items():
        assert (name in settings) == (recipe_of[name] != value), name
    assert f"make new exp=expNNN from-trial={best.run}" in text
    titles = [figure.text for figure in browser.all("figure h3")]
    assert titles[:4] == [
        "Best so far over the trials", "The metric at each evaluation", "Which settings matter", "All settings at once"
    ]  # fmt: skip
    assert titles[4:] == ["learning-rate", "epochs", "label-smoothing", "schedule"]
    assert browser.run(  # a cross for each trial that was stopped early
        "return document.querySelectorAll('figure')[1].querySelectorAll('[data-mark=dot] path').length;"
    ) == SWEEP.count_of("pruned")
    lines = browser.run(
        "return [...document.querySelectorAll('figure')[3].querySelectorAll('[data-mark=line] path')].length;"
    )
    assert lines == 1 + sum(one.value is not None for one in SWEEP.trials)


def test_the_trials_sort_by_mouse_and_keyboard(browser: Browser, page: Path) -> None:
    browser.open(page, "#/sweeps?sweep=exp002-sweep")
    browser.wait("document.querySelector('#sort-value')")

    def order() -> list[int]:
        found: list[int] = browser.run(
            "return [...document.querySelectorAll('tr[data-row]')].map(row => Number(row.dataset.row));"
        )
        return found

    values = {one.number: one.value for one in SWEEP.trials}
    scored = [number for number, value in values.items() if value is not None]
    by_value = sorted(scored, key=lambda number: -(values[number] or 0))
    assert order()[: len(scored)] == by_value
    browser.click("#sort-value")
    browser.wait("location.hash.includes('sort=value')")
    assert order()[: len(scored)] == by_value[::-1]
    browser.run("document.getElementById('sort-minutes').focus();")
    browser.press("\ue007")  # Enter
    browser.wait("location.hash.includes('sort=-minutes')")
    assert browser.run("return document.activeElement.id;") == "sort-minutes"
    minutes = {one.number: one.minutes for one in SWEEP.trials}
    shown = [minutes[number] or 0 for number in order()]
    assert shown == sorted(shown, reverse=True)


def test_a_sweep_that_runs_is_shown_as_it_is_now(browser: Browser, page: Path) -> None:
    browser.open(page, "#/sweeps?sweep=exp002-tiny")
    browser.wait("document.querySelector('figure')")
    text = browser.text()
    assert "2 running" in text
    assert "write the page again to see more" in text
    assert "Not known yet" in text
    assert "make exp=exp002 sweep-report" in text


def test_a_sweep_at_its_very_beginning_and_a_damaged_one(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    page_texts.build(tmp_path, 1, page_texts.talks(3), others=0)
    page_sweeps.write(tmp_path, page_sweeps.sweep("talk", 0))
    damaged = tmp_path / "outputs" / "talk" / "sweeps" / "exp002-bad"
    damaged.mkdir()
    (damaged / report.FILE).write_text(json.dumps({"name": "x"}), encoding="utf-8")
    written = write_page(load_competition("talk"))
    assert any("exp002-bad" in gap["en"] for gap in written.content.gaps)
    browser.open(written.path, "#/sweeps")
    browser.wait("document.querySelector('main h2')")
    assert "No trial has been evaluated yet." in browser.text()


def test_a_recipe_that_cannot_be_read_costs_only_the_comparison_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    page_texts.build(tmp_path, 1, page_texts.talks(3), others=0)
    page_sweeps.write(tmp_path, SWEEP)
    (tmp_path / "experiments" / "exp002" / "config.py").unlink()
    content = write_page(load_competition("talk")).content
    [row] = content.sweeps
    assert row["recipe"] is None
    assert [gap["en"] for gap in content.gaps if "exp002" in gap["en"] and "recipe" in gap["en"]]
    assert write_report(load_competition("talk"), "exp001").content.sweeps == []


def test_a_page_without_blends_and_sweeps_does_not_offer_them(browser: Browser, talk: Path) -> None:
    browser.open(talk)
    offered = browser.run("return page.offered();")
    assert not {"blends", "sweeps"} & set(offered)
    browser.go("#/sweeps")
    browser.wait("document.querySelector('.empty')")
    assert "make exp=exp002 sweep" in browser.text()
