"""What costs score in predictions is counted, and the rule that repairs it is named."""

import json
import unicodedata
from pathlib import Path

import pytest
from click.testing import CliRunner

from common.cli import commands
from common.data.competition_file import load_competition
from common.data.rows import write_predictions
from common.postprocess.hints import hints
from common.postprocess.rules import pipeline
from common.postprocess.tags import parted_particle, tag_repair

TIDY = "#Person1#은 비가 와서 #Person2#에게 우산을 빌려준다. 비는 3.5시간 온다."


@pytest.mark.parametrize(
    ("text", "parted"),
    [
        ("#Person1# 은 간다.", "#Person1# 은"),
        ("#Person1#과 #Person2# 는 간다.", "#Person2# 는"),
        ("#Person1# 에게서 듣는다.", "#Person1# 에게서"),
        ("#Person1# 이 문제를 안다.", None),
        ("#Person1# 은행에 간다.", None),
        (TIDY, None),
    ],
)
def test_a_parted_particle_is_what_tag_repair_joins(text: str, parted: str | None) -> None:
    assert parted_particle(text) == parted
    assert (tag_repair(text) != text) == (parted is not None)


@pytest.mark.parametrize(
    ("text", "part", "rule"),
    [
        (
            "#Person1# 은 간다.",
            "with a space between a tag and its particle ('#Person1# 은' in 'b')",
            "tag_repair",
        ),
        ("#사람1#은 간다.", "with a tag in another form ('#사람1#' in 'b')", "tag_repair"),
        ("＃Person1＃은 간다.", "with a tag in another form ('＃Person1＃' in 'b')", "tag_repair"),
        (unicodedata.normalize("NFD", "간다."), "not in Unicode NFC (first 'b')", "nfc"),
        ("간\u200b다.", "with invisible characters (first 'b')", "nfc"),
        ("간다.\n온다.", "with several lines (first 'b')", "whitespace"),
        ("간다.\\n온다.", "with escaped characters or HTML ('\\\\n' in 'b')", ""),
        ("간다.<br>온다.", "with escaped characters or HTML ('<br>' in 'b')", ""),
    ],
)
def test_each_kind_is_counted_with_its_rule(text: str, part: str, rule: str) -> None:
    [line] = hints({"a": TIDY, "b": text, "c": text})
    assert line.startswith(f"2 of 3 predictions {part}: ")
    assert f"the rule {rule}" in line if rule else "no rule changes them" in line
    if rule:
        assert hints({"b": pipeline([rule])(text)}) == []


def test_tidy_predictions_need_no_hint() -> None:
    assert hints({"a": TIDY, "b": ""}, {"a": ["비가 온다"]}) == []


def test_references_that_cannot_match_are_counted() -> None:
    [line] = hints({"a": TIDY}, {"a": [TIDY, unicodedata.normalize("NFD", TIDY)]})
    assert line.startswith("1 reference summaries are not in Unicode NFC, so predictions cannot match them")


def test_score_prints_hints_and_gives_them_as_json(repository: Path) -> None:
    talk = load_competition("talk")
    write_predictions(repository / "p.csv", ["dev_0", "dev_2"], ["#Person2# 는 잔다.", "잔다."], talk)
    command = ["score", f"--predictions={repository / 'p.csv'}", "--profile=korouge"]
    text = CliRunner().invoke(commands, command, catch_exceptions=False).output
    wanted = "1 of 2 predictions with a space between a tag and its particle ('#Person2# 는' in 'dev_0'): the rule tag_repair joins them."
    assert text.splitlines()[-2:] == [f"hint: {wanted}", "Next: make compare a=RUN b=RUN"]
    report = json.loads(CliRunner().invoke(commands, [*command, "--json"], catch_exceptions=False).output)
    assert report["hints"] == [wanted]


def test_the_stemmer_needs_english(repository: Path) -> None:
    result = CliRunner().invoke(commands, ["score", "--predictions=p.csv", "--stemmer"])
    assert "the stemmer belongs to the profile google" in str(result.exception)
