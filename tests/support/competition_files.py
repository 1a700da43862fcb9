"""Write the files of a competition with a few rows."""

from collections.abc import Callable
from pathlib import Path

import pytest

from common.core.errors import UserError
from common.data.competition import Competition
from tests.support import REAL_DATA

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
    """Return the message of the UserError; it must contain every part."""
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    for part in parts:
        assert part in message
    return message


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return every file and folder below, including hidden ones."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


def english_row(number: int, **cells: object) -> dict[str, object]:
    row: dict[str, object] = {"fname": f"dev_{number}", "dialogue": "#Person1#: Hi.\n#Person2#: Bye."}
    return row | {"summary": "They meet.", "topic": "meeting"} | cells


# The real files, where this machine has them


def real(name: str) -> Path:
    if not (REAL_DATA / name).is_dir():
        pytest.skip(f"the organisers' files are not on this machine: {REAL_DATA / name}")
    return REAL_DATA / name
