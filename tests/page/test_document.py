"""The file itself: nothing but our scripts can run in it, whatever its data contains, and nothing is loaded from elsewhere."""

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from common.core.translation import read_catalogue
from common.data.competition_file import load_competition
from common.page.build import write_page
from common.page.content import Content
from common.page.document import HERE, LIBRARIES, SCRIPTS, STYLES, as_json, document
from common.page.gather import gather
from common.page.sentences import PAGE_CATALOGUE
from tests.support import REPOSITORY, page_world

HOSTILE = (
    "</script><script>alert(1)</script>", "<!--<script>", "{{ 7 * 7 }}{% raw %}", "<img src=x onerror=alert(1)>",
    "=HYPERLINK(\"https://example.invalid\")", "\u202egnp.exe", "\u2028\u2029", "\ud800", "&lt;b&gt;", "'\"`\\", "가" * 100_000,
)  # fmt: skip


class Parts(HTMLParser):
    """The scripts, styles, elements and the policy of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inside = ""
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.data: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""
        self.inside = tag if tag in ("script", "style") else ""
        if tag == "script" and "type" in given:
            self.inside = f"data {given['id']}"

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts.append(data)
        elif self.inside == "style":
            self.styles.append(data)
        elif self.inside.startswith("data "):
            self.data[self.inside[5:]] = data

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""


@pytest.fixture
def content(workspace: Path) -> Content:
    page_world.write(workspace, 3, 2)
    return gather(load_competition(page_world.COMPETITION))


def hashed(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode() + "'"


def test_the_policy_allows_what_is_in_the_file_and_nothing_else(content: Content) -> None:
    parts = Parts(document(content))
    rules = dict(rule.split(" ", 1) for rule in parts.policy.split("; "))
    assert rules == {
        "default-src": "'none'",
        "script-src": " ".join(map(hashed, parts.scripts)),
        "style-src": " ".join(map(hashed, parts.styles)),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
    }
    assert len(parts.scripts) == len(LIBRARIES) + 1
    for tag, attributes in parts.tags:
        assert not {"src", "style"} & attributes.keys(), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert attributes.get("href", "#").startswith("#")
    assert not [tag for tag, _ in parts.tags if tag in ("link", "iframe", "object", "embed", "base", "form")]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(content: Content, text: str) -> None:
    row, made = content.runs[0], content.submissions[0]
    hostile = replace(
        content,
        title=text,
        runs=[replace(row, note=text, hardware=text, settings={text: text})],
        submissions=[replace(made, id=text, recipe=text, note=text, members=[text])],
        gaps=[{"en": text, "ko": text}],
    )
    parts = Parts(document(hostile).encode("utf-8", "replace").decode("utf-8"))
    assert len(parts.scripts) == len(LIBRARIES) + 1
    assert [tag for tag, _ in parts.tags] == [tag for tag, _ in Parts(document(content)).tags]
    data = json.loads(parts.data["data"])
    assert data["submissions"][0]["recipe"] == text
    assert data["runs"][0]["settings"] == {text: text}
    assert data["gaps"][0]["ko"] == text


def test_no_byte_of_json_can_end_a_script() -> None:
    found = as_json({"a": list(HOSTILE), "number": float("nan"), "large": float("inf"), "third": 1 / 3})
    assert not re.search("[<>&\u2028\u2029\ud800-\udfff]", found)
    value = json.loads(found)
    assert value["a"] == list(HOSTILE)
    assert (value["number"], value["large"]) == (None, None)
    assert value["third"] == pytest.approx(1 / 3, rel=1e-7)


def test_a_title_with_markup_is_escaped(content: Content) -> None:
    text = document(replace(content, title="<b>&</b>"))
    assert f"<title>{html.escape('<b>&</b>')}</title>" in text


def test_blocks_have_their_ids(content: Content) -> None:
    parts = Parts(document(content, {"texts-exp002": "H4sIAAAA"}))
    assert parts.data["texts-exp002"] == "H4sIAAAA"


def test_vendored_libraries_are_the_published_files() -> None:
    noted = json.loads((HERE / "vendor" / "vendor.json").read_text(encoding="utf-8"))
    assert {entry["file"] for entry in noted} == set(LIBRARIES)
    for entry in noted:
        assert hashlib.sha256((HERE / "vendor" / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
        assert (HERE / "vendor" / entry["licence_file"]).read_text(encoding="utf-8").startswith("Copyright")
        assert entry["version"] in entry["source"]


def test_every_script_and_style_is_in_the_page_and_short() -> None:
    scripts = {
        path.relative_to(HERE / "assets" / "js").as_posix() for path in (HERE / "assets" / "js").rglob("*.js")
    }
    assert set(SCRIPTS) == scripts
    assert SCRIPTS[-1] == "start.js"
    assert set(STYLES) == {path.name for path in (HERE / "assets" / "css").iterdir()}
    for name in scripts:
        text = (HERE / "assets" / "js" / name).read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 300, name
        assert '"use strict"' in text, name
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
        ), name


def test_every_text_has_its_korean_with_the_same_values() -> None:
    done = read_catalogue(PAGE_CATALOGUE)
    for english, korean in done.items():
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", korean)), english
        assert re.search("[가-힣]", korean) or english in ("dev", "test"), english
    missing = [text for text in texts() if text not in done]
    assert missing == [], "run: make messages, and fill in the Korean"


def texts() -> list[str]:
    """Every text of the page's scripts, found without Babel: page.text("…" with the text on the same line."""
    found = []
    for path in sorted((HERE / "assets" / "js").rglob("*.js")):
        source = path.read_text(encoding="utf-8")
        calls = re.findall(r'page\.text\(\s*("(?:[^"\\]|\\.)*")', source)
        assert len(calls) == len(
            re.findall(r"page\.text\((?!english)", source.replace("page.text is", ""))
        ), path
        found += [json.loads(call) for call in calls]
    return found


def test_the_collected_texts_are_those_of_the_scripts() -> None:
    from common.cli.messages import page_sources

    assert set(page_sources(REPOSITORY)) == set(texts())


@pytest.mark.parametrize("runs", [0, 1, 50])
def test_a_page_of_any_number_of_runs_is_small(workspace: Path, runs: int) -> None:
    page_world.write(workspace, runs, runs // 4)
    written = write_page(load_competition(page_world.COMPETITION))
    assert written.path == workspace / "outputs" / page_world.COMPETITION / "page.html"
    assert len(written.content.runs) == runs
    assert written.size == written.path.stat().st_size < 1_200_000
