"""The error browser as its readers use it."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from selenium.webdriver.common.keys import Keys

from common.data.competition_file import load_competition
from common.data.rows import read_predictions, read_references
from common.page.build import write_page, write_report
from common.rouge import corpus
from common.runs.scoring import example_scores
from tests.support import page_texts
from tests.support.browser import DESKTOP, PHONE, Browser
from tests.support.page_texts import Talk, talks

Scores = Callable[[str], dict[str, float]]


@pytest.fixture
def scores(talk_root: Path, monkeypatch: pytest.MonkeyPatch) -> Scores:
    """Run → id → its score in the profile that dev is judged by."""
    monkeypatch.setenv("KDS_ROOT", str(talk_root))
    competition = load_competition("talk")

    def scored(run: str) -> dict[str, float]:
        texts = read_predictions(talk_root / "outputs/talk" / run / "dev" / "predictions.csv", competition)
        references = read_references(competition, "dev")
        found = example_scores(texts, references, "leaderboard").per_example["leaderboard"]
        return dict(zip(references, map(float, found), strict=True))

    return scored


def _open(browser: Browser, page: Path, query: str = "") -> None:
    browser.open(page, f"#/examples{'?' if query else ''}{query}")
    browser.wait("document.querySelector('.example-list, .browser .empty')")


def _listed(browser: Browser) -> list[str]:
    return [one.get_attribute("data-id") or "" for one in browser.all(".example-list a")]


def _change(browser: Browser, name: str, value: str) -> None:
    """Give a control another value, as a person does, and wait until the list has been drawn again."""
    browser.run("document.querySelector('.list').dataset.old = '1';")
    browser.run(
        "const c = document.querySelector(`.example-tools [name='${arguments[0]}'], .list [name='${arguments[0]}'], .marks [name='${arguments[0]}']`);"
        "c.value = arguments[1]; c.dispatchEvent(new Event(c.tagName === 'SELECT' ? 'change' : 'input', {bubbles: true}));",
        name,
        value,
    )
    browser.wait(
        f"new URLSearchParams(location.hash.split('?')[1]).get('{name}') === arguments[0] || !arguments[0]",
        value,
    )
    browser.run("return new Promise((done) => setTimeout(done, 80));")


def _pick(browser: Browser, selection: str) -> None:
    browser.click(f".segments input[value='{selection}']")
    browser.wait("new RegExp('show=' + arguments[0]).test(location.hash)", selection)
    browser.run("return new Promise((done) => setTimeout(done, 80));")


def test_the_two_best_runs_are_shown_first(browser: Browser, talk: Path) -> None:
    _open(browser, talk)
    assert [one.text for one in browser.all(".models summary .tag")] == ["exp002", "exp001"]
    assert _listed(browser) == [f"dev_{number}" for number in range(12)]
    assert browser.one("#example").text == "dev_0"
    assert [one.get_attribute("data-run") for one in browser.all(".model")] == ["exp002", "exp001"]


def test_the_dialogue_its_reference_and_the_summaries_are_whole(
    browser: Browser, talk: Path, talk_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(talk_root))
    _open(browser, talk, "id=dev_3&runs=exp003&marks=none")
    wanted = talks(4)[3]
    turns = browser.run(
        "return [...document.querySelectorAll('.turns li')].map((one) => [...one.children].map((part) => part.textContent));"
    )
    assert [f"#{speaker}#: {said}" for speaker, said in turns] == wanted.dialogue.split("\n")
    assert browser.one(".references .summary").text == wanted.summary
    texts = read_predictions(talk_root / "outputs/talk/exp003/dev/predictions.csv", load_competition("talk"))
    assert browser.one(".model .summary").text == texts["dev_3"]


def test_worst_first(browser: Browser, talk: Path, scores: Scores) -> None:
    _open(browser, talk, "runs=exp003")
    _pick(browser, "worst")
    wanted = sorted(scores("exp003"), key=lambda name: scores("exp003")[name])
    assert _listed(browser)[0] == wanted[0]
    found = [scores("exp003")[name] for name in _listed(browser)]
    assert found == pytest.approx(sorted(found), abs=0.06)
    shown = float(browser.one(".model .figure").text.split()[-1])
    assert shown == pytest.approx(found[0], abs=0.06)


def test_improved_and_lost_between_two_runs(browser: Browser, talk: Path, scores: Scores) -> None:
    _open(browser, talk, "runs=exp003,exp001")
    gains = {name: scores("exp001")[name] - before for name, before in scores("exp003").items()}
    _pick(browser, "improved")
    assert set(_listed(browser)) == {name for name, gain in gains.items() if gain > 0.05}
    assert _listed(browser)[0] == max(gains, key=lambda name: gains[name])
    assert "the largest gains from exp003 to exp001" in browser.one(".count").text
    browser.click(".models summary")
    browser.click(".models button")  # swaps the two
    browser.wait("/runs=exp001%2Cexp003/.test(location.hash)")
    browser.wait("document.querySelector('.count').textContent.includes('from exp001 to exp003')")
    _pick(browser, "worsened")
    assert _listed(browser)[0] == max(gains, key=lambda name: gains[name])


def test_most_disagreed_first(
    browser: Browser, talk: Path, talk_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(talk_root))
    competition = load_competition("talk")
    first, second = (
        read_predictions(talk_root / f"outputs/talk/{run}/dev/predictions.csv", competition)
        for run in ("exp002", "exp003")
    )
    names = list(first)
    same = corpus([first[n] for n in names], [second[n] for n in names], "leaderboard").per_example["rouge1"]
    by_id = dict(zip(names, map(float, same), strict=True))
    _open(browser, talk, "runs=exp002,exp003")
    _pick(browser, "disagreed")
    # A tag is one word on the page and four to the analyser, so only the clear ends of the order are the same.
    assert set(_listed(browser)[:3]) & set(sorted(by_id, key=lambda n: by_id[n])[:4])
    assert _listed(browser)[-1] in sorted(by_id, key=lambda n: -by_id[n])[:4]
    assert "of the words differ" in browser.one(".example").text


@pytest.mark.parametrize("name", ["from", "to"])
def test_filter_by_score(browser: Browser, talk: Path, scores: Scores, name: str) -> None:
    found = scores("exp002")
    limit = round(sum(sorted(found.values())[5:7]) / 2, 1)
    _open(browser, talk, "runs=exp002")
    _change(browser, name, str(limit))
    wanted = [n for n, score in found.items() if (score >= limit) == (name == "from")]
    assert len(wanted) == 6
    assert _listed(browser) == wanted
    assert f"{len(wanted)} of 12 dialogues" in browser.one(".count").text
    assert "1 filter" in browser.one(".filters summary").text
    _open(browser, talk, f"runs=exp002&{name}={limit}")  # the address alone gives the same
    assert _listed(browser) == wanted
    browser.click(".filters button")
    browser.wait("document.querySelectorAll('.example-list a').length === 12")


def test_filter_by_length_speakers_topic_and_words(browser: Browser, talk: Path) -> None:
    rows = talks(12)

    def length(dialogue: str) -> int:
        return len("\n".join(line.partition(": ")[2] for line in dialogue.split("\n")))

    middle = sorted(length(row.dialogue) for row in rows)[5]
    _open(browser, talk)
    _change(browser, "longest", str(middle))
    assert _listed(browser) == [row.id for row in rows if length(row.dialogue) <= middle]
    _change(browser, "longest", "")
    three = [
        row.id for row in rows if len({line.partition(":")[0] for line in row.dialogue.split("\n")}) == 3
    ]
    _change(browser, "speakers", "3")
    assert _listed(browser) == three
    _change(browser, "speakers", "")
    _change(browser, "topic", rows[4].topic)
    assert "dev_4" in _listed(browser)
    assert set(_listed(browser)) == {row.id for row in rows if rows[4].topic in row.topic}
    _change(browser, "topic", "")
    word = rows[7].dialogue.split()[1]
    _change(browser, "q", word)
    assert "dev_7" in _listed(browser)
    _change(browser, "q", "no such words anywhere")
    assert "No dialogue fits" in browser.one(".list").text


def test_filter_by_tag_errors_and_cut_off_texts(browser: Browser, talk: Path) -> None:
    _open(browser, talk, "runs=exp003&tags=missing")
    flags = browser.run("return page.examples.run('dev', 'exp003').then((run) => run.flags);")
    assert _listed(browser) == [f"dev_{n}" for n, flag in enumerate(flags) if flag & 2]
    assert _listed(browser)
    assert "missing: #Person" in browser.one(".fault").text
    _open(browser, talk, "runs=exp001,exp002,exp003&cut=1")
    cut = browser.run(
        "return Promise.all(['exp001', 'exp002', 'exp003'].map((run) => page.examples.run('dev', run))).then("
        "(runs) => runs[0].flags.map((_, place) => runs.some((run) => run.flags[place] & 8)));"
    )
    assert _listed(browser) == [f"dev_{n}" for n, holds in enumerate(cut) if holds]


def test_the_order_of_the_list(browser: Browser, talk: Path, scores: Scores) -> None:
    _open(browser, talk, "runs=exp002")
    _change(browser, "sort", "-score")
    found = [scores("exp002")[name] for name in _listed(browser)]
    assert len(found) == 12
    assert found == pytest.approx(sorted(found, reverse=True), abs=0.06)
    _change(browser, "metric", "rouge101.rouge2")
    assert "rouge101" in browser.one(".filters summary").text


def test_opening_the_back_button_and_a_link(browser: Browser, talk: Path) -> None:
    _open(browser, talk, "show=worst&runs=exp001")
    second = browser.all(".example-list a")[1]
    name, href = second.get_attribute("data-id"), second.get_attribute("href")
    second.click()
    browser.wait("document.getElementById('example').textContent === arguments[0]", name)
    assert f"id={name}" in browser.driver.current_url
    assert "show=worst" in browser.driver.current_url
    browser.all(".example-list a")[3].click()
    browser.wait("document.getElementById('example').textContent !== arguments[0]", name)
    browser.driver.back()
    browser.wait("document.getElementById('example')?.textContent === arguments[0]", name)
    assert href
    browser.open(talk, "#" + href.partition("#")[2])  # the address in another window
    browser.wait("document.getElementById('example')?.textContent === arguments[0]", name)
    assert browser.one(".example-list a[aria-current]").get_attribute("data-id") == name


def test_the_keyboard_alone(browser: Browser, talk: Path) -> None:
    _open(browser, talk)
    browser.press("j")
    browser.wait("document.getElementById('example').textContent === 'dev_1'")
    browser.press("j")
    browser.wait("document.getElementById('example').textContent === 'dev_2'")
    browser.press("k")
    browser.wait("document.getElementById('example').textContent === 'dev_1'")
    assert browser.run("return document.activeElement.id;") == "example"
    browser.click("input[name='q']")
    browser.press("jk")
    browser.wait("/q=jk/.test(location.hash)")
    assert browser.run("return document.activeElement.name;") == "q"  # typing keeps the focus
    browser.press(Keys.BACKSPACE * 2)
    browser.wait("document.querySelectorAll('.example-list a').length === 12")
    browser.run("document.querySelector('.example-list a').focus();")
    browser.press(Keys.TAB)
    browser.press(Keys.ENTER)
    browser.wait("document.getElementById('example')?.textContent === 'dev_1'")


def test_differences_have_words_beside_their_colour(browser: Browser, talk: Path) -> None:
    _open(browser, talk, "runs=exp003&show=worst&marks=edits")
    ins, dels = browser.all(".model .text ins"), browser.all(".model .text del")
    assert ins and dels
    assert {one.get_attribute("data-said") for one in ins} == {"[not in the reference] "}
    assert {one.get_attribute("data-said") for one in dels} == {"[only in the reference] "}
    assert "underline" in browser.run("return getComputedStyle(arguments[0]).textDecorationLine;", ins[0])
    assert "line-through" in browser.run("return getComputedStyle(arguments[0]).textDecorationLine;", dels[0])
    _open(browser, talk, "runs=exp001,exp003&against=exp001&id=dev_2")
    assert not browser.all(".model[data-run='exp001'] ins")
    assert {one.get_attribute("data-said") for one in browser.all(".model .text ins")} == {"[not in exp001] "}


def test_candidates_are_folded_and_have_their_scores(browser: Browser, talk: Path) -> None:
    _open(browser, talk, "runs=exp002&id=dev_1")
    folded = browser.one(".model .candidates")
    assert not browser.all(".candidates li")
    folded.click()
    browser.wait("document.querySelectorAll('.candidates li').length")
    block = browser.run(
        "return page.examples.run('dev', 'exp002').then((run) => run.candidates(1).map((one) => [one.text, one.scores[0]]));"
    )
    assert len(browser.all(".candidates li")) == len(block)
    assert f"leaderboard {block[0][1] / 100:.2f}" in browser.one(".candidates li").text
    assert f"the best scores {max(score for _, score in block) / 100:.2f}" in folded.text


def test_every_metric_of_every_shown_run(browser: Browser, talk: Path) -> None:
    _open(browser, talk, "runs=exp001,exp002,exp003&id=dev_5")
    table = browser.one(".all-scores table")
    assert [row.text.split()[0] for row in table.find_elements("css selector", "tbody tr")] == [
        "exp001",
        "exp002",
        "exp003",
    ]
    assert len(table.find_elements("css selector", "tbody tr:first-child td")) == 12


def test_on_a_phone_there_is_a_list_and_then_one_example(browser: Browser, talk: Path) -> None:
    browser.resize(PHONE)
    _open(browser, talk)
    assert not browser.all("#example")
    assert browser.overflow() == 0
    browser.click(".example-list a[data-id='dev_4']")
    browser.wait("document.getElementById('example')?.textContent === 'dev_4'")
    assert not browser.one(".example-list").is_displayed()
    assert browser.overflow() == 0
    browser.click("#next")
    browser.wait("document.getElementById('example').textContent === 'dev_5'")
    browser.click(".back")
    browser.wait("document.querySelector('.example-list')?.offsetParent")
    browser.resize(DESKTOP)


def test_a_phone_lists_a_few_dialogues_and_the_others_when_asked(browser: Browser, whole: Path) -> None:
    browser.resize(PHONE)
    browser.open(whole, "#/examples")
    browser.wait("document.querySelector('.example')")
    assert "200 of 200" in browser.one(".count").text
    assert len(browser.all(".example")) == 20
    browser.click(".more button")
    browser.wait("document.querySelectorAll('.example').length === 40")


def test_an_address_that_names_what_is_not_there(browser: Browser, talk: Path) -> None:
    _open(
        browser,
        talk,
        "runs=exp099&id=dev_999&metric=nonsense&show=best&sort=%00&from=x&split=train&by=none&against=no",
    )
    assert "This page has no predictions of exp099." in browser.text()
    assert "There is no dialogue dev_999 here." in browser.text()
    assert len(_listed(browser)) == 12


def test_without_predictions_it_says_so(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    page_texts.build(tmp_path, 0)
    browser.open(write_page(load_competition("talk")).path, "#/examples")
    assert "No run has predictions for dialogues with references yet." in browser.text()
    assert browser.violations() == []


def test_one_run_has_nothing_to_be_compared_with(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    page_texts.build(tmp_path, 1)
    _open(browser, write_page(load_competition("talk")).path, "show=improved")
    offered = {one.get_attribute("value"): one.is_enabled() for one in browser.all(".segments input")}
    assert offered == {"all": True, "worst": True, "disagreed": False, "improved": False, "worsened": False}
    assert len(_listed(browser)) == 12
    assert len(browser.all(".model")) == 1
    browser.click(".models summary")
    assert not browser.one(".models input").is_enabled()  # one run is always shown
    assert browser.violations() == []


def test_a_report_shows_its_run_alone(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    page_texts.build(tmp_path, 2)
    _open(browser, write_report(load_competition("talk"), "exp002").path)
    assert [one.text for one in browser.all(".models summary .tag")] == ["exp002"]


def test_texts_that_cannot_be_read_are_a_message(browser: Browser, talk: Path, tmp_path: Path) -> None:
    broken = tmp_path / "page.html"
    broken.write_text(talk.read_text(encoding="utf-8").replace(">H4sI", ">H4sX"), encoding="utf-8")
    browser.open(broken, "#/examples")
    browser.wait("document.querySelector('.list .notice')")
    assert "cannot be read here" in browser.text()
    browser.go("#/runs")
    browser.wait("document.querySelector('#runs-table')")


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("marks", ["", "edits"])
def test_everything_opened_can_be_read_by_everybody(
    browser: Browser,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    theme: Literal["light", "dark"],
    marks: str,
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    everybody = [f"#Person{number}#" for number in range(1, 8)]
    talk = Talk(
        "dev_0",
        "\n".join(f"{person}: 저는 {person}입니다. #SSN# 번호도 있어요." for person in everybody),
        " ".join(f"{person}이 인사한다." for person in everybody),
        "인사",
    )
    written = " ".join(f"{person}과 #Person9#가 떠난다." for person in reversed(everybody))
    page_texts.build(tmp_path, 3, [talk], texts={("exp002", "dev_0"): written})
    path = write_page(load_competition("talk")).path
    browser.open(
        path, f"#/examples?runs=exp001,exp002,exp003&id=dev_0&marks={marks}&speakers=7&tags=any", theme=theme
    )
    browser.wait("document.querySelectorAll('.model').length === 3")
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true;")
    browser.wait("document.querySelectorAll('.candidates li').length > 10")
    assert browser.violations() == []
    browser.resize(PHONE)
    assert browser.violations() == []
    assert browser.overflow() == 0


def test_a_browser_without_its_own_base64(browser: Browser, talk: Path) -> None:
    script = browser.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": "delete Uint8Array.fromBase64;"}
    )
    _open(browser, talk)
    assert browser.run("return Uint8Array.fromBase64 === undefined;")
    assert len(_listed(browser)) == 12
    browser.emulate("Page.removeScriptToEvaluateOnNewDocument", **script)
