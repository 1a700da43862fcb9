"""The views of runs, progress, trust, cost, curves, shares and comparison show the right values, by clicks as by links."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.data.competition_file import load_competition
from common.data.rows import read_predictions, read_references
from common.page.build import write_page, write_report
from common.rouge import paired_bootstrap
from common.runs.record import read_record
from common.runs.results import read_results
from common.runs.scoring import example_scores
from common.submission import ledger
from common.submission.dev_and_site import dev_against_site
from tests.support import REPOSITORY, page_texts, page_world
from tests.support.browser import PHONE, Browser

MINUS = str.maketrans("−", "-")


def numbers(text: str) -> list[float]:
    """The numbers of a text, in order."""
    return [
        float(found) for found in re.findall(r"[+-]?\d+(?:\.\d+)?", text.translate(MINUS).replace(",", ""))
    ]


def cells(browser: Browser, selector: str) -> list[list[str]]:
    """The texts of a table's body by row."""
    found: list[list[str]] = browser.run(
        "return [...document.querySelectorAll(arguments[0] + ' tbody tr')].map(row => [...row.children].map(cell => cell.innerText));",
        selector,
    )
    return found


def made(root: Path, monkeypatch: pytest.MonkeyPatch, competition: str = page_world.COMPETITION) -> Path:
    monkeypatch.setenv("KDS_ROOT", str(root))
    return write_page(load_competition(competition)).path


def test_selected_runs_show_the_settings_that_differ(browser: Browser, whole: Path) -> None:
    root = whole.parents[2]
    settings = {run: page_record(root, run)["train"]["config"] for run in ("exp002", "exp012")}
    differing = {name for name in settings["exp002"] if settings["exp002"][name] != settings["exp012"][name]}
    assert differing
    browser.open(whole, "#/runs?kind=run")
    assert not browser.all("th.setting")
    for run in settings:
        browser.click(f"#choose-run-{run}")
    shown = {head.get_attribute("title") for head in browser.all("th.setting")}
    assert shown == differing
    [row] = browser.all("tr[data-row='exp002']")
    texts = [cell.text for cell in row.find_elements("css selector", "td.setting")]
    assert [float(text) for text in texts] == [settings["exp002"][name] for name in sorted(differing)]
    browser.click("#only")
    browser.wait("document.querySelectorAll('#runs-table tbody tr').length === 2")
    browser.click("#clear")
    browser.wait("document.querySelectorAll('#runs-table tbody tr').length === 12")
    assert not browser.all("th.setting")


def page_record(root: Path, run: str) -> dict[str, Any]:
    return read_record(root / "outputs" / page_world.COMPETITION / run)


def test_two_selected_runs_are_compared(
    browser: Browser, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = whole.parents[2]
    monkeypatch.setenv("KDS_ROOT", str(root))
    browser.open(whole, "#/runs?runs=exp002,exp003")
    browser.click("#compare")
    browser.wait(
        "document.querySelectorAll('main table tbody tr').length > 3 && document.querySelector('main .tag')"
    )
    table = cells(browser, "main .scroll:first-of-type")
    row = next(row for row in table if row[0].startswith("leaderboard"))
    results = {result.run: result.dev["leaderboard"].score for result in read_results(page_world.COMPETITION)}
    assert numbers(row[2]) == [round(results["exp002"], 2)]
    difference, low, high = numbers(row[1])
    assert difference == pytest.approx(results["exp003"] - results["exp002"], abs=0.006)
    a, b = (dev_scores(root, run) for run in ("exp002", "exp003"))
    interval, _ = paired_bootstrap(a, b, resamples=10_000)
    assert (low, high) == (pytest.approx(interval.low, abs=0.15), pytest.approx(interval.high, abs=0.15))
    assert ("may be chance" in row[1]) == (interval.low <= 0 <= interval.high)
    assert numbers(row[4]) == [(b > a).sum(), (b < a).sum(), (b == a).sum()]
    assert "#/compare?a=exp002&b=exp003" in browser.driver.current_url
    browser.click("#swap")
    browser.wait("location.hash === '#/compare?a=exp003&b=exp002'")
    browser.driver.back()
    browser.wait("location.hash === '#/compare?a=exp002&b=exp003'")


def dev_scores(root: Path, run: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    competition = load_competition(page_world.COMPETITION)
    predictions = read_predictions(
        root / "outputs" / competition.name / run / "dev" / "predictions.csv", competition
    )
    found = example_scores(predictions, read_references(competition, "dev"), "leaderboard")
    rounded: np.ndarray[tuple[int], np.dtype[np.float64]] = np.round(
        found.per_example["leaderboard"], 2
    )  # as the page has them
    return rounded


def test_trust_shows_what_make_leaderboard_says(
    browser: Browser, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(whole.parents[2]))
    competition = load_competition(page_world.COMPETITION)
    wanted = dev_against_site(competition, ledger.entries(), "public")
    browser.open(whole, "#/trust")
    section = browser.one("main section")
    assert (
        wanted.tau is not None
        and wanted.low is not None
        and wanted.high is not None
        and wanted.drop is not None
    )
    figures = [one.text for one in section.find_elements("css selector", ".figure")]
    details = [one.text for one in section.find_elements("css selector", ".fact")]
    assert numbers(figures[1]) == [round(wanted.tau, 2)]
    assert numbers(figures[2]) == [round(wanted.drop.median, 2)]
    assert numbers(details[1])[2:4] == [round(wanted.low, 2), round(wanted.high, 2)]
    assert numbers(details[2])[1:] == [round(wanted.drop.low, 2), round(wanted.drop.high, 2)]
    section.find_element("css selector", "summary").click()
    assert len(section.find_elements("css selector", "tbody tr")) == len(wanted.ids)


def test_curves_of_chosen_runs(browser: Browser, whole: Path) -> None:
    browser.open(whole, "#/curves?runs=exp002,exp003")
    assert [one.text for one in browser.all(".legend li")] == ["exp002", "exp003"]
    table = cells(browser, "main > .scroll")
    assert [row[0] for row in table] == ["exp002", "exp003"]
    for row in table:
        best, (at, steps), last = numbers(row[2])[0], numbers(row[3]), numbers(row[4])[0]
        assert best >= last
        assert ("best at the end" in row[1]) == (at == steps)
    browser.click("#curve-exp010")
    browser.wait("document.querySelectorAll('.legend li').length === 3")
    assert browser.run("return document.activeElement.id;") == "curve-exp010"
    assert "runs=exp002%2Cexp003%2Cexp010" in browser.driver.current_url
    browser.go("#/curves?runs=exp002&measure=loss&x=part")
    browser.wait(
        "document.querySelector('#measure').value === 'loss' && document.querySelector('#axis').value === 'part'"
    )


def test_the_first_curves_are_those_of_the_best_runs(browser: Browser, whole: Path) -> None:
    browser.open(whole, "#/curves")
    ranked = browser.run(
        "return page.ranked(page.rows().filter(row => row.run), page.data.dev_profile).map(row => row.id);"
    )
    assert [one.text for one in browser.all(".legend li")] == ranked[:3]
    assert ranked[:3] != browser.run("return page.data.curves.map(curve => curve.run).slice(0, 3);")


def test_a_setting_of_many_digits_is_short_in_the_table(
    browser: Browser, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_world.write(workspace, 1)
    path = workspace / "results" / page_world.COMPETITION / "exp002.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    settings = {"training.learning_rate": 0.0010315662123, "seed": 123456, "b": True}
    path.write_text(json.dumps({**result, "settings": settings}), encoding="utf-8")
    browser.open(made(workspace, monkeypatch), "#/runs")
    assert "learning_rate=0.001032, seed=123456, b=true" in browser.one("#runs-table").text


def test_a_price_turns_minutes_into_money(browser: Browser, whole: Path) -> None:
    browser.open(whole, "#/cost")
    browser.click("figure summary")
    minutes = {row[0]: row[2] for row in cells(browser, "figure")}
    assert len(minutes) == 12
    browser.open(whole, "#/cost?by=money&price0=6&price1=6&price2=6")
    browser.click("figure summary")
    money = {row[0]: numbers(row[2])[0] for row in cells(browser, "figure")}
    for run, record in ((run, page_record(whole.parents[2], run)) for run in money):
        hours = sum(float(stage["minutes"]) for stage in record.values()) / 60
        spent = record["infer"]["notes"].get("llm_dev")
        asked = spent["cost"] if spent else 0.0
        assert money[run] == pytest.approx(6 * hours + asked, abs=0.006)


def test_shares_warn_of_what_was_cut_off(browser: Browser, whole: Path) -> None:
    browser.open(whole, "#/shares")
    names = [head.text.split()[0] for head in browser.all("main thead th")]
    column = [head.get_attribute("data-column") for head in browser.all("main thead th")].index("cut")
    assert names[0] == "run"
    for row in cells(browser, "main > .scroll"):
        run = row[0].split("\n")[0]
        cut = page_record(whole.parents[2], run)["infer"]["notes"]["cut"]["dev"]
        share = 100 * cut["cut"] / cut["summaries"]
        assert numbers(row[column]) == [round(share, 1)]
        assert ("!" in row[column]) == (share > 1)


def test_progress_to_the_goals(browser: Browser, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace / "experiments").symlink_to(REPOSITORY / "experiments")
    page_world.write(workspace, 30, 6)
    toml = workspace / "competitions" / page_world.COMPETITION / "competition.toml"
    text = toml.read_text(encoding="utf-8")
    toml.write_text(re.sub(r"(?m)^goals = .*$", "goals = [40, 60, 99]", text), encoding="utf-8")
    browser.open(made(workspace, monkeypatch), "#/progress")
    best = max(result.dev["rouge101"].score for result in read_results(page_world.COMPETITION))
    best = max(best, *(entry["dev"]["blend"]["rouge101"] for entry in ledger.entries()))
    sentence = browser.one("figcaption p").text
    assert f"{best:.2f}" in sentence
    assert f"{99 - best:.2f} to go to the next goal, 99" in sentence
    browser.click("figure summary")
    reached = [row[3] for row in cells(browser, "figure") if row[3]]
    assert ", ".join(reached).split(", ") == ["40", "60"]


@pytest.mark.parametrize("runs", [0, 1])
def test_no_run_and_one_run(
    browser: Browser, workspace: Path, monkeypatch: pytest.MonkeyPatch, runs: int
) -> None:
    page_world.write(workspace, runs)
    browser.open(made(workspace, monkeypatch))
    for view in browser.run("return page.offered();"):
        browser.go(f"#/{view}")
        browser.wait("document.querySelector('#views [aria-current]').dataset.view === arguments[0]", view)
        assert len(browser.one("main").text) > 40
        assert "undefined" not in browser.text()
        assert "NaN" not in browser.text()


def test_two_hundred_runs_stay_fluent(
    browser: Browser, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_world.write(workspace, 200, 20, curves=False)
    browser.open(made(workspace, monkeypatch), "#/runs")
    assert "220 of 220 rows" in browser.one("caption").text
    rows = len(browser.all("#runs-table tbody tr"))
    assert rows < 100  # the others are made when they come near
    browser.run(
        "const box = document.querySelector('#runs-table .scroll'); box.scrollTop = box.scrollHeight;"
    )
    browser.wait("document.querySelectorAll('#runs-table tbody tr').length > arguments[0]", rows)
    browser.run("dispatchEvent(new Event('beforeprint'));")
    assert len(browser.all("#runs-table tbody tr")) == 220
    browser.click("#filter")
    browser.press("exp012-v40")
    browser.wait("document.querySelectorAll('#runs-table tbody tr').length < 20")
    assert browser.run("return document.activeElement.id;") == "filter"


def test_gaps_are_told_on_the_page(
    browser: Browser, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_world.write(workspace, 3, 3)
    path = workspace / "submissions" / "ledger.jsonl"
    path.write_text("<<<\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    browser.open(made(workspace, monkeypatch), "#/runs")
    assert "submissions/ledger.jsonl:1" in browser.one(".notice").text
    assert "6 of 6 rows" in browser.one("caption").text


def test_many_gaps_leave_the_runs_in_sight(
    browser: Browser, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_world.write(workspace, 3, 3)
    path = workspace / "submissions" / "ledger.jsonl"
    path.write_text("<<<\n" * 40 + path.read_text(encoding="utf-8"), encoding="utf-8")
    browser.open(made(workspace, monkeypatch), "#/runs")
    lines = browser.all(".notice li")
    assert len(lines) == 40
    assert sum(line.is_displayed() for line in lines) == 5
    browser.click(".notice summary")
    browser.wait("document.querySelector('.notice details').open")
    assert all(line.is_displayed() for line in lines)
    assert browser.violations() == []


def test_the_direction_of_a_setting_ends_with_it(
    browser: Browser, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_world.write(workspace, 1)
    path = workspace / "results" / page_world.COMPETITION / "exp002.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**result, "settings": {"a": "\u202ex", "b": "plain"}}), encoding="utf-8")
    browser.open(made(workspace, monkeypatch), "#/runs")
    [line] = [one.text for one in browser.all("#runs-table .under") if "plain" in one.text]
    assert line == "\u2068a=\u202ex\u2069, b=plain"


def test_a_report_on_one_run(
    browser: Browser, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    shutil.copytree(whole.parents[2], root)
    monkeypatch.setenv("KDS_ROOT", str(root))
    report = write_report(load_competition(page_world.COMPETITION), "exp003").path
    browser.open(report)
    assert browser.run("return page.offered();") == ["overview", "examples", "curves", "shares"]
    assert browser.one("main h2").text.startswith("exp003")
    result = next(one for one in read_results(page_world.COMPETITION) if one.run == "exp003")
    row = next(row for row in cells(browser, "main") if row[0] == "dev leaderboard (0–100)")
    assert numbers(row[1] + " " + row[2].replace("…", " ")) == [
        round(result.dev["leaderboard"].score, 2), round(result.dev["leaderboard"].low, 2), round(result.dev["leaderboard"].high, 2),
    ]  # fmt: skip
    browser.resize(PHONE)
    assert browser.overflow() == 0
    assert browser.violations() == []


def whole_in_window(browser: Browser, selector: str) -> bool:
    """Whether the first element that a selector finds lies between the left and the right edge of what is shown."""
    found: bool = browser.run(
        "const r = document.querySelector(arguments[0]).getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth;",
        selector,
    )
    return found


def test_a_phone_shows_the_answer_without_scrolling_sideways(browser: Browser, whole: Path) -> None:
    browser.resize(PHONE)
    browser.open(whole, "#/compare?a=exp002&b=exp003")
    browser.wait("document.querySelector('main td .tag')")
    assert whole_in_window(browser, "main td .tag")
    assert whole_in_window(browser, "main td .under")  # the interval
    browser.go("#/curves")
    browser.wait("document.querySelector('main tbody td')")
    assert re.search("longer training|no gain|not clear", browser.one("main tbody td").text)
    assert whole_in_window(browser, "main tbody td")


def test_the_best_run_leads_to_what_was_changed_and_to_its_failures(
    browser: Browser, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    competition = Path("competitions") / page_world.COMPETITION
    shutil.copytree(REPOSITORY / competition, workspace / competition, dirs_exist_ok=True)
    runs = [run.name for run in page_world.write(workspace, 2)]
    for number, run in enumerate(runs):
        page_texts.add_texts(workspace, page_world.COMPETITION, run, number)
    browser.open(made(workspace, monkeypatch), "#/runs")
    scores = {result.run: result.dev["leaderboard"].score for result in read_results(page_world.COMPETITION)}
    second, best = sorted(runs, key=lambda run: scores[run])
    browser.click(".fact a[href*='#/compare']")
    browser.wait("document.querySelector('#a')")
    assert [browser.one(f"#{side}").get_attribute("value") for side in "ab"] == [second, best]
    browser.driver.back()
    browser.wait("document.querySelector('.fact')")
    browser.click(".fact a[href*='show=worst']")
    browser.wait("document.querySelector('.list .count')")
    assert f"the lowest scores of {best}" in browser.one(".count").text


def test_a_tag_says_why_by_keyboard_too(
    browser: Browser, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from selenium.webdriver.common.keys import Keys

    page_world.write(workspace, 1)
    (workspace / "outputs" / page_world.COMPETITION / "exp002" / "run.json").write_text("{", encoding="utf-8")
    browser.open(made(workspace, monkeypatch), "#/runs")
    browser.run("document.querySelector('.why summary').focus();")
    assert not browser.one(".why li").is_displayed()
    browser.press(Keys.ENTER)
    assert "run.json" in browser.one(".why li").text
    assert browser.violations() == []


@pytest.mark.parametrize("view", ["runs?runs=exp002,exp003", "compare", "curves", "shares", "cost"])
def test_printed_on_a4_no_column_is_cut_off(browser: Browser, whole: Path, view: str) -> None:
    browser.open(whole, f"#/{view}")
    browser.wait("document.querySelector('main table, main figure')")
    browser.emulate("Emulation.setEmulatedMedia", media="print")
    browser.resize((718, 1000))  # the width of A4 between Chromium's margins, in CSS pixels
    too_wide = browser.run(
        "return [...document.querySelectorAll('main th, main td')].map(cell => cell.getBoundingClientRect().right).filter(right => right > innerWidth + 1);"
    )
    browser.emulate("Emulation.setEmulatedMedia", media="")
    assert too_wide == []


def test_the_page_is_readable_when_printed(browser: Browser, whole: Path) -> None:
    browser.open(whole, "#/runs", theme="dark")
    browser.emulate("Emulation.setEmulatedMedia", media="print")
    assert browser.run("return getComputedStyle(document.body).color;") == "rgb(0, 0, 0)"
    assert not browser.one("nav").is_displayed()
    assert browser.one("#runs-table table").is_displayed()
    browser.emulate("Emulation.setEmulatedMedia", media="")
