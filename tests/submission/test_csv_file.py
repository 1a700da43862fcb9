"""The CSV is exactly as the competition declares."""

import csv
import io
import unicodedata
from pathlib import Path

import pytest

from common.core.errors import UserError
from common.data.competition import Competition
from common.data.competition_file import load_competition
from common.data.rows import read_predictions, sample_ids
from common.submission import csv_file
from tests.support import repository as repositories
from tests.support.submitting import lines_of, refused, solo, submit


@pytest.fixture
def talk(repository: Path) -> Competition:
    return load_competition("talk")


# What is made


def test_the_csv_is_exactly_as_declared(repository: Path) -> None:
    made = submit(repository)
    assert made.path == repository / "submissions" / "talk.csv"
    content = made.path.read_bytes().decode("utf-8")
    rows = list(csv.reader(io.StringIO(content)))
    assert rows[0] == ["", "fname", "summary"]
    assert [row[:2] for row in rows[1:]] == [["0", "test_2"], ["1", "test_10"], ["2", "test_0"]]
    expected = {
        r[0]: r[1] for r in csv.reader(lines_of(repository / "outputs/talk/exp002/test/predictions.csv"))
    }
    assert {row[1]: row[2] for row in rows[1:]} == {k: v for k, v in expected.items() if k != "fname"}
    assert content.startswith('"","fname","summary"\n"0","test_2","')
    assert content.endswith('"\n')
    assert "\r" not in content
    assert "\ufeff" not in content
    assert made.path.stat().st_mode & 0o777 == 0o644


def test_columns_follow_the_competition(repository: Path) -> None:
    toml = repository / "competitions/talk/competition.toml"
    text = toml.read_text(encoding="utf-8")
    text = text.replace(
        'columns = ["", "fname", "summary"]\n[files.sol', 'columns = ["summary", "fname"]\n[files.sol'
    )
    text = text.replace('columns = ["", "fname", "summary"]\nindex = ""', 'columns = ["summary", "fname"]')
    toml.write_text(text, encoding="utf-8")
    sample = "summary,fname\n" + "".join(f",{name}\n" for name in repositories.SAMPLE)
    (repository / "competitions/talk/data/sample_submission.csv").write_text(sample, encoding="utf-8")
    lines = submit(repository).path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == '"summary","fname"'
    assert lines[1].endswith(',"test_2"')


# Texts that no site takes


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("비가 온다.\n우산이 없다.", "more than one line"),
        ("비가 온다.\n", "line break"),
        ("비가 온다.\r우산이 없다.", "more than one line"),
        ("비가\u2028온다.", "more than one line"),
        ("비" * 61, "has 61 characters, at most 60"),
    ],
)
def test_a_bad_text_is_refused_and_the_old_csv_stays(repository: Path, text: str, fault: str) -> None:
    submit(repository)
    repositories.infer_texts(repository, "exp002", {"test_10": text})
    message = refused(repository, "submissions/talk.csv: the summary of 'test_10'", fault)
    assert "submissions/.talk.csv" not in message


@pytest.mark.parametrize("text", ["", "  \u3000"])
def test_a_member_without_a_text_is_named(repository: Path, text: str) -> None:
    submit(repository)
    repositories.infer_texts(repository, "exp002", {"test_10": text})
    refused(repository, "exp002 has no text for 'test_10'; run infer for it again")


def test_the_longest_and_oddest_texts_that_are_allowed_pass(repository: Path) -> None:
    odd = {"test_0": "비" * 60, "test_2": 'NA, "None", \\', "test_10": "=1+1; #Person1#은"}
    repositories.infer_texts(repository, "exp001", odd)
    made = submit(repository, text=solo())
    assert {r[1]: r[2] for r in csv.reader(lines_of(made.path))} == {"fname": "summary", **odd}


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "is empty (0 bytes)"),
        (b'"id","summary"\n', "columns are"),
        (b'"fname","summary"\n', "3 of 3 ids of test are missing"),
        (b'"","fname","summary"\n"0","test_2","a"\n', "1 rows, wanted 3"),
        (b'"","fname","summary"\n0,test_2,a\n1,test_0,a\n2,test_10,a\n', "row 1 has id 'test_0'"),
        (b'"","fname","summary"\n0,test_2,a\n2,test_10,a\n1,test_0,a\n', "row 1 has index '2'"),
        (b'"","fname","summary"\n0,test_2,a,b\n1,test_10,a\n2,test_0,a\n', "row 0 has 4 cells"),
        (b'"","fname","summary"\n0,test_2,"a"b\n', "not a valid CSV"),
        (b"\xef\xbb\xbf" + b'"","fname","summary"\n0,test_2,a\n1,test_10,a\n2,test_0,a\n', "byte order mark"),
        (b'"","fname","summary"\n0,test_2,\xff\n', ":2: byte 0xff at offset 30 is not UTF-8"),
    ],
)
def test_validation_names_what_is_wrong(
    repository: Path, talk: Competition, content: bytes, part: str
) -> None:
    (repository / "mine.csv").write_bytes(content)
    with pytest.raises(UserError) as caught:
        csv_file.validate(talk, repository / "mine.csv")
    assert str(caught.value).startswith("mine.csv:")
    assert part in str(caught.value)


# Several valid headers

BOTH = """accepted = [["fname", "summary"], ["Unnamed: 0", "fname", "summary"]]
index = ""
"""


@pytest.fixture
def both(repository: Path) -> Competition:
    """The competition whose site accepts a file with or without an index."""
    toml = repository / "competitions/talk/competition.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace('index = ""\n', BOTH), encoding="utf-8")
    return load_competition("talk")


@pytest.mark.parametrize(
    "content",
    [
        ",fname,summary\n0,test_2,가\n1,test_10,나\n2,test_0,다\n",
        "fname,summary\ntest_2,가\ntest_10,나\ntest_0,다\n",
        "Unnamed: 0,fname,summary\n0,test_2,가\n1,test_10,나\n2,test_0,다\n",
    ],
)
def test_every_accepted_header_is_valid_and_read(repository: Path, both: Competition, content: str) -> None:
    path = repository / "mine.csv"
    path.write_text(content, encoding="utf-8")
    csv_file.validate(both, path)
    assert read_predictions(path, both) == {"test_2": "가", "test_10": "나", "test_0": "다"}
    both.path("sample").write_text(content, encoding="utf-8")
    assert sample_ids(both) == repositories.SAMPLE
    assert (
        submit(repository).path.read_text(encoding="utf-8").startswith('"","fname","summary"\n"0","test_2"')
    )


def test_another_header_is_refused_with_all_valid_ones(repository: Path, both: Competition) -> None:
    path = repository / "mine.csv"
    for content, part in (
        ("fname,text\ntest_2,가\n", "columns are ['fname', 'text']"),
        ("summary,fname\n가,test_2\n", "columns are ['summary', 'fname']"),
        (
            "Unnamed: 0,fname,summary\n0,test_2,가\n5,test_10,나\n2,test_0,다\n",
            "row 1 has index '5', wanted 1",
        ),
        (",".join(["x" * 100_000] * 50) + "\n", "and 44 more"),
    ):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(UserError) as caught:
            csv_file.validate(both, path)
        assert part in str(caught.value)
        assert len(str(caught.value)) < 600
        if "columns" in part:
            assert "['', 'fname', 'summary'] or ['fname', 'summary'] or ['Unnamed: 0'" in str(caught.value)
    both.path("sample").write_text("id,fname,summary\n0,test_2,가\n", encoding="utf-8")
    with pytest.raises(UserError, match='column "id" is not allowed'):
        sample_ids(both)


def test_what_is_written_is_in_nfc(repository: Path) -> None:
    texts = {"test_10": unicodedata.normalize("NFD", "비가 온다.")}
    repositories.infer_texts(repository, "exp002", texts)
    made = submit(repository)
    assert {r[1]: r[2] for r in csv.reader(lines_of(made.path))}["test_10"] == "비가 온다."
