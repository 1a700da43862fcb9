"""Rows and predictions: read and written as the competition declares, joined by id."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.core.errors import UserError
from common.data.competition import Competition
from common.data.competition_file import load_competition
from common.data.rows import Row, read_predictions, read_references, read_split, sample_ids, write_predictions
from tests.support.competition_files import DEV, SAMPLE, SUMMARY, TALK, change, refusal, snapshot

# Reading


def test_rows_come_as_they_are_in_the_file(tiny: Competition) -> None:
    dev = read_split(tiny, "dev")
    assert [row.id for row in dev.rows] == ["dev_0", "dev_1", "dev_3"]
    assert dev.rows[0].dialogue == TALK.strip('"')
    assert dev.rows[0].summaries == (SUMMARY,)
    assert dev.rows[0].topic == "날씨"
    assert dev.sha256 == hashlib.sha256(DEV.encode()).hexdigest()
    assert dev.warnings == {}
    assert dev.warning_examples == ()


def test_a_byte_order_mark_changes_nothing_but_the_hash(tiny: Competition) -> None:
    plain = read_split(tiny, "dev")
    tiny.path("dev").write_bytes(b"\xef\xbb\xbf" + DEV.encode())
    marked = read_split(tiny, "dev")
    assert marked.rows == plain.rows
    assert marked.sha256 != plain.sha256


def test_windows_line_ends_change_nothing(tiny: Competition) -> None:
    tiny.path("sample").write_bytes(SAMPLE.replace("\n", "\r\n").encode())
    assert sample_ids(tiny) == ["test_0", "test_2", "test_10"]


def test_shuffled_rows_and_columns_are_joined_by_name(tiny: Competition) -> None:
    header, *lines = DEV.replace(TALK, "#Person1#: 안녕.").splitlines()
    moved = [",".join([line.split(",")[k] for k in (3, 0, 2, 1)]) for line in (header, *reversed(lines))]
    tiny.path("dev").write_text("\n".join(moved), encoding="utf-8")
    assert {row.id: row.summaries for row in read_split(tiny, "dev").rows} == {
        "dev_3": (SUMMARY,), "dev_1": (SUMMARY,), "dev_0": (SUMMARY,),
    }  # fmt: skip


@pytest.mark.parametrize("word", ["NA", "None", "null", "nan", "N/A", "1", "true"])
def test_words_that_look_like_nothing_stay_text(tiny: Competition, word: str) -> None:
    change(tiny, "dev", SUMMARY, word)
    assert read_split(tiny, "dev").rows[0].summaries == (word,)


def test_test_rows_never_carry_answers(workspace: Path) -> None:
    path = workspace / "competitions/dialogsum_en/competition.toml"
    path.write_text(path.read_text().replace("rows = 500", "rows = 1").replace("last = 499", "last = 0"))
    english = load_competition("dialogsum_en")
    cells = {"fname": "test_0", "dialogue": "#Person1#: Hello there."}
    cells |= {f"{key}{n}": f"{key} {n}" for key in ("summary", "topic") for n in (1, 2, 3)}
    english.path("test").parent.mkdir()
    english.path("test").write_text(json.dumps(cells) + "\n")
    assert read_split(english, "test").rows == (Row("test_0", cells["dialogue"], (), ""),)
    assert read_references(english, "test") == {"test_0": ("summary 1", "summary 2", "summary 3")}
    assert sample_ids(english) == ["test_0"]


def test_references_are_by_id(tiny: Competition) -> None:
    assert read_references(tiny, "test") == {
        "test_0": ("오", "육"),
        "test_2": ("삼", "사"),
        "test_10": ("일", "이"),
    }
    assert read_references(tiny, "dev")["dev_3"] == (SUMMARY,)


def test_hidden_answers_are_said_to_be_hidden(workspace: Path) -> None:
    real = load_competition("dialogue_summarization")
    refusal(lambda: read_references(real, "test"), "dialogue_summarization", "hidden", "split=dev")


def test_sample_ids_keep_the_samples_order(tiny: Competition) -> None:
    change(tiny, "sample", "0,test_0,없음\n1,test_2,", "0,test_2,없음\n1,test_0,")
    assert sample_ids(tiny) == ["test_2", "test_0", "test_10"]


# Predictions


def test_a_submission_with_an_index_column_is_read(tiny: Competition, tmp_path: Path) -> None:
    path = tmp_path / "submission.csv"
    path.write_text("\ufeff,fname,summary\n0,test_2,비\n1,test_0,\n", encoding="utf-8")
    assert read_predictions(path, tiny) == {"test_2": "비", "test_0": ""}


@pytest.mark.parametrize(
    "header", [",fname,summary", "Unnamed: 0,fname,summary", "fname,summary", "summary,fname,score"]
)
def test_predictions_are_read_with_or_without_an_index(
    tiny: Competition, tmp_path: Path, header: str
) -> None:
    cells = {"": "0", "Unnamed: 0": "0", "fname": "test_2", "summary": "비", "score": "0.5"}
    path = tmp_path / "submission.csv"
    path.write_text(f"{header}\n{','.join(cells[name] for name in header.split(','))}\n", encoding="utf-8")
    assert read_predictions(path, tiny) == {"test_2": "비"}


def test_other_keys_of_json_predictions_may_have_any_value(tiny: Competition, tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    others = [0.25, None, True, [1, [2]], {"a": {"b": None}}, -7, "text", "\0", "\ud800"]
    lines = [
        json.dumps({"fname": f"test_{n}", "summary": f"요약 {n}", "more": value})
        for n, value in enumerate(others)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert read_predictions(path, tiny) == {f"test_{n}": f"요약 {n}" for n in range(len(others))}
    for bad in ('{"fname": 3, "summary": "a"}', '{"fname": "a", "summary": null}'):
        path.write_text(bad, encoding="utf-8")
        refusal(lambda: read_predictions(path, tiny), "predictions.jsonl:1:", "wanted a string")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("id,summary\na,b\n", (":1:", 'column "fname" is missing', '"id", "summary"', 'wanted "fname"')),
        ('fname,summary\na,"b\nc"\na,d\n', (":4:", 'fname "a"', "duplicate (first on line 2)")),
        ("fname,summary\n,d\n", (":2:", '"fname" is empty')),
        ("fname,summary\na,b,c\n", (":2:", "3 fields")),
        ('fname,summary\na,"b\n', (":2:", "unbalanced quotes")),
        ("", ("is empty",)),
    ],
)
def test_bad_predictions_are_named(
    tiny: Competition, tmp_path: Path, text: str, parts: tuple[str, ...]
) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(text)
    refusal(lambda: read_predictions(path, tiny), str(path), *parts)


def test_absent_predictions(tiny: Competition, tmp_path: Path) -> None:
    refusal(lambda: read_predictions(tmp_path / "none.csv", tiny), "none.csv: not there")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(texts=st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))))
def test_predictions_come_back_as_written(tiny: Competition, tmp_path: Path, texts: list[str]) -> None:
    path = tmp_path / "predictions.csv"
    ids = [f"test_{n}" for n in range(len(texts))]
    write_predictions(path, ids, texts, tiny)
    assert read_predictions(path, tiny) == dict(zip(ids, texts, strict=True))
    assert list(read_predictions(path, tiny)) == ids


def test_predictions_are_quoted_and_named_as_the_competition_does(tiny: Competition, tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.csv", ["test_0"], ['"비", 우산\r'], tiny)
    assert (tmp_path / "p.csv").read_bytes().decode() == '"fname","summary"\n"test_0","""비"", 우산\r"\n'


def test_predictions_that_cannot_be_written_leave_the_old_file(tiny: Competition, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("old")
    refusal(lambda: write_predictions(path, ["a", "a"], ["b", "c"], tiny), "p.csv", '"a"', "twice")
    refusal(lambda: write_predictions(path, ["a"], ["b\0"], tiny), "p.csv", '"a"', "NUL")
    refusal(lambda: write_predictions(path, ["a"], ["\ud800"], tiny), "p.csv", '"a"', "surrogate")
    with pytest.raises(ValueError, match="1 ids and 0 texts"):
        write_predictions(path, ["a"], [], tiny)
    assert snapshot(tmp_path)["p.csv"] == b"old"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_an_id_that_utf8_cannot_hold_is_refused(tmp_path: Path) -> None:
    competition = load_competition("daily_talk")
    with pytest.raises(UserError, match=r'the id or text of "\\ud800" contains a NUL or a lone surrogate'):
        write_predictions(tmp_path / "p.csv", ["\ud800"], ["글"], competition)
    assert not list(tmp_path.iterdir())
