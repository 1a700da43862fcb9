"""CSVs made elsewhere: validated alone, and registered with their scores beside our submissions."""

import csv
import json
import shutil
import sys
from pathlib import Path

import pytest

from common.core.errors import UserError
from common.core.files import sha256_file
from common.data.competition import Competition
from common.data.competition_file import load_competition
from common.runs import score_text
from common.submission import ledger
from common.submission.register import FOLDER, register
from tests.support.commands import Ended, failed, files, started
from tests.support.repository import SAMPLE
from tests.support.submitting import solo, submit


@pytest.fixture
def talk(repository: Path) -> Competition:
    path = repository / "competitions/talk/competition.toml"
    path.write_text(
        path.read_text(encoding="utf-8") + '[site]\nsubmissions_per_day = 3\ntime_zone = "UTC"\n',
        encoding="utf-8",
    )
    return load_competition("talk")


def common(repository: Path, *words: str) -> Ended:
    return started(repository, sys.executable, "-m", "common", *words, COLUMNS="400")


def theirs(path: Path, text: str = "누가 말한다.", *, index: bool = False, ids: list[str] = SAMPLE) -> Path:
    """Write a submission as other code writes it: by default without an index column and with Windows line ends."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*([""] if index else []), "fname", "summary"])
        writer.writerows([*([str(n)] if index else []), name, f"{text} {n}"] for n, name in enumerate(ids))
    return path


@pytest.mark.parametrize("index", [False, True])
def test_both_headers_are_valid(repository: Path, talk: Competition, index: bool) -> None:
    theirs(repository / "a.csv", index=index)
    before = files(repository)
    ended = common(repository, "validate", "--predictions", "a.csv")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("a.csv: a valid submission to talk: 3 summaries.")
    assert files(repository) == before


def test_an_invalid_csv_is_one_line(repository: Path) -> None:
    theirs(repository / "a.csv", ids=["dev_0", "dev_2"])
    failed(
        common(repository, "validate", "--predictions", "a.csv"),
        "3 of 3 ids of test are missing",
        "those of dev",
    )
    theirs(repository / "a.csv", ids=["test_2", "test_10", "test_7"])
    failed(
        common(repository, "validate", "--predictions", "a.csv"), '"test_7"', "another release of the data"
    )
    theirs(repository / "a.csv", "길다." * 30)
    ended = common(repository, "validate", "--predictions", "a.csv")
    failed(ended, "has 92 characters, at most 60 are allowed", "There are 2 other faults.")
    failed(common(repository, "validate", "--predictions", "b.csv"), "b.csv: not there")


def test_twenty_registered_csvs_are_listed_with_their_scores(repository: Path, talk: Competition) -> None:
    ours = submit(repository).entry
    for number in range(20):
        path = theirs(repository / f"{number}.csv", f"말 {number}.", index=number % 2 == 0)
        register(talk, path, f"may.{number}", 30 + number / 10, 29.0 if number % 3 else None)
    ended = common(repository, "leaderboard")
    assert (ended.returncode, ended.stderr) == (0, "")
    for number in range(20):
        [line] = [line for line in ended.stdout.splitlines() if f" may.{number}^ " in line]
        assert f" {30 + number / 10:.2f} " in line
        assert (" 29.00 " in line) == bool(number % 3)
    assert "^ registered: made elsewhere" in ended.stdout
    assert f"members of {ours['id']} (talk)" in ended.stdout
    assert "3 of 3 uploads left today" in ended.stdout  # they were uploaded long ago
    picked = common(repository, "pick")
    assert (picked.returncode, picked.stderr) == (0, "")


def test_a_registered_csv_is_kept_scored_and_picked(repository: Path, talk: Competition) -> None:
    path = theirs(repository / "a.csv")
    ended = common(
        repository, "register", "--predictions", "a.csv", "--name", "may", "--public", "41.5", "--note", "old code"
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    [entry] = ledger.entries()
    assert (entry["csv_sha256"], entry["recipe"], entry["lb"]) == (sha256_file(path), "may", {"public": 41.5})
    assert entry["note"] == "old code"
    copy = repository / FOLDER / f"{entry['id']}.csv"
    assert copy.read_bytes() == path.read_bytes()
    assert (
        f"registered as {entry['id']} (may), public 41.50; its copy is {FOLDER}/{entry['id']}.csv"
        in ended.stdout
    )
    listed = common(repository, "leaderboard")
    assert (listed.returncode, listed.stderr) == (0, "")
    scored = common(repository, "lb", "--id", entry["id"], "--private", "40", "--uploaded", "2026-05-03")
    assert (scored.returncode, scored.stderr) == (0, "")
    assert ledger.entries()[0]["lb"] == {"public": 41.5, "private": 40.0}
    assert common(repository, "pick", "--id", entry["id"]).returncode == 0
    failed(common(repository, "reproduce", "--id", entry["id"]), "so it cannot be made here", "is unchanged")
    copy.unlink()
    failed(common(repository, "reproduce", "--id", entry["id"]), "is gone: get it from git")


def test_the_same_csv_is_answered_with_its_entry(repository: Path, talk: Competition) -> None:
    first = register(talk, theirs(repository / "a.csv"), "may", 41.5)
    before = files(repository)
    again = register(talk, theirs(repository / "a.csv"), "june")
    assert (again.repeated, again.entry) == (True, first.entry)
    other_header = register(talk, theirs(repository / "b.csv", index=True), "june")
    assert (other_header.repeated, other_header.entry) == (True, first.entry)
    (repository / "b.csv").unlink()
    assert files(repository) == before
    with pytest.raises(UserError, match=f"name=may: {first.entry['id']} has this name"):
        register(talk, theirs(repository / "a.csv", "다르다."), "may")
    ours = submit(repository)
    mine = register(talk, ours.path, "mine")
    assert (mine.repeated, mine.entry["id"]) == (True, ours.entry["id"])


def test_a_blend_that_was_registered_before_gets_its_dev_scores(repository: Path, talk: Competition) -> None:
    made = submit(repository)
    (repository / ledger.LEDGER).unlink()
    old = register(talk, made.path, "old", 44.0)
    again = submit(repository)
    assert (again.repeated, again.entry["lb"]) == (False, {"public": 44.0})
    assert again.entry["id"].startswith(old.entry["id"])
    assert submit(repository).repeated
    assert len(ledger.entries()) == 2


def test_what_the_site_took_is_registered_with_a_warning(repository: Path, talk: Competition) -> None:
    path = theirs(repository / "a.csv", "두\n줄")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    ended = common(repository, "register", "--predictions", "a.csv", "--name", "may", "--public", "41.5")
    assert ended.returncode == 0
    assert ended.stderr.count("\n") == 1
    assert "make validate refuses it: a.csv: starts with a byte order mark" in ended.stderr
    assert len(ledger.entries()) == 1


@pytest.mark.parametrize(
    ("name", "note", "part"),
    [
        ("exp001", None, "is the name of a run"),
        ("floor", None, "the name of a row"),
        ("../x", None, "is not a valid name"),
        ("", None, "is not a valid name"),
        ("may", "two\nlines", "wanted one line"),
    ],
)
def test_a_wrong_name_writes_nothing(
    repository: Path, talk: Competition, name: str, note: str | None, part: str
) -> None:
    path = theirs(repository / "a.csv")
    before = files(repository)
    with pytest.raises(UserError, match=part):
        register(talk, path, name, note=note)
    assert files(repository) == before


def test_a_registered_csv_can_be_a_member(repository: Path, talk: Competition) -> None:
    entry = register(talk, theirs(repository / "a.csv"), "may").entry
    text = (
        'competition = "talk"\nmethod = "vote"\nmembers = [{ run = "exp001" }, '
        f'{{ name = "may", test = "{entry["registered"]["file"]}", weight = 3 }}]\n'
    )
    made = submit(repository, text=text)
    assert made.entry["test"]["blend"] == made.entry["test"]["may"]
    assert made.entry["test_only"] == ["may"]


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -0.1, 100.1])
def test_a_score_that_no_site_shows_is_refused(repository: Path, score: float) -> None:
    path = repository / "theirs.csv"
    path.write_text("fname,summary\ntest_0,가\ntest_2,나\ntest_10,다\n", encoding="utf-8")
    with pytest.raises(UserError, match="wanted a score from 0 to 100"):
        register(load_competition("talk"), path, "theirs", private=score)
    assert not (repository / "submissions" / "registered").exists()


def dev_file(path: Path, texts: dict[str, str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["fname", "summary"], *texts.items()])
    return path


def test_dev_predictions_are_scored_and_kept(repository: Path, talk: Competition) -> None:
    predictions = repository / "outputs/talk/exp001/dev/predictions.csv"
    shutil.copyfile(predictions, repository / "theirs-dev.csv")
    theirs(repository / "a.csv")
    ended = common(
        repository, "register", "--predictions", "a.csv", "--name", "may", "--public", "41.5", "--dev", "theirs-dev.csv"
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    [entry] = ledger.entries()
    ours = submit(repository, text=solo()).entry  # the vote of one run: its predictions
    assert entry["dev"] == {key: ours["dev"][key] for key in ("blend", "floor")}
    assert entry["interval"] == ours["interval"]
    assert entry["data"]["dev"] == ours["data"]["dev"]
    kept = entry["registered"]["dev"]
    assert kept == {"file": f"{FOLDER}/{entry['id']}-dev.csv", "sha256": sha256_file(predictions)}
    assert (repository / kept["file"]).read_bytes() == predictions.read_bytes()
    score = score_text.number(entry["dev"]["blend"][talk.dev_profile], talk.dev_profile)
    assert f"dev {talk.dev_profile} {score} (measured here); public 41.50" in ended.stdout
    listed = common(repository, "leaderboard").stdout
    [line] = [line for line in listed.splitlines() if " may^ " in line]
    assert f" {score} " in line and "~" not in line
    assert "2 submissions with both scores" not in listed  # only one has a score of the site
    (repository / ledger.LEDGER).write_text(json.dumps(entry) + "\n", encoding="utf-8")
    assert f"  {entry['id']} (may): {score}, 95 % interval " in common(repository, "pick").stdout


def test_a_stated_dev_score_is_marked_and_gives_way_to_a_measured_one(
    repository: Path, talk: Competition
) -> None:
    path = theirs(repository / "a.csv")
    ended = common(repository, "register", "--predictions", "a.csv", "--name", "may", "--dev", "43.5")
    assert "dev leaderboard 43.50 (stated, not measured here)" in ended.stdout
    [entry] = ledger.entries()
    assert entry["dev"] == {"blend": {"leaderboard": 43.5}}
    listed = common(repository, "leaderboard")
    assert listed.returncode == 0
    assert " 43.50~ " in listed.stdout
    assert "~ the dev score is what somebody stated; it was not measured here" in listed.stdout
    assert entry["id"] not in common(repository, "pick").stdout  # nobody measured it
    lines = (repository / ledger.LEDGER).read_bytes()
    again = common(repository, "register", "--predictions", "a.csv", "--name", "may", "--dev", "43.50")
    assert "nothing was added" in again.stdout
    assert (repository / ledger.LEDGER).read_bytes() == lines
    shutil.copyfile(repository / "outputs/talk/exp001/dev/predictions.csv", repository / "d.csv")
    later = common(repository, "register", "--predictions", "a.csv", "--name", "may", "--dev", "d.csv")
    assert later.stdout.startswith(f"{entry['id']} (may) was registered before; it has dev leaderboard ")
    assert (repository / ledger.LEDGER).read_bytes().startswith(lines)  # a line of its own
    [measured] = ledger.entries()
    assert measured["dev"] == register(talk, theirs(repository / "b.csv", "다른 글"), "june", dev=str(repository / "d.csv")).entry["dev"]  # fmt: skip
    assert not ledger.is_stated(measured)
    before = files(repository)
    with pytest.raises(UserError, match=f"{entry['id']} .may. has a measured dev score, and a stated one"):
        register(talk, path, "may", dev="50")
    assert files(repository) == before


@pytest.mark.parametrize(
    ("dev", "part"),
    [
        ("101", "wanted a score from 0 to 100"),
        ("-1", "wanted a score from 0 to 100"),
        ("nan", "wanted a score from 0 to 100"),
        ("43,5", "wanted a score from 0 to 100"),
        ("high", "or a .csv or .jsonl file"),
        ("gone.csv", 'gone.csv: not there; submission "may" needs it'),
        ("a.csv", "2 of 2 ids of dev are missing"),
        ("competitions/talk/data/dev.csv", "is the organisers'"),
        ("lacks.csv", '1 of 2 ids of dev are missing ("dev_2")'),
    ],
)
def test_a_wrong_dev_score_writes_nothing(
    repository: Path, talk: Competition, monkeypatch: pytest.MonkeyPatch, dev: str, part: str
) -> None:
    monkeypatch.chdir(repository)
    path = theirs(repository / "a.csv")
    dev_file(repository / "lacks.csv", {"dev_0": "글"})
    before = files(repository)
    with pytest.raises(UserError) as caught:
        register(talk, path, "may", 41.5, dev=dev)
    assert part in str(caught.value)
    assert files(repository) == before
    register(talk, path, "may", 41.5)
    before = files(repository)
    with pytest.raises(UserError) as caught:
        register(talk, path, "may", dev=dev)
    assert part in str(caught.value)
    assert files(repository) == before


def test_twenty_registered_csvs_say_whether_dev_predicts(repository: Path, talk: Competition) -> None:
    wanted = ["#Person1#과 친구가 점심 약속을 정했다.", "가게가 문을 닫아 다른 곳에 갔다."]
    for number in range(20):
        texts = [" ".join(text.split()[: 1 + (number + n) % 5]) for n, text in enumerate(wanted)]
        dev = dev_file(repository / f"d{number}.csv", dict(zip(("dev_0", "dev_2"), texts, strict=True)))
        path = theirs(repository / f"{number}.csv", f"말 {number}.")
        entry = register(talk, path, f"may.{number}", dev=str(dev)).entry
        score = entry["dev"]["blend"][talk.leaderboard_profile]
        ledger.record_scores(entry["id"], max(0.0, score - 1.5), None, entry["time"])
    ended = common(repository, "leaderboard")
    assert ended.returncode == 0
    [line] = [line for line in ended.stdout.splitlines() if line.startswith("dev against public")]
    assert ", 20 submissions: rank correlation +" in line
    assert "(95 % interval +" in line
    assert "usual difference -" in line
