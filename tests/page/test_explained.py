"""The views say what their numbers are: of which metric, scale and dialogues, and what a missing value means."""

import itertools
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from common.ensemble.recipe import BLEND_METHODS
from common.page.curves import curve_of
from tests.page.test_views import cells, made
from tests.support import page_world
from tests.support.browser import DESKTOP, PHONE, Browser


@pytest.fixture
def world(workspace: Path) -> Path:
    """A repository with four invented runs of four experiments."""
    page_world.write(workspace, 4)
    return workspace


def folder(root: Path, run: str) -> Path:
    return root / "outputs" / page_world.COMPETITION / run


def change(root: Path, run: str, **changes: Any) -> None:
    """Change what the training stage of a run has recorded."""
    path = folder(root, run) / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["train"] |= changes
    record["infer"] |= {"config": changes["config"]} if "config" in changes else {}
    path.write_text(json.dumps(record), encoding="utf-8")


def test_a_comparison_begins_with_model_and_experiment(
    browser: Browser, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"seed": 1, "decoding.beams": 4, "training.epochs": 5.0}
    change(world, "exp002", config={**settings, "topic": False})
    change(world, "exp003", config={**settings, "seed": 2})
    browser.open(made(world, monkeypatch), "#/compare?a=exp002&b=exp003")
    tables = browser.all("main > .scroll")
    assert "BART architecture" in tables[0].text
    assert "KoBART" in tables[0].text
    assert "two experiments" in browser.one("main > .notice").text
    assert tables[1].text.startswith("Settings: 4. With two values: 1. In only one of the two runs: 1.")
    lines = [row.text.split() for row in tables[1].find_elements("css selector", "tbody tr")]
    assert lines == [["seed", "1", "2"], ["topic", "false", "no", "such", "setting"]]
    # The table of runs names the models of selected runs, too; of runs with the same model it does not.
    browser.go("#/runs?runs=exp002,exp003")
    browser.wait("document.querySelector('th[data-column=model]')")
    assert "KoBART" in browser.one("tr[data-row=exp003]").text
    browser.go("#/runs?runs=exp010,exp012")
    browser.wait("!document.querySelector('th[data-column=model]')")


def test_a_setting_of_a_run_without_folder_is_not_said_to_be_absent(
    browser: Browser, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(folder(world, "exp003"))
    browser.open(made(world, monkeypatch), "#/compare?a=exp002&b=exp003")
    text = browser.one("main").text
    assert "as in its experiment" in text
    assert "no such setting" not in text


@pytest.mark.parametrize(
    ("train", "rows"),
    [
        ({"notes": {"dev_rows": {"seed": 1, "of": 200, "ids": ["a", "b", "c"]}}}, 3),
        ({"notes": {}, "config": {"dev_rows": 499}}, 499),
        ({"notes": {}, "config": {}}, None),
        ({"notes": {"dev_rows": 5}, "config": {}}, None),
    ],
)
def test_the_rows_of_an_evaluation(world: Path, train: dict[str, Any], rows: int | None) -> None:
    change(world, "exp002", **train)
    assert curve_of("exp002", folder(world, "exp002"), pytest.fail).rows == rows


def write_scores(root: Path, run: str, scores: list[float]) -> None:
    lines = [{"step": 10 * place, "score": score, "train_loss": 2.0} for place, score in enumerate(scores, 1)]
    path = folder(root, run) / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_curves_name_metric_dialogues_and_final_scores(
    browser: Browser, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = {"dev_rows": {"seed": 1, "of": 200, "ids": [str(number) for number in range(50)]}}
    change(world, "exp002", notes=sample)
    change(world, "exp003", config={"seed": 1, "dev_rows": 499}, notes={})
    write_scores(world, "exp002", [10, 40, 39])
    write_scores(world, "exp003", [10, 40, 39, 39.5, 38])
    write_scores(world, "exp010", [10, 20, 30])
    page = made(world, monkeypatch)
    browser.open(page, "#/curves?runs=exp002,exp003,exp010")
    assert browser.one("figure h3").text == "dev leaderboard (0–100) during the training"
    rows = {row[0]: row for row in cells(browser, "main > .scroll")}
    assert rows["exp002"][1] == "not clear: too few evaluations after the best (1), the last −1.00"
    assert rows["exp003"][1] == "no gain in the last 60 % of the training (evaluations: 3)"
    assert rows["exp010"][1] == "best at the end: longer training may help"
    assert rows["exp002"][5].split("\n") == ["3", "on 50 of 200 dialogues"]
    assert rows["exp003"][5].split("\n") == ["5", "on 200 dialogues"]  # dev has no more
    final = browser.run("return page.runNamed('exp002').dev.leaderboard.score;")
    assert rows["exp002"][6].split("\n") == [f"{final:.2f}", "on 200 dialogues"]
    assert "large points" in browser.one("main > .scroll caption").text
    large = "return [...document.querySelectorAll('figure [data-mark=dot]')].filter(one => one.querySelector('circle[r=\"5\"]')).length;"
    assert browser.run(large) == 1
    browser.go("#/curves?measure=train_loss")
    browser.wait("document.querySelector('#measure').value === 'train_loss'")
    assert browser.run(large) == 0
    caption = browser.one("main > .scroll caption").text
    assert "large points" not in caption
    assert "leaderboard" in caption


def test_a_run_has_one_colour_on_the_whole_page(browser: Browser, whole: Path) -> None:
    browser.open(whole, "#/curves")
    names = browser.run("return page.data.runs.map(run => run.name);")
    ranked = browser.run("return page.ranked(page.rows().filter(row => row.run), 'leaderboard').map(row => row.id);")  # fmt: skip
    colours = dict(browser.run("return [...page.runColours(arguments[0])];", ranked[:8]))
    assert len(set(colours.values())) == 8
    for pair in itertools.permutations(ranked[:4], 2):
        browser.go(f"#/curves?runs={','.join(pair)}")
        browser.wait("document.querySelectorAll('.legend li').length === 2")
        shown = browser.run(
            "return [...document.querySelectorAll('.legend li')].map(one => [one.textContent, one.querySelector('[class]').getAttribute('class')]);"
        )
        assert shown == [[run, f"fill-{colours[run] + 1}"] for run in pair]
    # Eight of twelve runs never share one.
    chosen = names[:4] + names[-4:]
    found = dict(browser.run("return [...page.runColours(arguments[0])];", chosen))
    assert len(set(found.values())) == 8


TIMES = "return arguments[0].map(([from, to, count]) => {const axis = page.timeAxis([new Date(from), new Date(to)], count); return axis.ticks.map(axis.tickFormat);});"


def test_no_two_ticks_of_a_time_axis_are_alike(browser: Browser, whole: Path) -> None:
    browser.open(whole, "#/progress")
    start = 1_790_000_000_000
    spans = [0.5, 2, 30, 150, 3600, 86_400, 2.5 * 86_400, 30 * 86_400, 400 * 86_400, 3000 * 86_400]
    found = browser.run(TIMES, [[start, start + 1000 * span, count] for span in spans for count in (3, 4, 8)])
    for labels in found:
        assert len(labels) > 1
        assert len(set(labels)) == len(labels), labels


NAMES = """
  const box = one => { const r = one.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom, one.textContent]; };
  const figure = document.querySelector('figure');
  return {names: [...figure.querySelectorAll('.point-name')].map(box),
    others: [...figure.querySelectorAll('svg:not(.legend svg) text:not(.point-name), [data-mark=dot] path, [data-mark=dot] circle')].map(box)};
"""


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_names_of_points_cover_nothing(
    browser: Browser, world: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    # Two runs with nearly the same cost and score, and one at the lower left corner, on the axis.
    for run, (minutes, score) in {"exp002": (0.1, 27.4), "exp003": (3.9, 42.4), "exp010": (4, 42.8)}.items():
        for stage in ("train", "infer"):
            path = folder(world, run) / "run.json"
            record = json.loads(path.read_text(encoding="utf-8"))
            record[stage]["minutes"] = minutes
            path.write_text(json.dumps(record), encoding="utf-8")
        result = world / "results" / page_world.COMPETITION / f"{run}.json"
        content = json.loads(result.read_text(encoding="utf-8"))
        content["dev"]["leaderboard"]["score"] = score
        result.write_text(json.dumps(content), encoding="utf-8")
    shutil.rmtree(folder(world, "exp012"))
    (world / "results" / page_world.COMPETITION / "exp012.json").unlink()
    browser.resize(size)
    browser.open(made(world, monkeypatch), "#/cost")
    found = browser.run(NAMES)
    assert sorted(name[4] for name in found["names"]) == ["exp002", "exp003", "exp010"]
    for name in found["names"]:
        for other in [*found["others"], *(one for one in found["names"] if one != name)]:
            apart = (
                name[2] <= other[0]
                or name[0] >= other[2]
                or name[3] <= other[1] + 1
                or name[1] >= other[3] - 1
            )
            assert apart, (name, other)  # fmt: skip
    assert [option.text for option in browser.all("#by option")] == ["duration", "money"]


def test_scales_and_units_are_stated(browser: Browser, whole: Path) -> None:
    browser.open(whole, "#/runs")
    wanted = ["leaderboard (0–100)", "rouge_sum (0–300)", "korouge (0–1)"]
    assert f"scales: {', '.join(wanted)}" in browser.one("#runs-table caption").text
    assert "Differences are computed before rounding" in browser.one("footer").text
    for view in ("runs", "progress", "cost"):
        browser.go(f"#/{view}")
        browser.wait("document.querySelector('#views [aria-current]').dataset.view === arguments[0]", view)
        assert [option.text for option in browser.all("#profile option")] == wanted
    browser.go("#/compare")
    browser.wait("document.querySelector('#swap')")
    assert [row[0] for row in cells(browser, "main .scroll:first-of-type")][:3] == wanted
    browser.go("#/shares")
    browser.wait("document.querySelector('th[data-column=characters]')")
    assert "characters" in browser.one("th[data-column=characters]").text


def test_a_method_of_blending_is_explained(browser: Browser, whole: Path) -> None:
    browser.open(whole, "#/runs?kind=submission")
    for id_, method in browser.run("return page.data.submissions.map(one => [one.id, one.method]);"):
        titles = [one.get_attribute("title") for one in browser.all(f"tr[data-row='{id_}'] .under")]
        assert any((title or "").startswith(f"{method}: ") for title in titles)
    known = browser.run("return arguments[0].map(name => page.methodText(name));", list(BLEND_METHODS))
    assert [(text or "").split(":")[0] for text in known] == list(BLEND_METHODS)


def test_hardware_is_told_in_the_language_of_the_page(browser: Browser, whole: Path) -> None:
    browser.open(whole)
    browser.run(
        "Object.assign(page.korean, {'{count} cores': '코어 {count}개', '{count} threads': '스레드 {count}개', '1 thread': '스레드 1개'}); page.setLanguage('ko');"
    )
    recorded = ["x86_64, 2 cores, 1 thread", "arm64, 12 cores, 4 threads", "2 × NVIDIA A100", ""]
    assert browser.run("return arguments[0].map(page.hardware);", recorded) == [
        "x86_64, 코어 2개, 스레드 1개", "arm64, 코어 12개, 스레드 4개", "2 × NVIDIA A100", ""
    ]  # fmt: skip
    browser.go("#/cost")
    browser.wait("document.querySelector('.legend li')")
    legend = browser.one("figure .legend").text
    assert "코어" in legend
    assert not re.search("core|thread", legend)
