"""Each bad file gives one error with file, line, id and what to do; oddities are counted."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from common.data.competition import Competition
from common.data.dialogue import clean
from common.data.import_files import import_data
from common.data.rows import read_references, read_split, sample_ids
from tests.support.competition_files import (
    DEV,
    SUMMARY,
    TALK,
    TEST,
    TRAIN,
    change,
    english_row,
    refusal,
    snapshot,
)

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
SPLIT_OF = {"sample": sample_ids, "solution": lambda tiny: read_references(tiny, "test")}


def reader(tiny: Competition, kind: str) -> Callable[[], object]:
    """Reads the kind of file as its users do."""
    if kind in SPLIT_OF:
        return lambda: SPLIT_OF[kind](tiny)
    return lambda: read_split(tiny, kind)  # type: ignore[arg-type]


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
    refusal(lambda: import_data(tiny, source), *wanted)
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
    refusal(lambda: import_data(tiny, source), *parts)
    assert snapshot(tiny.folder) == before


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
    refusal(lambda: read_split(english, "dev"), where, *parts, "make data comp=dialogsum_en from=PATH")


def test_a_line_separator_inside_a_string_ends_no_line(lines: Callable[[str], Competition]) -> None:
    english = lines(json.dumps(english_row(1, summary="one\u2028two"), ensure_ascii=False))
    dev = read_split(english, "dev")
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
        ("가져왔어?\n", "가져왔어?\\n", "escaped character", "\\n in dev_0"),
        ("가져왔어?\n", "가져왔어?\\r\\n", "escaped character", "\\r\\n in dev_0"),
        ("우산 가져", "우산을\\n 가져", "escaped character", "\\n in dev_0"),
        ("우산 가져", "우산을\\t가져", "escaped character", "\\t in dev_0"),
        ("가져왔어?\n", "가져왔어?<br/>", "HTML", "<br/> in dev_0"),
        ("우산 가져", "우산 &amp; 장화 가져", "HTML", "&amp; in dev_0"),
        (
            "\n#Person2#: 아니",
            "\n사람2#: 아니",
            "tag in another form, repaired for models",
            '"사람2#" in dev_0',
        ),
        (
            "\n#Person2#: 아니",
            "\n사람2: 아니",
            "tag in another form, repaired for models",
            '"사람2:" in dev_0',
        ),
        (
            "\n#Person2#: 아니",
            "\n# Person 2 #: 아니",
            "tag in another form, repaired for models",
            '"# Person 2 #" in dev_0',
        ),
        (SUMMARY, "#사람2#는 왔다.", "tag in another form, repaired for models", '"#사람2#" in dev_0'),
        (
            SUMMARY,
            "＃Person2＃는 왔다.",
            "tag in another form, repaired for models",
            '"＃Person2＃" in dev_0',
        ),
        (SUMMARY, "#person2#는 왔다.", "tag in another form, repaired for models", '"#person2#" in dev_0'),
        ("우산 가져", "우\u200b산 가져", "invisible character", "dev_0"),
        (SUMMARY, f"\ufeff{SUMMARY}", "invisible character", "dev_0"),
        ("\n#Person2#: 아니", "\n#Person2# 아니", "line without a speaker", "dev_0"),
    ],
)
def test_an_oddity_is_counted_with_an_example(
    tiny: Competition, old: str, new: str, kind: str, example: str
) -> None:
    change(tiny, "dev", old, new)
    dev = read_split(tiny, "dev")
    assert dev.warnings == {kind: 1}
    assert dev.warning_examples == (f"{kind}: {example}",)
    assert len(dev.rows) == 3


def test_carriage_returns_stay_in_the_text(tiny: Competition) -> None:
    tiny.path("dev").write_bytes(DEV.replace("가져왔어?\n", "가져왔어?\r\n").encode())
    dev = read_split(tiny, "dev")
    assert dev.warnings == {"carriage return in a cell": 3}
    assert "?\r\n#Person2#" in dev.rows[2].dialogue


def test_a_part_of_train_is_a_counted_warning(tiny: Competition) -> None:
    assert read_split(tiny, "train").warnings == {"row count": 1}
    assert "2 rows, 4 in the organisers' file" in read_split(tiny, "train").warning_examples[0]


@pytest.mark.parametrize("start", ["#Person2# :", "#Person2#:  ", "#Person2#:", " #Person2#： "])
def test_spaces_around_the_colon_of_a_speaker_are_no_oddity(tiny: Competition, start: str) -> None:
    change(tiny, "dev", "\n#Person2#: 아니", f"\n{start}아니")
    dev = read_split(tiny, "dev")
    assert dev.warnings == {}
    assert clean(dev.rows[0].dialogue) == TALK.strip('"')


def test_an_id_that_only_looks_right_is_counted(tiny: Competition) -> None:
    change(tiny, "test", "test_2,", "test_2\u200b,")
    test = read_split(tiny, "test")
    assert test.warning_examples == ("id with spaces or invisible characters: 'test_2\\u200b'",)


def test_a_reference_is_scored_as_it_is_written(tiny: Competition) -> None:
    """Only what models read is repaired."""
    odd = "#사람2#는\u200b 우산을 잊었다.\\n끝."
    change(tiny, "dev", SUMMARY, odd)
    assert read_references(tiny, "dev")["dev_0"] == (odd,)
    assert clean(odd) == "#Person2#는 우산을 잊었다.\n끝."


def test_a_declared_tag_and_a_space_before_a_turn_are_no_oddity(tiny: Competition) -> None:
    change(tiny, "dev", "우산 가져왔어?\n", "#PhoneNumber# 맞아? \n ")
    assert read_split(tiny, "dev").warnings == {}
