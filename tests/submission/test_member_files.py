"""Members from files: the same blend as with the runs that they are copies of, or one line and nothing written."""

import json
import logging
import sys
from pathlib import Path

import pytest

from common.core.errors import UserError
from common.core.files import sha256_file
from common.core.json_lines import read_lines
from common.data.competition import Competition
from common.ensemble.report import blend_report
from common.submission import ledger, member_files
from common.submission.candidates import member_candidates
from common.submission.reproduce import report, reproduce
from common.submission.submit import submit_blend
from tests.support import foreign
from tests.support.commands import failed, files, started
from tests.support.foreign import EIGHT, RUNS, THEIRS, of_files, of_runs, recipe

LEDGER = "submissions/ledger.jsonl"


@pytest.fixture
def talk(world: tuple[Path, Competition]) -> Competition:
    return world[1]


@pytest.mark.parametrize(("method", "suffix"), [("vote", "csv"), ("mbr", "jsonl"), ("stack", "jsonl")])
def test_files_are_blended_as_the_runs_that_wrote_them(
    root: Path, talk: Competition, method: str, suffix: str
) -> None:
    more = "" if method == "vote" else "candidates = 8"
    ours = submit_blend(recipe(root, "ours", of_runs(), method, more), talk, allow_stale=True, force=True)
    (root / LEDGER).unlink()
    asked = recipe(root, "files", of_files(suffix=suffix), method, more)
    theirs = submit_blend(asked, talk, force=True)
    assert theirs.path.read_bytes() == ours.path.read_bytes()
    assert not theirs.repeated
    for key in ("dev", "test"):
        assert theirs.entry[key] == foreign.renamed(ours.entry[key])
    for key in ("choice", "interval", "csv_sha256"):
        assert theirs.entry[key] == ours.entry[key]
    assert {**theirs.entry["verdict"], "best": ""} == {**ours.entry["verdict"], "best": ""}
    for name, member in zip(THEIRS, theirs.entry["members"], strict=True):
        paths = [f"theirs/{name}-{split}.{suffix}" for split in ("dev", "test")]
        assert member == {"name": name, "weight": 1.0, "files": {p: sha256_file(root / p) for p in paths}}
    assert report(reproduce(theirs.entry["id"])).startswith("identical: ")
    changed = root / f"theirs/{THEIRS[2]}-test.{suffix}"
    changed.write_bytes(changed.read_bytes() + b"\n")
    told = report(reproduce(theirs.entry["id"]))
    assert f"changed without an effect: member {THEIRS[2]}: theirs/{changed.name} has changed" in told


def test_the_report_on_files_is_that_on_the_runs(root: Path, talk: Competition) -> None:
    found = []
    for listed in (of_runs(), of_files()):
        asked = recipe(root, "some", [listed[0], listed[EIGHT], listed[5]], "mbr")
        found.append(blend_report(asked, talk, member_candidates(asked, talk, "dev")))
    ours, theirs = found
    assert theirs.candidates == ours.candidates == 25 * (2 + 8 + 2)
    assert list(theirs.verdicts.members.values()) == list(ours.verdicts.members.values())
    assert theirs.verdicts.methods == ours.verdicts.methods
    assert {k: v.tolist() for k, v in theirs.verdicts.chosen.items()} == {
        k: v.tolist() for k, v in ours.verdicts.chosen.items()
    }


def test_a_member_with_test_only_votes_and_is_not_learned_from(root: Path, talk: Competition) -> None:
    listed = of_files(without_dev=[THEIRS[0]])[:3]
    asked = recipe(root, "files", listed, "mbr", "candidates = 2")
    made = submit_blend(asked, talk, force=True)
    assert made.entry["test_only"] == [THEIRS[0]]
    assert THEIRS[0] not in made.entry["dev"]
    assert THEIRS[0] in made.entry["test"]
    rest = submit_blend(recipe(root, "rest", listed[1:], "mbr", "candidates = 2"), talk, force=True)
    assert made.entry["dev"] == rest.entry["dev"]  # dev knows nothing of it
    assert made.entry["csv_sha256"] != rest.entry["csv_sha256"]  # but on test it takes part
    learned = recipe(root, "files", listed, "stack", "candidates = 2")
    chosen = submit_blend(learned, talk, force=True)
    alone = submit_blend(recipe(root, "rest", listed[1:], "stack", "candidates = 2"), talk, force=True)
    assert alone.entry["csv_sha256"] == chosen.entry["csv_sha256"]
    assert report(reproduce(made.entry["id"])).startswith("different")  # its recipe is another one now


def test_the_commands_say_what_happens_to_a_member_with_test_only(root: Path) -> None:
    listed = of_files(suffix="csv", without_dev=[THEIRS[0]])[:3]
    recipe(root, "files", listed, "mbr", "")
    command = [sys.executable, "-m", "common", "submit", "--blend", "files", "--force"]
    ended = started(root, *command, COLUMNS="300")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"{THEIRS[0]}: no dev predictions, so this takes part on test only" in ended.stdout
    assert [line.split()[1] for line in ended.stdout.splitlines() if line.startswith(THEIRS[0] + " ")] == [
        "–"
    ]
    listed = started(root, sys.executable, "-m", "common", "leaderboard")
    assert (listed.returncode, listed.stderr) == (0, "")


def test_several_texts_may_be_rows_with_a_place_or_a_score(root: Path, talk: Competition) -> None:
    member = recipe(root, "files", of_files()[:1], "mbr").members[0]
    path = root / "theirs" / f"{THEIRS[0]}-test.csv"
    ids = list(member_files.read(member, talk, "test"))
    rows = [[name, text, rank, score] for name in ids
            for text, rank, score in (("나쁘다.", "2", "-3.5"), ("좋다.", "1", "-1e0"))]  # fmt: skip
    member = recipe(root, "files", of_files(suffix="csv")[:1], "mbr").members[0]
    for columns in ([2], [3], [2, 3]):
        header = ["fname", "summary", *({2: "candidate", 3: "score"}[c] for c in columns)]
        foreign.write_csv(path, [header, *([*row[:2], *(row[c] for c in columns)] for row in rows)])
        found = member_files.read(member, talk, "test")
        assert [one.text for one in found[ids[0]]] == ["좋다.", "나쁘다."]
        assert [one.logprob for one in found[ids[0]]] == ([-1.0, -3.5] if 3 in columns else [None, None])
    # With a byte order mark, other columns, Windows line ends and decomposed Hangul.
    plain = [["x", "fname", "summary"], *(["1", name, "가"] for name in reversed(ids))]
    foreign.write_csv(path, plain)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert {one.text for group in member_files.read(member, talk, "test").values() for one in group} == {"가"}
    lines = [json.dumps({"id": name, "candidates": ["첫째", {"text": "둘째", "score": 0.5}]}) for name in ids]
    path.with_suffix(".jsonl").write_text("\n".join(lines), encoding="utf-8")
    member = recipe(root, "files", of_files()[:1], "mbr").members[0]
    assert [(c.text, c.logprob) for c in member_files.read(member, talk, "test")[ids[3]]] == [
        ("첫째", None), ("둘째", 0.5)
    ]  # fmt: skip


def test_texts_that_no_submission_may_have_are_left_out_where_there_are_others(
    root: Path, talk: Competition, caplog: pytest.LogCaptureFixture
) -> None:
    path = root / "theirs" / f"{THEIRS[0]}-test.jsonl"
    lines = read_lines(path)
    lines[4]["candidates"] = [{"text": "두\n줄"}, {"text": ""}, {"text": "바르다."}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    member = recipe(root, "files", of_files()[:1], "mbr").members[0]
    with caplog.at_level(logging.WARNING):
        found = member_files.read(member, talk, "test")
    assert [one.text for one in found[lines[4]["fname"]]] == ["바르다."]
    assert "2 of 51 candidates of member" in caplog.text
    assert "is on line 5: it has more than one line" in caplog.text


MEMBER = f"theirs/{THEIRS[0]}-test"
CASES = {
    "an id is missing": ("csv", lambda t: t.rsplit("\n", 2)[0] + "\n", "1 of 25 ids of test are missing"),
    "another release": ("csv", lambda t: t.replace('"test_', '"test_9'), "another release of the data"),
    "ids of dev": ("csv", lambda t: t.replace('"test_', '"dev_'), "its ids are those of dev"),
    "a duplicate": ("csv", lambda t: t + t.splitlines()[-1] + "\n", "is a duplicate (first on line 26)"),
    "other headers": ("csv", lambda t: t.replace("fname", "id", 1), 'column "fname" is missing'),
    "an empty summary": ("csv", lambda t: t + '"","test_0"\n', "is a duplicate"),
    "only empty": ("csv", lambda _: "fname,summary\n" + "".join(f"test_{n},\n" for n in range(25)), "is empty (and 24 other"),
    "cp949": ("csv", lambda t: t.encode("cp949", "ignore"), "is in CP949"),
    "no file": ("csv", None, "not there; member"),
    "no bytes": ("csv", lambda _: "", "is empty (0 bytes)"),
    "score nan": ("csv", lambda t: with_score(t, "nan"), "\"score\" is 'nan'; wanted a finite number"),
    "score text": ("csv", lambda t: with_score(t, "good"), "\"score\" is 'good'"),
    "score empty": ("csv", lambda t: with_score(t, ""), "\"score\" is ''"),
    "other dialogues": ("csv", lambda t: with_dialogue(t), "25 of 25 dialogues are other texts than in test"),
    "a list": ("jsonl", lambda t: "[\n" + t, "wanted one object on each line"),
    "score null": ("jsonl", lambda t: t.replace('"logprob": null', '"score": NaN').replace('"logprob": -1.0', '"score": null'), "\"score\" is "),
    "no candidates": ("jsonl", lambda t: '{"fname": "test_0", "candidates": []}\n' + t, "wanted a list of texts"),
    "a number": ("jsonl", lambda t: '{"fname": "test_0", "candidates": [7]}\n' + t, "a candidate is 7"),
    "no summary": ("jsonl", lambda t: '{"fname": "test_0", "text": "x"}\n' + t, '"summary" or "candidates" is missing'),
    "twice": ("jsonl", lambda t: t + t.splitlines()[0] + "\n", "is a duplicate"),
}  # fmt: skip


def with_score(text: str, last: str) -> str:
    first, *rest = text.splitlines()
    return "\n".join([f"{first},score", *(f"{line},1" for line in rest[:-1]), f"{rest[-1]},{last}", ""])


def with_dialogue(text: str) -> str:
    first, *rest = text.splitlines()
    return "\n".join([f"{first},dialogue", *(f"{line},#Person1#: 다른 말" for line in rest), ""])


def refused(root: Path, talk: Competition, part: str, listed: list[str]) -> None:
    """Check for one line with this part from a submit that writes nothing."""
    before = files(root)
    before.pop("submissions/files.toml", None)
    with pytest.raises(UserError) as caught:
        submit_blend(recipe(root, "files", listed, "mbr", ""), talk, force=True)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    after = files(root)
    after.pop("submissions/files.toml", None)
    assert after == before


@pytest.mark.parametrize("case", CASES)
def test_a_bad_file_is_one_line_and_nothing_is_written(root: Path, talk: Competition, case: str) -> None:
    suffix, change, part = CASES[case]
    path = root / f"{MEMBER}.{suffix}"
    if change is None:
        path.unlink()
    else:
        made = change(path.read_text(encoding="utf-8"))
        path.write_bytes(made if isinstance(made, bytes) else made.encode())
    refused(root, talk, part, of_files(suffix=suffix)[:2])


def test_a_huge_file_is_not_read(root: Path, talk: Competition) -> None:
    with (root / f"{MEMBER}.csv").open("r+b") as file:
        file.truncate(200_000_000)
    message = "has 200,000,000 bytes; wanted at most 64,000,000 for the file of a member"
    with pytest.raises(UserError, match=message):
        submit_blend(recipe(root, "files", of_files(suffix="csv")[:2], "mbr", ""), talk)
    (root / f"{MEMBER}.csv").write_bytes(b"")


def test_a_file_that_is_anothers_is_named(root: Path, talk: Competition) -> None:
    own = root / "outputs/daily_talk" / RUNS[0] / "test/predictions.csv"
    (root / f"{MEMBER}.csv").write_bytes(own.read_bytes())
    listed = of_files(suffix="csv")
    refused(
        root, talk, f"is the same file as the test predictions of run {RUNS[0]}", [of_runs()[0], listed[0]]
    )
    (root / f"{MEMBER}.csv").write_bytes((root / f"theirs/{THEIRS[1]}-test.csv").read_bytes())
    refused(root, talk, f"predictions of member {THEIRS[0]}", listed[:2])
    solution = root / "competitions/daily_talk/data/sample_submission.csv"
    (root / f"{MEMBER}.csv").write_bytes(solution.read_bytes())
    refused(
        root, talk, "is the organisers' competitions/daily_talk/data/sample_submission.csv itself", listed[:2]
    )


@pytest.mark.parametrize(
    ("listed", "part"),
    [
        (['{ name = "a", test = "x.csv" }', '{ name = "a", test = "y.csv" }'], "2 members are named 'a'"),
        (['{ name = "exp001", test = "x.csv" }'], "'exp001' is the name of a run"),
        (['{ name = "blend", test = "x.csv" }'], "the name of a row in tables of scores"),
        (['{ name = "a b", test = "x.csv" }'], "is not a valid name"),
        (['{ name = "a" }'], 'has no "test"'),
        (['{ run = "exp001", test = "x.csv" }'], 'has both "run" and "test"'),
        (['{ name = "a", test = "../x.csv" }'], "copy the file to submissions/members/"),
        (['{ name = "a", test = "/x.csv" }'], "is outside the repository"),
        (['{ name = "a", test = "~/x.csv" }'], "is outside the repository"),
        (["{ name = \"a\", test = 'C:\\x.csv' }"], "is outside the repository"),
        (['{ name = "a", test = "x.txt" }'], "wanted a .csv file"),
        (['{ name = "a", test = 5 }'], "wanted the path"),
        ([f'{{ name = "a", test = "outputs/daily_talk/{RUNS[0]}/test/predictions.csv" }}'], f"belongs to run {RUNS[0]}"),
        (['{ name = "a", test = "x.csv" }'], "no member with dev predictions"),
    ],
)  # fmt: skip
def test_a_wrong_member_is_refused(root: Path, talk: Competition, listed: list[str], part: str) -> None:
    refused(root, talk, part, listed)


def test_a_link_out_of_the_repository_is_refused(root: Path, talk: Competition, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("fname,summary\n", encoding="utf-8")
    link = root / "theirs/link.csv"
    link.symlink_to(tmp_path / "x.csv")
    try:
        with pytest.raises(UserError, match="is outside the repository"):
            recipe(root, "files", ['{ name = "a", test = "theirs/link.csv" }'], "mbr")
    finally:
        link.unlink()


def test_one_malformed_member_among_seven_stops_the_command(root: Path) -> None:
    for split in ("dev", "test"):
        (root / f"theirs/{THEIRS[6]}-{split}.csv").write_text("fname;summary\n", encoding="utf-8")
    recipe(root, "files", of_files(suffix="csv"), "mbr", "")
    before = files(root)
    for command in (["submit", "--force"], ["blend-report"]):
        ended = started(root, sys.executable, "-m", "common", *command, "--blend", "files")
        failed(ended, f"theirs/{THEIRS[6]}-", ".csv:1: the columns are separated by semicolons")
    assert files(root) == before
    assert ledger.entries() == []
