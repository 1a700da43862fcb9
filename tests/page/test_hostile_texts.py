"""Texts that try to be something else: each is shown as what it is, and nothing of it runs, loads or breaks the page."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from common.data.competition_file import load_competition
from common.page.build import write_page
from tests.support import page_texts
from tests.support.browser import DESKTOP, PHONE, Browser
from tests.support.page_texts import talks

LONG = "가나다라 마바사 " * 11_112  # 100,008 characters
WORD = "무" * 3000  # has no place for a line break
HOSTILE = {
    "script": "</script><script>window.hacked = 1</script>",
    "image": '<img src="https://example.invalid/x.png" onerror="window.hacked = 1">',
    "comment": "<!--<script>-->",
    "template": "{{ 7 * 7 }}{% for x in y %}${window.hacked = 1}",
    "reversed": "\u202egnp.exe 파일",
    "arabic": "\u0627\u0644\u0639 #Person1# \u0631\u0628\u064a\u0629",
    "formula": '=HYPERLINK("https://example.invalid","여기")',
    "minus": "-2+3+cmd|' /C calc'!A0",
    "separators": "a\u2028b\u2029c",
    "entities": "&lt;b&gt; &amp; \"'`\\",
    "long": LONG,
    "word": WORD,
    "mark": "a|b\ue000c",
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page on which every text of others is hostile: ids, dialogues, topics, references, predictions, notes, the ledger."""
    root = tmp_path_factory.mktemp("hostile")
    plain = talks(len(HOSTILE))
    rows = [
        replace(
            talk,
            id=f"{text[:60].strip()} {name}".replace("\u2028", " ").replace("\u2029", " "),
            dialogue=f"#Person1#: {text}\n#Person2#: {text[:2500]} 네.",
            summary=f"#Person1#은 {text[:2500]} 말한다.",
            topic=text,
        )
        for talk, (name, text) in zip(plain, HOSTILE.items(), strict=True)
    ]
    texts = {
        ("exp002", row.id): f"{text} #Person2# {text[:2500]}"
        for row, text in zip(rows, HOSTILE.values(), strict=True)
    }
    folders = page_texts.build(root, 2, rows, others=2, texts=texts)
    (folders[0] / "note.txt").write_text(HOSTILE["script"] + HOSTILE["reversed"], encoding="utf-8")
    (folders[1] / "note.txt").write_text(HOSTILE["image"] + LONG[:60_000], encoding="utf-8")
    score = {"leaderboard": 40.0}
    entry = {
        "id": HOSTILE["image"], "time": "2026-11-01T00:00:00+00:00", "recipe": HOSTILE["script"], "competition": "talk",
        "method": HOSTILE["template"], "csv_sha256": "0" * 64, "members": [{"run": HOSTILE["image"]}], "stale": {},
        "git": {"commit": HOSTILE["image"], "dirty": False}, "data": {}, "dev": {"blend": score, "floor": score},
        "note": HOSTILE["formula"],
    }  # fmt: skip
    (root / "submissions").mkdir()
    (root / "submissions" / "ledger.jsonl").write_text(json.dumps(entry) + "\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDS_ROOT", str(root))
        return write_page(load_competition("talk")).path


def _nothing_happened(browser: Browser) -> None:
    assert browser.run("return window.hacked;") is None
    assert (
        browser.run(
            "return document.querySelectorAll('main img, main script, main iframe, main style').length;"
        )
        == 0
    )
    assert browser.errors() == []
    assert browser.requests() == []


def _open(browser: Browser, page: Path, query: str) -> None:
    browser.open(page, f"#/examples?{query}")
    browser.wait("document.querySelector('.example-list')")


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in ("long", "word")])
def test_a_hostile_text_is_shown_as_it_is(browser: Browser, page: Path, name: str) -> None:
    place, text = list(HOSTILE).index(name), HOSTILE[name]
    _open(browser, page, "runs=exp002&marks=none")
    browser.click(f".example-list li:nth-child({place + 1}) a")
    browser.wait(
        "document.querySelector('.example-list [aria-current]') === document.querySelectorAll('.example-list a')[arguments[0]]",
        place,
    )
    written = browser.run("return document.querySelector('.model .summary').textContent;")
    assert written == f"{text} #Person2# {text[:2500]}"
    assert f"{text} 말한다." in browser.run(
        "return document.querySelector('.references .summary').textContent;"
    )
    assert browser.one(".example-list [aria-current]").get_attribute("data-id").endswith(name)
    heading = browser.run("return document.getElementById('example').textContent;")
    said = " ".join(
        browser.run("return [...document.querySelectorAll('.said')].map((one) => one.textContent);")
    )
    shown = text.replace("\u202e", "").replace("\u2028", "\n").replace("\u2029", "\n")  # as models read it
    assert all(part in said for part in shown.split("\n"))
    # The address that the page made leads to the same example.
    address = browser.driver.current_url
    browser.driver.get("about:blank")
    browser.driver.get(address)
    browser.wait("document.getElementById('example')?.textContent === arguments[0]", heading)
    _nothing_happened(browser)


@pytest.mark.slow
@pytest.mark.parametrize("marks", ["", "edits"])
def test_marks_of_hostile_texts(browser: Browser, page: Path, marks: str) -> None:
    for number in range(len(HOSTILE)):
        _open(browser, page, f"runs=exp001,exp002&marks={marks}")
        browser.click(f".example-list li:nth-child({number + 1}) a")
        browser.wait("document.querySelectorAll('.model').length === 2")
    _nothing_happened(browser)


def test_a_cell_of_100_000_characters_is_folded(browser: Browser, page: Path) -> None:
    place = list(HOSTILE).index("long")
    _open(browser, page, "runs=exp002")
    browser.click(f".example-list li:nth-child({place + 1}) a")
    browser.wait("document.querySelectorAll('.said .link').length === 2")
    assert len(browser.one(".said").text) < 3000
    assert len(browser.one(".detail").text) < 15_000
    browser.click(".said .link")
    browser.wait("document.querySelector('.said').textContent.length >= 100000")
    assert browser.overflow() == 0


@pytest.mark.slow
def test_nothing_is_wider_than_a_phone(browser: Browser, page: Path) -> None:
    browser.resize(PHONE)
    for number in range(len(HOSTILE)):
        _open(browser, page, "runs=exp001,exp002&marks=edits")
        assert browser.overflow() == 0
        browser.click(f".example-list li:nth-child({number + 1}) a")
        browser.wait("document.getElementById('example')")
        assert browser.overflow() == 0, list(HOSTILE)[number]


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_hostile_names_can_be_read_by_everybody(browser: Browser, page: Path, size: tuple[int, int]) -> None:
    browser.resize(size)
    _open(browser, page, "runs=exp001,exp002")
    assert browser.violations() == []
    browser.click(".example-list li:nth-child(2) a")
    browser.wait("document.getElementById('example')")
    assert browser.violations() == []


def test_every_view_with_hostile_notes_and_a_hostile_ledger(browser: Browser, page: Path) -> None:
    for view in browser_views(browser, page):
        browser.go(f"#/{view}")
        browser.wait("document.querySelector('#views [aria-current]')?.dataset.view === arguments[0]", view)
        browser.wait("document.querySelector('main').innerText.length > 20")
        _nothing_happened(browser)
        assert browser.overflow() == 0, view
    browser.go("#/runs")
    browser.wait("document.querySelector('#runs-table')")
    assert HOSTILE["script"] in browser.run("return document.querySelector('main').textContent;")


def browser_views(browser: Browser, page: Path) -> list[str]:
    browser.open(page)
    found: list[str] = browser.run("return page.offered();")
    return found


def test_filters_take_hostile_words(browser: Browser, page: Path) -> None:
    for name in ("script", "formula", "reversed", "template"):
        _open(browser, page, "runs=exp002")
        browser.run(
            "const q = document.querySelector(\"input[name='q']\"); q.value = arguments[0]; q.dispatchEvent(new Event('input'));",
            HOSTILE[name],
        )
        browser.wait("document.querySelectorAll('.example-list a').length === 1")
    _nothing_happened(browser)
