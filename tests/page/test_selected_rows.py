"""What the table of runs does with selected rows: nothing is left out without saying so, and links show what they name."""

import json
import shutil
from pathlib import Path

import pytest

from common.data.competition_file import load_competition
from common.page.build import write_page
from common.runs.record import read_record
from tests.support import REPOSITORY, page_texts, page_world
from tests.support.browser import DESKTOP, PHONE, Browser, Theme

TALK = page_world.COMPETITION
MEMBERS = ("exp002", "exp003")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four runs, three of them with texts, and two submissions of one recipe that bears a run's name, and one of another."""
    made = tmp_path_factory.mktemp("selected")
    shutil.copytree(REPOSITORY / "competitions" / TALK, made / "competitions" / TALK)
    for number, run in enumerate(page_world.write(made, 4, 3)[:3]):
        page_texts.add_texts(made, TALK, run.name, number)
        record = made / "outputs" / TALK / run.name / "run.json"
        content = json.loads(record.read_text(encoding="utf-8"))
        content["infer"]["config"]["postprocess.rules"] = []  # a blend applies the members' rules
        record.write_text(json.dumps(content), encoding="utf-8")
    shutil.rmtree(made / "outputs" / TALK / page_world.name_of(3))
    ledger = made / "submissions" / "ledger.jsonl"
    names = {"blend01": "exp002", "blend02": "exp002"}
    lines = [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if "recipe" in line:
            line["recipe"] = names.get(line["recipe"], line["recipe"])
    ledger.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    members = ", ".join(f'{{ run = "{run}" }}' for run in MEMBERS)
    for name in ("blend00", "exp002"):
        (made / "submissions" / f"{name}.toml").write_text(
            f'competition = "{TALK}"\nmethod = "vote"\nmembers = [{members}]\n', encoding="utf-8"
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDS_ROOT", str(made))
        write_page(load_competition(TALK))
    return made


@pytest.fixture
def page(root: Path) -> Path:
    return root / "outputs" / TALK / "page.html"


def ids(browser: Browser) -> list[str]:
    return [str(row.get_attribute("data-row")) for row in browser.all("#runs-table tbody tr")]


def submissions(browser: Browser, recipe: str) -> list[str]:
    found: list[str] = browser.run(
        "return page.data.submissions.filter((one) => one.recipe === arguments[0]).map((one) => one.id);",
        recipe,
    )
    return found


def ranked(browser: Browser, profile: str = "leaderboard") -> list[str]:
    """Names of the runs, the weakest first."""
    found: list[str] = browser.run(
        "return page.data.runs.filter((run) => run.dev[arguments[0]]).sort((a, b) => a.dev[arguments[0]].score - b.dev[arguments[0]].score).map((run) => run.name);",
        profile,
    )
    return found


def shown_models(browser: Browser) -> list[str]:
    browser.wait("document.querySelector('.models summary .tag')")
    return [one.text for one in browser.all(".models summary .tag")]


def test_examples_of_a_run_and_a_submission(browser: Browser, page: Path) -> None:
    browser.open(page, "#/runs?profile=korouge&runs=exp003,blend00")
    assert browser.one("#curves").is_enabled()
    assert "no training curve of blend00" in browser.one("#why-not").text
    assert "a submission has no settings to compare: blend00" in browser.one("#why-not").text
    assert not browser.one("#compare").is_enabled()
    browser.click("#examples")
    assert set(shown_models(browser)) == {"exp003", "blend00"}
    assert browser.one(".filters summary .tag").text == "korouge"


def test_a_submission_alone_says_what_it_has_not(browser: Browser, page: Path) -> None:
    browser.open(page, "#/runs?runs=blend00")
    assert not browser.one("#curves").is_enabled()
    assert browser.one("#curves").get_attribute("title") == "no training curve of blend00"
    browser.click("#examples")
    assert shown_models(browser) == ["blend00"]


def test_a_submission_that_bears_the_name_of_a_run(browser: Browser, page: Path) -> None:
    browser.open(page)
    first, second = submissions(browser, "exp002")
    browser.open(page, f"#/runs?runs={first},{second},exp002")
    assert ids(browser)
    browser.click("#examples")
    assert sorted(shown_models(browser)) == ["exp002", "exp002 (blend)"]
    browser.open(page, f"#/runs?runs={second}&only=1")
    assert ids(browser) == [second]


def test_a_run_without_texts_is_named(browser: Browser, page: Path) -> None:
    absent = page_world.name_of(3)
    browser.open(page, f"#/runs?runs={absent}")
    assert not browser.one("#examples").is_enabled()
    assert f"no texts of {absent} on this page" in browser.one("#why-not").text
    browser.open(page, f"#/runs?runs={absent},exp003")
    browser.click("#examples")
    assert shown_models(browser) == ["exp003"]
    assert f"This page has no predictions of {absent}." in browser.text()


def test_unavailable_buttons_look_alike_and_say_why(browser: Browser, page: Path) -> None:
    browser.open(page, "#/runs")
    looks = {
        tuple(
            browser.run(
                "const s = getComputedStyle(arguments[0]); return [s.backgroundColor, s.borderTopColor, s.color];",
                browser.one(f"#{button}"),
            )
        )
        for button in ("curves", "examples", "compare")
    }
    assert len(looks) == 1
    assert all(browser.one(f"#{button}").get_attribute("title") for button in ("curves", "examples"))
    assert not browser.all("#why-not")


@pytest.mark.parametrize("turned", [False, True])
def test_a_comparison_starts_from_the_weaker_run(browser: Browser, page: Path, turned: bool) -> None:
    browser.open(page)
    weak, strong = (run for run in ranked(browser) if run in MEMBERS)
    for run in (strong, weak) if turned else (weak, strong):
        browser.click(f"#choose-run-{run}")
    browser.click("#compare")
    browser.wait("document.querySelector('#a')")
    assert [browser.one(f"#{side}").get_attribute("value") for side in "ab"] == [weak, strong]


def test_cards_lead_to_one_row_in_the_chosen_metric(browser: Browser, page: Path) -> None:
    browser.open(page, "#/runs?profile=rouge101")
    links = [str(one.get_attribute("href")) for one in browser.all(".fact a")]
    examples = [link for link in links if "#/examples" in link]
    assert examples
    assert all("metric=rouge101" in link for link in examples)
    rows = [link for link in links if "#/runs" in link]
    assert len(rows) == 2
    names = [one.text for one in browser.all(".fact a.small")]
    for name, link in zip(names, rows, strict=True):
        browser.go(link[link.index("#") :])
        browser.wait("document.querySelectorAll('#runs-table tbody tr').length === 1")
        assert browser.one("#runs-table tbody .name").text == name
        assert browser.one("#filter").get_attribute("value") == ""
        assert browser.one("#profile").get_attribute("value") == "rouge101"


def test_settings_beyond_the_columns_are_counted(browser: Browser, page: Path, root: Path) -> None:
    browser.open(page, "#/runs?runs=exp002,exp003")
    found = {run: read_record(root / "outputs" / TALK / run)["train"]["config"] for run in MEMBERS}
    differing = [name for name in found["exp002"] if found["exp002"][name] != found["exp003"].get(name)]
    columns = len(browser.all("#runs-table th.setting"))
    assert columns == min(4, len(differing))
    assert len(browser.all("#more-settings")) == (len(differing) > 4)
    # More settings than columns, some of which one run lacks: what both have comes first.
    browser.run(
        "const [a, b] = arguments[0].map(page.runNamed); a.settings = {a1: 1, a2: 1, a3: 1, z1: 1, z2: 1}; b.settings = {z1: 2, z2: 2, b1: 1}; page.redraw();",
        list(MEMBERS),
    )
    heads = [head.get_attribute("title") for head in browser.all("#runs-table th.setting")]
    assert heads == ["z1", "z2", "a1", "a2"]
    weak, strong = (run for run in ranked(browser) if run in MEMBERS)
    assert browser.one("#more-settings").text == f"and 2 more settings differ: compare {weak} with {strong}"
    browser.click("#more-settings")
    browser.wait("document.querySelector('#a')")
    assert "Settings: 6. With two values: 2. In only one of the two runs: 4." in browser.text()


def test_names_that_the_page_does_not_have(browser: Browser, page: Path) -> None:
    browser.open(page, "#/runs?runs=exp999,exp003")
    assert "No run or submission of this page has the name exp999." in browser.one(".notice").text
    browser.go("#/compare?a=exp999&b=exp003")
    browser.wait("document.querySelector('#a')")
    assert browser.one("#b").get_attribute("value") == "exp003"
    other = browser.one("#a").get_attribute("value")
    assert other != "exp003"
    assert f"There is no run exp999 here; {other} is shown in its place." in browser.one(".notice").text


def test_one_side_alone_is_compared_with_another_run(browser: Browser, page: Path) -> None:
    browser.open(page)
    best = ranked(browser)[-1]
    browser.go(f"#/compare?a={best}")
    browser.wait("document.querySelector('#a')")
    assert browser.one("#a").get_attribute("value") == best
    assert browser.one("#b").get_attribute("value") != best


def test_a_run_is_not_compared_with_itself(browser: Browser, page: Path) -> None:
    browser.open(page, "#/compare?a=exp002&b=exp002")
    assert "A and B are the same run." in browser.one(".notice").text
    assert "may be chance" not in browser.text()
    assert browser.run("return page.verdict(0, 0);") == "no difference"


def test_what_is_missing_in_the_examples_is_a_list_of_lines(browser: Browser, page: Path) -> None:
    browser.open(page, "#/examples")
    browser.wait("document.querySelector('.gaps')")
    browser.click(".gaps summary")
    texts = browser.run(
        "return [...document.querySelector('.gaps ul').childNodes].map((one) => one.nodeName);"
    )
    assert texts
    assert set(texts) == {"LI"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_selected_rows_can_be_read_by_everybody(browser: Browser, page: Path, theme: Theme) -> None:
    browser.open(page, "#/runs?runs=exp002,exp003", theme=theme)
    assert browser.all("#runs-table th.setting")
    assert browser.violations() == []


@pytest.mark.parametrize(("view", "sort"), [("runs", "-over"), ("runs", "score"), ("shares", "-characters")])
def test_headers_stand_over_their_numbers(browser: Browser, page: Path, view: str, sort: str) -> None:
    browser.open(page, f"#/{view}?sort={sort}&runs=exp002,exp003")
    browser.wait("document.querySelector('main th[aria-sort$=\"scending\"]')")
    ends = browser.run(
        """const end = (element) => {
             const range = document.createRange(), walk = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
             let last = null;
             for (let node = walk.nextNode(); node; node = walk.nextNode())
               if (node.data.trim() && !node.parentElement.closest('.arrow')) last = node;
             range.selectNodeContents(last);
             return range.getBoundingClientRect();
           };
           const row = document.querySelector('main tbody tr'), heads = [...document.querySelectorAll('main thead th')];
           return heads.map((head, place) => [head.className, end(head).right, end(head).left, end(head).bottom,
             row.children[place].textContent.trim() ? end(row.children[place]) : null]);"""
    )
    bottoms = {round(bottom) for _, _, _, bottom, _ in ends}
    assert max(bottoms) - min(bottoms) <= 1
    for kind, right, left, _, cell in ends:
        if cell and "number" in kind:
            assert right == pytest.approx(cell["right"], abs=1)
        elif cell and "setting" in kind:
            assert left == pytest.approx(cell["left"], abs=1)


def test_a_table_wider_than_its_box_shows_that_more_follows(browser: Browser, page: Path) -> None:
    browser.resize(PHONE)
    browser.open(page, "#/runs")
    browser.wait("document.querySelector('#runs-table .scroll').hasAttribute('data-more')")
    mask = "getComputedStyle(document.querySelector('#runs-table .scroll')).maskImage"
    assert "gradient" in browser.run(f"return {mask};")
    browser.run(
        "const box = document.querySelector('#runs-table .scroll'); box.scrollLeft = box.scrollWidth;"
    )
    browser.wait(f"{mask} === 'none'")
    browser.resize(DESKTOP)


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_the_scores_of_two_models_stand_at_one_place(
    browser: Browser, page: Path, size: tuple[int, int]
) -> None:
    browser.resize(size)
    browser.open(page, "#/examples?runs=exp003,exp002%20(blend)&id=dev_1")
    browser.wait("document.querySelectorAll('.model').length === 2")
    places = browser.run(
        "return [...document.querySelectorAll('.model')].map((one) => { const box = one.getBoundingClientRect(), figure = one.querySelector('.figure').getBoundingClientRect();"
        " return [figure.top - box.top, box.right - figure.right]; });"
    )
    assert places[0] == pytest.approx(places[1], abs=1)
    assert browser.overflow() == 0
    browser.resize(DESKTOP)
