"""The ledger: append-only, whole lines under several writers, leaderboard scores beside their submissions."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from common.core.errors import UserError
from common.core.json_lines import read_lines
from common.submission import ledger
from common.submission.ledger import record_scores


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    return tmp_path / "submissions" / "ledger.jsonl"


SUBMISSION = {
    "recipe": "blend", "competition": "talk", "method": "vote", "csv_sha256": "0" * 64, "members": [], "stale": {},
    "git": {}, "data": {}, "dev": {},
}  # fmt: skip


def entry(name: str, time: str = "2026-11-22T10:00:00+00:00") -> dict[str, object]:
    return {"id": name, "time": time, **SUBMISSION, "csv_sha256": name.ljust(64, "0")}


def test_an_absent_ledger_is_empty(path: Path) -> None:
    assert ledger.entries() == []
    assert not path.exists()


def test_two_processes_lose_and_tear_nothing(path: Path) -> None:
    code = (
        f"import sys\nfrom common.submission import ledger\nsubmission = {SUBMISSION}\n"
        "for n in range(30): ledger.append({**submission, 'id': sys.argv[1] + str(n), 'time': 't', 'text': '가' * 3000})"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, name]) for name in ("a", "b")]
    assert [process.wait() for process in started] == [0, 0]
    names = [line["id"] for line in read_lines(path)]
    for one in ("a", "b"):
        assert [name for name in names if name[0] == one] == [f"{one}{n}" for n in range(30)]
    assert len(ledger.entries()) == 60


@pytest.mark.parametrize("torn", [b'{"id": "b", "ti', b"{", '{"id": "가'.encode()[:-1]])
def test_a_torn_last_line_is_cut_before_the_next(path: Path, torn: bytes) -> None:
    ledger.append(entry("a"))
    with path.open("ab") as handle:
        handle.write(torn)
    assert [e["id"] for e in ledger.entries()] == ["a"]
    ledger.append(entry("c"))
    assert [e["id"] for e in ledger.entries()] == ["a", "c"]
    assert path.read_bytes().count(b"\n") == 2


def test_a_broken_line_is_named(path: Path) -> None:
    ledger.append(entry("a"))
    path.write_bytes(b"oops\n" + path.read_bytes())
    with pytest.raises(UserError, match=r"submissions/ledger\.jsonl:1: not valid JSON"):
        ledger.entries()


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("removed", [0, 1])  # of the markers, the first of which somebody already removed
def test_a_merge_conflict_is_called_one(path: Path, ending: str, removed: int) -> None:
    lines = [json.dumps(entry(name)) for name in "abc"]
    written = ["<<<<<<< HEAD", lines[1], "=======", lines[2], ">>>>>>> mine"][removed:]
    path.parent.mkdir()
    path.write_text("".join(line + ending for line in [lines[0], *written]), encoding="utf-8", newline="")
    with pytest.raises(
        UserError, match=r"ledger\.jsonl:[23]: a merge conflict of git.*keep the lines of both sides\.$"
    ):
        ledger.entries()
    resolved = [line for line in written if line.startswith("{")]
    path.write_text("\n".join([lines[0], *resolved]) + "\n", encoding="utf-8")
    assert [e["id"] for e in ledger.entries()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ('{"time": "t"}', '"id" is missing or of another type than str'),
        ('{"id": 5, "time": "t"}', '"id" is missing'),
        ('{"id": "a", "time": "t"}', '"recipe" is missing or of another type than str'),
        ('{"id": "a", "time": "t", "lb": 70}', '"lb" is missing or of another type than dict'),
    ],
)
def test_a_line_of_another_shape_is_named(path: Path, line: str, part: str) -> None:
    ledger.append(entry("a"))
    with path.open("a", encoding="utf-8") as handle:
        handle.write(line + "\n")
    with pytest.raises(
        UserError, match=r"submissions/ledger\.jsonl:2: .*restore that line from git"
    ) as caught:
        ledger.entries()
    assert part in str(caught.value)


def test_lines_of_the_same_second_are_all_kept_and_a_merge_counts_once(path: Path) -> None:
    one, two = entry("a"), {**entry("a"), "recipe": "other"}
    for line in (one, two, one):
        ledger.append(line)
    assert ledger.entries() == [one, two]


def test_an_id_is_never_given_twice() -> None:
    sha = "0123456789" + "a" * 54
    known: list[dict[str, object]] = []
    for wanted in ("0123456789", "0123456789a", "0123456789aa"):
        assert ledger.free_id(sha, known) == wanted
        known.append(entry(wanted))
    names = set()
    for _ in range(70):  # more entries of one hash than it has digits
        names.add(ledger.free_id(sha, known))
        known.append(entry(ledger.free_id(sha, known)))
    assert len(names) == 70


def test_a_last_line_without_its_newline_is_kept(path: Path) -> None:
    ledger.append(entry("a"))
    path.write_bytes(path.read_bytes()[:-1])
    assert [e["id"] for e in ledger.entries()] == ["a"]
    ledger.append(entry("b"))
    assert [e["id"] for e in ledger.entries()] == ["a", "b"]


def test_leaderboard_scores_join_their_submission(path: Path) -> None:
    ledger.append(entry("abc123"))
    ledger.append(entry("abd456"))
    before = path.read_bytes()
    found = record_scores("abc", 71.5, None, "later")
    assert found == {**entry("abc123"), "lb": {"public": 71.5}}
    assert path.read_bytes().startswith(before)  # what was written stays
    record_scores("abc123", None, 70.25, "later still")
    record_scores("abc123", 72, None, "corrected")
    assert ledger.entries() == [
        {**entry("abc123"), "lb": {"public": 72, "private": 70.25}},
        entry("abd456"),
    ]


def test_the_same_csv_twice_shares_its_scores(path: Path) -> None:
    for time in ("1", "2"):
        ledger.append(entry("abc", time))
    record_scores("abc", 70, None, "later")
    assert [e["lb"] for e in ledger.entries()] == [{"public": 70}, {"public": 70}]


@pytest.mark.parametrize(
    ("name", "public", "private", "part"),
    [
        ("ab", 70.0, None, "'ab' matches 2 submissions; wanted one of abc, abd"),
        ("x", 70.0, None, "'x' matches 0 submissions"),
        ("", 70.0, None, "'' matches 0 submissions"),
        ("abc", None, None, "wanted public=SCORE, private=SCORE or both"),
        ("abc", 101.0, None, "public=101.0: wanted a score from 0 to 100"),
        ("abc", None, -1.0, "private=-1.0"),
        ("abc", float("nan"), None, "public=nan"),
    ],
)
def test_scores_that_cannot_be_noted(
    path: Path, name: str, public: float | None, private: float | None, part: str
) -> None:
    ledger.append(entry("abc"))
    ledger.append(entry("abd"))
    before = path.read_bytes()
    with pytest.raises(UserError) as caught:
        record_scores(name, public, private, "later")
    assert part in str(caught.value)
    assert path.read_bytes() == before


def test_an_empty_ledger_says_so(path: Path) -> None:
    with pytest.raises(UserError, match="nothing was submitted yet; first run: make submit"):
        record_scores("abc", 70, None, "later")


def test_a_file_where_the_folder_should_be(path: Path) -> None:
    path.parent.write_text("a file")
    with pytest.raises(UserError, match=r"submissions/ledger\.jsonl: cannot be written"):
        ledger.append(entry("a"))


def test_lines_are_readable_hangul(path: Path) -> None:
    ledger.append({**entry("a"), "note": "한글"})
    assert "한글" in path.read_text(encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8"))["note"] == "한글"
