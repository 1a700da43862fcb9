"""Rows in and out: each bad file gives one error with file, line, id and what to do; oddities are counted."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import competition as competitions
from common import rows
from common.competition import Competition
from common.errors import UserError
from common.rows import incoming

TOML = """
title = "Tiny"
language = "ko"
licence = "CC0-1.0"
obtain = "make data comp=tiny from=PATH"
[files.train]
path = "data/train.csv"
columns = ["fname", "dialogue", "summary", "topic"]
rows = 4
ids = { prefix = "train_", first = 0, last = 9 }
[files.dev]
path = "data/dev.csv"
columns = ["fname", "dialogue", "summary", "topic"]
rows = 3
exact_rows = true
ids = { prefix = "dev_", first = 0, last = 3, gaps = [2] }
[files.test]
path = "data/test.csv"
columns = ["fname", "dialogue"]
rows = 3
exact_rows = true
[files.sample]
path = "data/sample_submission.csv"
columns = ["", "fname", "summary"]
rows = 3
exact_rows = true
[files.solution]
path = "data/solution.csv"
columns = ["fname", "summary1", "summary2"]
rows = 3
exact_rows = true
[columns]
id = "fname"
dialogue = "dialogue"
summary = "summary"
topic = "topic"
references = ["summary1", "summary2"]
[tags]
speakers = ["#Person1#", "#Person2#"]
masked = ["#PhoneNumber#"]
[submission]
columns = ["", "fname", "summary"]
index = ""
id = "fname"
summary = "summary"
max_characters = 50
[metric]
dev_profile = "leaderboard"
leaderboard_profile = "leaderboard"
leaderboard_references = "mean"
goals_metric = "rouge_sum"
[rules]
text = []
"""
TALK = '"#Person1#: 우산 가져왔어?\n#Person2#: 아니, 깜빡했어."'
SUMMARY = "#Person2#는 우산을 잊었다."
TRAIN = f"fname,dialogue,summary,topic\ntrain_0,{TALK},{SUMMARY},날씨\ntrain_7,{TALK},{SUMMARY},날씨\n"
DEV = f"fname,dialogue,summary,topic\ndev_0,{TALK},{SUMMARY},날씨\ndev_1,{TALK},{SUMMARY},날씨\ndev_3,{TALK},{SUMMARY},날씨\n"
TEST = f"fname,dialogue\ntest_0,{TALK}\ntest_2,{TALK}\ntest_10,{TALK}\n"
SAMPLE = ",fname,summary\n0,test_0,없음\n1,test_2,\n2,test_10,없음\n"
SOLUTION = "fname,summary1,summary2\ntest_10,일,이\ntest_2,삼,사\ntest_0,오,육\n"
GOOD = {"train": TRAIN, "dev": DEV, "test": TEST, "sample_submission": SAMPLE, "solution": SOLUTION}
REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def tiny(workspace: Path) -> Competition:
    """A competition of a few rows, its files in place."""
    folder = workspace / "competitions" / "tiny"
    (folder / "data").mkdir(parents=True)
    (folder / "competition.toml").write_text(TOML, encoding="utf-8")
    fill(folder / "data")
    return competitions.load("tiny")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The organisers' folder: the same files, inside a folder of their own."""
    folder = tmp_path / "download"
    fill(folder / "data")
    return folder


def fill(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in GOOD.items():
        (folder / f"{name}.csv").write_bytes(text.encode("utf-8"))


def change(tiny: Competition, kind: str, old: str, new: str) -> None:
    path = tiny.path(kind)
    text = path.read_bytes().decode("utf-8")
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode("utf-8"))


def refusal(call: Callable[[], object], *parts: str) -> str:
    """The message of the UserError, which holds every part."""
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    for part in parts:
        assert part in message
    return message


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file and folder below, hidden ones too."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


# Reading


def test_rows_come_as_they_are_in_the_file(tiny: Competition) -> None:
    dev = rows.read_split(tiny, "dev")
    assert [row.id for row in dev.rows] == ["dev_0", "dev_1", "dev_3"]
    assert dev.rows[0].dialogue == TALK.strip('"')
    assert dev.rows[0].summaries == (SUMMARY,)
    assert dev.rows[0].topic == "날씨"
    assert dev.sha256 == hashlib.sha256(DEV.encode()).hexdigest()
    assert dev.warnings == {}
    assert dev.warning_examples == ()


def test_a_byte_order_mark_changes_nothing_but_the_hash(tiny: Competition) -> None:
    plain = rows.read_split(tiny, "dev")
    tiny.path("dev").write_bytes(b"\xef\xbb\xbf" + DEV.encode())
    marked = rows.read_split(tiny, "dev")
    assert marked.rows == plain.rows
    assert marked.sha256 != plain.sha256


def test_windows_line_ends_change_nothing(tiny: Competition) -> None:
    tiny.path("sample").write_bytes(SAMPLE.replace("\n", "\r\n").encode())
    assert rows.sample_ids(tiny) == ["test_0", "test_2", "test_10"]


def test_shuffled_rows_and_columns_are_joined_by_name(tiny: Competition) -> None:
    header, *lines = DEV.replace(TALK, "#Person1#: 안녕.").splitlines()
    moved = [",".join([line.split(",")[k] for k in (3, 0, 2, 1)]) for line in (header, *reversed(lines))]
    tiny.path("dev").write_text("\n".join(moved), encoding="utf-8")
    assert {row.id: row.summaries for row in rows.read_split(tiny, "dev").rows} == {
        "dev_3": (SUMMARY,), "dev_1": (SUMMARY,), "dev_0": (SUMMARY,),
    }  # fmt: skip


@pytest.mark.parametrize("word", ["NA", "None", "null", "nan", "N/A", "1", "true"])
def test_words_that_look_like_nothing_stay_text(tiny: Competition, word: str) -> None:
    change(tiny, "dev", SUMMARY, word)
    assert rows.read_split(tiny, "dev").rows[0].summaries == (word,)


def test_test_rows_never_carry_answers(workspace: Path) -> None:
    path = workspace / "competitions/dialogsum_en/competition.toml"
    path.write_text(path.read_text().replace("rows = 500", "rows = 1").replace("last = 499", "last = 0"))
    english = competitions.load("dialogsum_en")
    cells = {"fname": "test_0", "dialogue": "#Person1#: Hello there."}
    cells |= {f"{key}{n}": f"{key} {n}" for key in ("summary", "topic") for n in (1, 2, 3)}
    english.path("test").parent.mkdir()
    english.path("test").write_text(json.dumps(cells) + "\n")
    assert rows.read_split(english, "test").rows == (rows.Row("test_0", cells["dialogue"], (), ""),)
    assert rows.read_references(english, "test") == {"test_0": ("summary 1", "summary 2", "summary 3")}
    assert rows.sample_ids(english) == ["test_0"]


def test_references_are_by_id(tiny: Competition) -> None:
    assert rows.read_references(tiny, "test") == {
        "test_0": ("오", "육"),
        "test_2": ("삼", "사"),
        "test_10": ("일", "이"),
    }
    assert rows.read_references(tiny, "dev")["dev_3"] == (SUMMARY,)


def test_hidden_answers_are_said_to_be_hidden(workspace: Path) -> None:
    real = competitions.load("dialogue_summarization")
    refusal(lambda: rows.read_references(real, "test"), "dialogue_summarization", "hidden", "split=dev")


def test_sample_ids_keep_the_samples_order(tiny: Competition) -> None:
    change(tiny, "sample", "0,test_0,없음\n1,test_2,", "0,test_2,없음\n1,test_0,")
    assert rows.sample_ids(tiny) == ["test_2", "test_0", "test_10"]


# Bad files

AGAIN = "make data comp=tiny from=PATH"
DEV_FILE = "competitions/tiny/data/dev.csv"
# kind, what to replace, by what, what the message must hold
BAD = {
    "missing column": ("dev", ",summary,topic\n", ",summery,topic\n", (f"{DEV_FILE}:1:", '"summary" is missing', '"summery"', AGAIN)),
    "extra column": ("sample", ",fname,summary\n", ",fname,summary,\n", ("sample_submission.csv:1:", "duplicate column")),
    "unwanted column": ("test", TEST, TEST.replace("\n", ",x\n").replace("?,x", "?"), ("test.csv:1:", '"x" is not allowed', AGAIN)),
    "semicolons": ("test", "fname,dialogue", "fname;dialogue", ("test.csv:1:", "separated by semicolons", "commas")),
    "duplicate id": ("dev", "dev_1,", "dev_0,", (f"{DEV_FILE}:4:", 'fname "dev_0"', "duplicate", "line 2", AGAIN)),
    "empty id": ("dev", "dev_1,", ",", (f"{DEV_FILE}:4:", '"fname" is empty', AGAIN)),
    "id in a gap": ("dev", "dev_1,", "dev_2,", (f"{DEV_FILE}:4:", '"dev_2"', "dev_0 to dev_3 without dev_2")),
    "id beyond the range": ("train", "train_7,", "train_10,", ("train.csv:4:", '"train_10"', "train_0 to train_9")),
    "id of another split": ("dev", "dev_1,", "test_1,", (f"{DEV_FILE}:4:", '"test_1"', "dev_0")),
    "id with a space": ("dev", "dev_1,", "dev_1 ,", (f"{DEV_FILE}:4:", '"dev_1 "')),
    "missing row": ("dev", f"dev_1,{TALK},{SUMMARY},날씨\n", "", (DEV_FILE, "2 rows; wanted 3", "missing: dev_1", AGAIN)),
    "only a header": ("train", TRAIN, "fname,dialogue,summary,topic\n", ("train.csv", "no rows")),
    "empty dialogue": ("dev", f"dev_1,{TALK}", "dev_1,", (f"{DEV_FILE}:4:", '"dialogue" is empty', '"dev_1"', "every dev row", AGAIN)),
    "empty summary": ("dev", f"{SUMMARY},날씨\ndev_3", ",날씨\ndev_3", (f"{DEV_FILE}:4:", '"summary" is empty', '"dev_1"')),
    "invisible summary": ("dev", SUMMARY, " \u200b\u3164", (f"{DEV_FILE}:2:", '"summary" is empty', '"dev_0"')),
    "empty reference": ("solution", "삼,사", "삼,", ("solution.csv:3:", '"summary2" is empty', '"test_2"')),
    "unquoted comma": ("dev", f"{SUMMARY},날씨\ndev_3", "비, 우산,날씨\ndev_3", (f"{DEV_FILE}:4:", '"dev_1"', "5 fields, but the header has 4", "comma", "quotes", AGAIN)),
    "unquoted line break": ("dev", f"dev_1,{TALK}", f"dev_1,{TALK[1:-1]}", (f"{DEV_FILE}:4:", '"dev_1"', "2 fields", "line break")),
    "open quote at the end": ("dev", f"dev_3,{TALK}", f"dev_3,{TALK[:-1]}", (f"{DEV_FILE}:6:", "unbalanced quotes", AGAIN)),
    "open quote in the middle": ("dev", f"dev_1,{TALK}", f"dev_1,{TALK[:-1]}", (f"{DEV_FILE}:4:", "unbalanced quotes")),
    "undoubled quote": ("dev", "우산 가져", '"우산" 가져', (f"{DEV_FILE}:2:", "not doubled", '""')),
    "bare carriage return": ("dev", f"{SUMMARY},날씨\ndev_3", "비\r우산,날씨\ndev_3", (f"{DEV_FILE}:4:", "carriage return", "\\r\\n")),
    "NUL byte": ("dev", "dev_3", "dev\0_3", (f"{DEV_FILE}:6:", "NUL", AGAIN)),
    "sample index": ("sample", "1,test_2", "2,test_2", ("sample_submission.csv:3:", '"test_2"', "wanted 1")),
}  # fmt: skip
SPLIT_OF = {"sample": rows.sample_ids, "solution": lambda tiny: rows.read_references(tiny, "test")}


def reader(tiny: Competition, kind: str) -> Callable[[], object]:
    """Reads the kind of file as its users do."""
    if kind in SPLIT_OF:
        return lambda: SPLIT_OF[kind](tiny)
    return lambda: rows.read_split(tiny, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_with_line_and_remedy(tiny: Competition, name: str) -> None:
    kind, old, new, parts = BAD[name]
    change(tiny, kind, old, new)
    message = refusal(reader(tiny, kind), *parts)
    assert "/tmp" not in message  # paths as the user knows them


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_not_imported(tiny: Competition, source: Path, name: str) -> None:
    kind, old, new, parts = BAD[name]
    change(tiny, kind, old, new)
    bad = tiny.path(kind)
    bad.rename(source / "data" / bad.name)
    tiny.path("solution").write_text("what was there before")
    before = snapshot(tiny.folder)
    wanted = [part.replace("competitions/tiny", str(source)) for part in parts]
    refusal(lambda: rows.import_data(tiny, source), *wanted)
    assert snapshot(tiny.folder) == before


def test_lines_are_physical_ones_even_after_many_line_cells(tiny: Competition) -> None:
    change(tiny, "dev", "가져왔어?\n", "가져왔어?\n\n\r\n\n")
    change(tiny, "dev", "dev_3,", "dev_0,")
    assert DEV.count("\n", 0, DEV.index("dev_3")) + 1 + 3 == 9
    refusal(reader(tiny, "dev"), f"{DEV_FILE}:9:", "line 2")


def test_cp949_is_named_with_the_command_that_converts_it(tiny: Competition) -> None:
    tiny.path("dev").write_bytes(DEV.encode("cp949"))
    refusal(reader(tiny, "dev"), f"{DEV_FILE}:2:", "CP949", "wanted UTF-8", "iconv -f CP949 -t UTF-8 dev.csv")


def test_cp949_that_begins_like_utf8_is_named_too(tiny: Competition) -> None:
    """The first syllable's two bytes are also one valid UTF-8 character."""
    text = DEV.replace("우산", "친구", 1).encode("cp949")
    tiny.path("dev").write_bytes(text)
    refusal(reader(tiny, "dev"), "CP949", "iconv")


def test_utf16_is_named(tiny: Competition) -> None:
    tiny.path("dev").write_bytes(DEV.encode("utf-16"))
    refusal(reader(tiny, "dev"), DEV_FILE, "UTF-16", "iconv -f UTF-16")


def test_damaged_utf8_is_not_taken_for_cp949(tiny: Competition) -> None:
    damaged = DEV.encode()
    at = damaged.index("깜빡".encode(), len(damaged) // 2)
    tiny.path("dev").write_bytes(damaged[: at + 1] + damaged[at + 3 :])
    where = f"{DEV_FILE}:{damaged.count(10, 0, at) + 1}:"
    refusal(reader(tiny, "dev"), where, "0xea", "not CP949 either", AGAIN)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"  "])
def test_an_empty_file(tiny: Competition, content: bytes) -> None:
    tiny.path("dev").write_bytes(content)
    refusal(reader(tiny, "dev"), DEV_FILE, "is empty", AGAIN)


def test_a_missing_file_says_how_to_get_it(tiny: Competition) -> None:
    tiny.path("dev").unlink()
    refusal(reader(tiny, "dev"), f"{DEV_FILE}: not there", AGAIN)
    tiny.path("dev").mkdir()
    refusal(reader(tiny, "dev"), DEV_FILE, "cannot be read")


@pytest.mark.parametrize("kind", ["sample", "solution"])
def test_ids_must_be_those_of_the_test_file(tiny: Competition, source: Path, kind: str) -> None:
    change(tiny, kind, "test_2", "test_3")
    parts = (tiny.path(kind).name, f"the {kind} does not match ", "test_2", "test_3", AGAIN)
    refusal(reader(tiny, kind), *parts)
    tiny.path(kind).replace(source / "data" / tiny.path(kind).name)
    before = snapshot(tiny.folder)
    refusal(lambda: rows.import_data(tiny, source), *parts)
    assert snapshot(tiny.folder) == before


# JSON lines


@pytest.fixture
def lines(workspace: Path) -> Callable[[str], Competition]:
    """Writes three dev rows of the English competition, the second one replaced."""

    def write(second: str) -> Competition:
        path = workspace / "competitions/dialogsum_en/competition.toml"
        path.write_text(path.read_text().replace("rows = 500", "rows = 3").replace("last = 499", "last = 2"))
        english = competitions.load("dialogsum_en")
        good = [json.dumps(english_row(n)) for n in range(3)]
        english.path("dev").parent.mkdir()
        english.path("dev").write_text("\n".join([good[0], second, good[2], ""]))
        return english

    return write


def english_row(number: int, **cells: object) -> dict[str, object]:
    row: dict[str, object] = {"fname": f"dev_{number}", "dialogue": "#Person1#: Hi.\n#Person2#: Bye."}
    return row | {"summary": "They meet.", "topic": "meeting"} | cells


@pytest.mark.parametrize(
    ("second", "parts"),
    [
        (json.dumps(english_row(1))[:-9], ("not a JSON object on one line",)),
        ('["dev_1"]', ("is a JSON list", "wanted one JSON object on each line")),
        ('{"fname": "dev_1", "dialogue": "#Person1#: Hi."}', ('key "summary", "topic" is missing',)),
        (json.dumps(english_row(1, speaker="x")), ('key "speaker" is not allowed',)),
        (json.dumps(english_row(1, summary=3)), ('key "summary" is 3 (int)', "wanted a string")),
        (json.dumps(english_row(1, summary=None)), ('key "summary" is null', "wanted a string")),
        (json.dumps(english_row(1, summary="a\0b")), ('key "summary"', "NUL")),
        (json.dumps(english_row(1, summary="\ud800")), ('key "summary"', "surrogate")),
        ('{"fname": "dev_1", "fname": "dev_2"}', ("a key occurs twice",)),
        ("[" * 100_000, ("not a JSON object on one line",)),
        (json.dumps(english_row(0)), ('"dev_0"', "duplicate (first on line 1)")),
        (json.dumps(english_row(1, dialogue=" ")), ('"dialogue" is empty', '"dev_1"')),
    ],
)
def test_a_bad_json_line_is_named(
    lines: Callable[[str], Competition], second: str, parts: tuple[str, ...]
) -> None:
    english = lines(second)
    where = "competitions/dialogsum_en/data/dev.jsonl:2:"
    refusal(lambda: rows.read_split(english, "dev"), where, *parts, "make data comp=dialogsum_en from=PATH")


def test_a_line_separator_inside_a_string_ends_no_line(lines: Callable[[str], Competition]) -> None:
    english = lines(json.dumps(english_row(1, summary="one\u2028two"), ensure_ascii=False))
    dev = rows.read_split(english, "dev")
    assert dev.rows[1].summaries == ("one\u2028two",)
    assert dev.warnings == {"control character": 1}


# Warnings


@pytest.mark.parametrize(
    ("old", "new", "kind", "example"),
    [
        ("가져왔어?\n", "가져왔어?\r\n", "carriage return in a cell", "dev_0"),
        ("가져왔어?\n", "가져왔어?\r\n", "carriage return in a cell", "dev_0"),
        ("우산 가져", "#Umbrella# 가져", "unknown tag", "#Umbrella# in dev_0"),
        (SUMMARY, "#Person9#는 왔다.", "unknown tag", "#Person9# in dev_0"),
        ("\n#Person2#: 아니", " #Person2#: 아니", "turns without a line break between", "dev_0"),
        ("\n#Person2#: 아니", "\n아니", "line without a speaker", "dev_0"),
        ("우산 가져", "우\ufffd 가져", "replacement character", "dev_0"),
        ("우산 가져", "가\u1100\u1161 가져", "not NFC", "dev_0"),
        ("우산 가져", "우산\x0b가져", "control character", "dev_0"),
        (",날씨\n", ",\n", "empty topic", "dev_0"),
        ("\ndev_1", "\n\ndev_1", "blank line", "1, skipped"),
    ],
)
def test_an_oddity_is_counted_with_an_example(
    tiny: Competition, old: str, new: str, kind: str, example: str
) -> None:
    change(tiny, "dev", old, new)
    dev = rows.read_split(tiny, "dev")
    assert dev.warnings == {kind: 1}
    assert dev.warning_examples == (f"{kind}: {example}",)
    assert len(dev.rows) == 3


def test_carriage_returns_stay_in_the_text(tiny: Competition) -> None:
    tiny.path("dev").write_bytes(DEV.replace("가져왔어?\n", "가져왔어?\r\n").encode())
    dev = rows.read_split(tiny, "dev")
    assert dev.warnings == {"carriage return in a cell": 3}
    assert "?\r\n#Person2#" in dev.rows[2].dialogue


def test_a_part_of_train_is_a_counted_warning(tiny: Competition) -> None:
    assert rows.read_split(tiny, "train").warnings == {"row count": 1}
    assert "2 rows, 4 in the organisers' file" in rows.read_split(tiny, "train").warning_examples[0]


def test_a_declared_tag_and_a_space_before_a_turn_are_no_oddity(tiny: Competition) -> None:
    change(tiny, "dev", "우산 가져왔어?\n", "#PhoneNumber# 맞아? \n ")
    assert rows.read_split(tiny, "dev").warnings == {}


# Predictions


def test_a_submission_with_an_index_column_is_read(tiny: Competition, tmp_path: Path) -> None:
    path = tmp_path / "submission.csv"
    path.write_text("\ufeff,fname,summary\n0,test_2,비\n1,test_0,\n", encoding="utf-8")
    assert rows.read_predictions(path, tiny) == {"test_2": "비", "test_0": ""}


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
    refusal(lambda: rows.read_predictions(path, tiny), str(path), *parts)


def test_absent_predictions(tiny: Competition, tmp_path: Path) -> None:
    refusal(lambda: rows.read_predictions(tmp_path / "none.csv", tiny), "none.csv: not there")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(texts=st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))))
def test_predictions_come_back_as_written(tiny: Competition, tmp_path: Path, texts: list[str]) -> None:
    path = tmp_path / "predictions.csv"
    ids = [f"test_{n}" for n in range(len(texts))]
    rows.write_predictions(path, ids, texts, tiny)
    assert rows.read_predictions(path, tiny) == dict(zip(ids, texts, strict=True))
    assert list(rows.read_predictions(path, tiny)) == ids


def test_predictions_are_quoted_and_named_as_the_competition_does(tiny: Competition, tmp_path: Path) -> None:
    rows.write_predictions(tmp_path / "p.csv", ["test_0"], ['"비", 우산\r'], tiny)
    assert (tmp_path / "p.csv").read_bytes().decode() == '"fname","summary"\n"test_0","""비"", 우산\r"\n'


def test_predictions_that_cannot_be_written_leave_the_old_file(tiny: Competition, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("old")
    refusal(lambda: rows.write_predictions(path, ["a", "a"], ["b", "c"], tiny), "p.csv", '"a"', "twice")
    refusal(lambda: rows.write_predictions(path, ["a"], ["b\0"], tiny), "p.csv", '"a"', "NUL")
    refusal(lambda: rows.write_predictions(path, ["a"], ["\ud800"], tiny), "p.csv", '"a"', "surrogate")
    with pytest.raises(ValueError, match="1 ids and 0 texts"):
        rows.write_predictions(path, ["a"], [], tiny)
    assert snapshot(tmp_path)["p.csv"] == b"old"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


# make data


def zipped(source: Path, inside: str = "", extra: dict[str, str] | None = None) -> Path:
    path = source.parent / "download.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted((source / "data").iterdir()):
            archive.write(file, f"{inside}{file.name}")
        for name, text in (extra or {}).items():
            archive.writestr(name, text)
    return path


def empty(tiny: Competition) -> None:
    """As after a fresh clone: the toml and nothing else."""
    for path in (tiny.folder / "data").iterdir():
        path.unlink()
    (tiny.folder / "data").rmdir()


def test_a_folder_is_imported_and_reported(tiny: Competition, source: Path) -> None:
    empty(tiny)
    report = rows.import_data(tiny, source)
    assert snapshot(tiny.folder / "data") == snapshot(source / "data")
    assert report == [
        "data/train.csv: 2 rows, 1 × row count: 2 rows, 4 in the organisers' file",
        "data/dev.csv: 3 rows, no warnings",
        "data/test.csv: 3 rows, no warnings",
        "data/sample_submission.csv: 3 rows, no warnings",
        "data/solution.csv: 3 rows, no warnings",
    ]
    assert [row.id for row in rows.read_split(tiny, "dev").rows] == ["dev_0", "dev_1", "dev_3"]


@pytest.mark.parametrize("inside", ["", "data/", "대회/data/", "x\\data\\"])
def test_a_zip_is_imported_whatever_folder_it_has(tiny: Competition, source: Path, inside: str) -> None:
    empty(tiny)
    path = zipped(
        source, inside, {"__MACOSX/data/dev.csv": "junk", "data/._dev.csv": "junk", "readme.txt": "hi"}
    )
    assert len(rows.import_data(tiny, path)) == 5
    assert snapshot(tiny.folder / "data") == snapshot(source / "data")


def test_the_data_folder_itself_can_be_the_source(tiny: Competition) -> None:
    before = snapshot(tiny.folder)
    rows.import_data(tiny, tiny.folder / "data")
    assert snapshot(tiny.folder) == before


def test_importing_replaces_and_keeps_files_of_ones_own(tiny: Competition, source: Path) -> None:
    (tiny.folder / "data" / "notes.txt").write_text("mine")
    tiny.path("dev").write_text("old")
    rows.import_data(tiny, source)
    assert tiny.path("dev").read_bytes() == DEV.encode()
    assert snapshot(tiny.folder / "data")["notes.txt"] == b"mine"


def unchanged(tiny: Competition, source: Path, *parts: str) -> None:
    """The import is refused, and nothing at all is left of it."""
    before = snapshot(tiny.folder)
    refusal(lambda: rows.import_data(tiny, source), *parts)
    assert snapshot(tiny.folder) == before


def test_a_missing_file_lists_what_was_found(tiny: Competition, source: Path) -> None:
    (source / "data" / "test.csv").rename(source / "data" / "Test (1).csv")
    empty(tiny)
    unchanged(tiny, source, str(source), "test.csv not found", "Test (1).csv", "train.csv", "from=PATH")
    assert not (tiny.folder / "data").exists()


def test_a_file_that_is_there_twice_is_refused(tiny: Competition, source: Path) -> None:
    (source / "old").mkdir()
    (source / "old" / "dev.csv").write_text(DEV)
    unchanged(tiny, source, "dev.csv is there 2 times", "data/dev.csv", "old/dev.csv")


def test_an_absent_or_odd_source(tiny: Competition, source: Path) -> None:
    unchanged(tiny, source / "nowhere", "nowhere: not there", "from=PATH")
    unchanged(tiny, source / "data" / "dev.csv", "neither a folder nor a .zip", "from=FOLDER")
    (source.parent / "empty").mkdir()
    unchanged(tiny, source.parent / "empty", "found no files")


@pytest.mark.parametrize("name", ["../../dev.csv", "/etc/dev.csv", "a/../../x", "..\\dev.csv", "C:\\dev.csv"])
def test_a_zip_that_climbs_out_is_refused(tiny: Competition, source: Path, name: str) -> None:
    unchanged(tiny, zipped(source, extra={name: "x"}), "points outside the archive", "nothing was unpacked")


def test_a_broken_zip(tiny: Competition, source: Path) -> None:
    path = zipped(source)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    unchanged(tiny, path, "download.zip", "cannot be read", "again")
    path.write_bytes(whole[:60] + b"\xff" * 8 + whole[68:])
    unchanged(tiny, path, "download.zip/dev.csv", "cannot be copied", "nothing was changed")


def test_a_zip_bomb_is_refused(tiny: Competition, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "MAX_BYTES", 100)
    unchanged(tiny, zipped(source), "unpacks to", "wanted at most 100")


def test_a_cp949_file_is_refused_before_anything_is_copied(tiny: Competition, source: Path) -> None:
    (source / "data" / "solution.csv").write_bytes(SOLUTION.encode("cp949"))
    unchanged(tiny, source, f"{source}/data/solution.csv:2:", "CP949", "iconv")
    unchanged(tiny, zipped(source, "data/"), "download.zip/data/solution.csv:2:", "CP949")


def test_a_folder_that_cannot_be_written(tiny: Competition, source: Path) -> None:
    empty(tiny)
    (tiny.folder / "data").write_text("a file where the folder should be")
    unchanged(tiny, source, "competitions/tiny/data", "cannot be written", "make data again")


def test_a_rename_that_fails_half_way_is_rolled_back(
    tiny: Competition, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.path("train").write_text("old train")
    tiny.path("dev").unlink()
    original = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if Path(target) == tiny.path("test"):
            raise OSError(28, "No space left on device")
        return original(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    unchanged(tiny, source, "No space left on device", "nothing was changed")


def test_two_imports_at_once(tiny: Competition, source: Path) -> None:
    with incoming._staging(tiny):
        unchanged(tiny, source, "another make data is running")


def test_the_leavings_of_a_killed_import_are_swept_up(tiny: Competition, source: Path) -> None:
    left = tiny.folder / "data" / ".staging-killed"
    left.mkdir()
    (left / "dev.csv").write_text("half")
    rows.import_data(tiny, source)
    assert not left.exists()


# The real files, where this machine has them


def real(name: str) -> Path:
    if not (REAL / name).is_dir():
        pytest.skip(f"the organisers' files are not on this machine: {REAL / name}")
    return REAL / name


def test_the_real_files_pass(workspace: Path) -> None:
    source, real_one = real("dialogue_summarization"), competitions.load("dialogue_summarization")
    assert len(rows.import_data(real_one, source)) == 4
    train, dev, test = (rows.read_split(real_one, split) for split in ("train", "dev", "test"))  # type: ignore[arg-type]
    assert [len(split.rows) for split in (train, dev, test)] == [2500, 499, 499]
    assert train.warnings["row count"] == 1
    assert dev.warnings == {}
    assert test.warnings == {"turns without a line break between": 2}
    assert rows.sample_ids(real_one) == [row.id for row in test.rows]
    assert all(len(summaries) == 1 for summaries in rows.read_references(real_one, "dev").values())


def test_the_english_files_pass(workspace: Path) -> None:
    source, english = real("dialogsum_en"), competitions.load("dialogsum_en")
    assert len(rows.import_data(english, source)) == 3
    assert len(rows.read_split(english, "train").rows) == 12460
    assert rows.read_split(english, "test").rows[0].summaries == ()
    assert {len(references) for references in rows.read_references(english, "test").values()} == {3}
    assert len(rows.sample_ids(english)) == 500
