"""Measure the HTML page with many runs: how large it is, how long it takes to write, and how soon it can be used.

    python benchmarks/page.py

It needs Chromium and chromedriver. Dialogues are those of daily_talk; summaries are changed by chance, which compresses
worse than what models write. Times in the browser count from the start of loading.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from shared import ROOT, table

sys.path.insert(0, str(ROOT))

from tests.support import page_texts, page_world
from tests.support.browser import Browser, started

READY = """
const done = arguments[arguments.length - 1];
const look = () => {
  const mark = performance.getEntriesByName("examples shown")[0], loaded = performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd;
  const time = location.hash.startsWith("#/examples") ? mark?.startTime : loaded;
  time ? done(time) : requestAnimationFrame(look);
};
look();
"""
"""Tables are drawn while the page loads; examples are read from their blocks afterwards, and the page marks when."""
SELECT = """
const [name, value] = arguments, done = arguments[arguments.length - 1];
const control = document.querySelector(`input[name="${name}"][value="${value}"]`);
const list = document.querySelector(".example-list").firstChild, before = performance.now();
const look = () => document.querySelector(".example-list")?.firstChild === list ? requestAnimationFrame(look) : done(performance.now() - before);
control.click();
look();
"""
SORT = """
const done = arguments[arguments.length - 1], times = [], before = performance.now();
document.querySelector(`#runs-table th[data-column="${arguments[0]}"] button`).click();
requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - before)));
"""
SCROLL = """
const done = arguments[arguments.length - 1], box = document.querySelector("#runs-table .scroll"), times = [];
let last = performance.now();
const step = () => {
  const now = performance.now();
  times.push(now - last);
  last = now;
  box.scrollTop += 60;
  times.length < 120 ? requestAnimationFrame(step) : done(times.sort((a, b) => a - b));
};
requestAnimationFrame(step);
"""


def main() -> None:
    """Print the measurements as a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20, help="runs with texts; default: %(default)s")
    parser.add_argument("--dialogues", type=int, default=499, help="default: %(default)s")
    parser.add_argument(
        "--candidates", type=int, default=8, help="candidates of a dialogue; default: %(default)s"
    )
    parser.add_argument("--rows", type=int, default=200, help="runs of the second page; default: %(default)s")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, started() as browser:
        found = [
            *_examples(Path(folder) / "a", browser, chosen),
            *_table(Path(folder) / "b", browser, chosen.rows),
        ]
    print(table(["what", "measured"], found))


def _page(root: Path, competition: str) -> tuple[Path, float]:
    """Write the page of a repository; return its path and the seconds that this took."""
    os.environ["KDS_ROOT"] = str(root)
    os.environ["KDS_CACHE"] = str(root / ".cache")
    from common.data.competition_file import load_competition
    from common.page.build import write_page

    before = time.perf_counter()
    return write_page(load_competition(competition)).path, time.perf_counter() - before


def _ready(browser: Browser) -> float:
    """Return the milliseconds from the start of loading until the view had its content and was painted."""
    return float(browser.driver.execute_async_script(READY))


def _examples(root: Path, browser: Browser, chosen: argparse.Namespace) -> list[list[str]]:
    page_texts.build(root, chosen.runs, page_texts.talks(chosen.dialogues), chosen.candidates - 1)
    path, first = _page(root, page_texts.COMPETITION)
    _, again = _page(root, page_texts.COMPETITION)
    what = f"{chosen.runs} runs × {chosen.dialogues} dialogues × {chosen.candidates} candidates"
    ready = []
    for fragment in ("#/runs", "#/examples"):
        browser.open(path, fragment)
        browser.wait("document.querySelector('main table, .example-list')")
        ready.append(_ready(browser))
    disagreed = browser.driver.execute_async_script(SELECT, "show", "disagreed")
    everything = ",".join(f"exp{number:03}" for number in range(1, chosen.runs + 1))
    browser.open(path, f"#/examples?runs={everything}")
    all_runs = _ready(browser)
    of_all = browser.driver.execute_async_script(SELECT, "show", "disagreed")
    return [
        [f"{what}: size of the page", f"{path.stat().st_size / 1e6:.2f} MB"],
        ["writing it, first time and again", f"{first:.1f} s, {again:.1f} s"],
        ["table of runs drawn", f"{ready[0]:.0f} ms"],
        ["list of examples and the first example drawn", f"{ready[1]:.0f} ms"],
        ["most disagreed 20 of two runs", f"{disagreed:.0f} ms"],
        [f"all {chosen.runs} runs side by side drawn", f"{all_runs:.0f} ms"],
        [f"most disagreed 20 of {chosen.runs} runs", f"{of_all:.0f} ms"],
    ]


def _table(root: Path, browser: Browser, rows: int) -> list[list[str]]:
    (root / "competitions").mkdir(parents=True)
    (root / "competitions" / page_world.COMPETITION).symlink_to(
        ROOT / "competitions" / page_world.COMPETITION
    )
    page_world.write(root, rows, 40)
    path, seconds = _page(root, page_world.COMPETITION)
    browser.open(path, "#/runs")
    browser.wait("document.querySelector('#runs-table tbody tr')")
    drawn = _ready(browser)
    sorting = [browser.driver.execute_async_script(SORT, key) for key in ("name", "score", "over")]
    frames = browser.driver.execute_async_script(SCROLL)
    return [
        [
            f"{rows} runs and 40 submissions: size, writing",
            f"{path.stat().st_size / 1e6:.2f} MB, {seconds:.1f} s",
        ],
        ["table drawn", f"{drawn:.0f} ms"],
        ["sorted by another column, slowest of three", f"{max(sorting):.0f} ms"],
        ["scrolled: median and 95th percentile between frames", f"{frames[60]:.0f} ms, {frames[114]:.0f} ms"],
    ]


if __name__ == "__main__":
    main()
