"""Two git clones whose ledgers grew apart: git merges and rebases them, and what people must decide is said."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from common.cli import doctor_project
from common.core.errors import UserError
from common.submission import ledger, uploads
from common.submission.ledger import record_scores
from common.submission.same_csv import one_for_each_csv
from tests.submission.test_ledger import entry
from tests.support import REPOSITORY

Clones = tuple[Path, Path]
Use = Callable[[Path], None]


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    return lambda clone: monkeypatch.setenv("KDS_ROOT", str(clone))


@pytest.fixture
def clones(tmp_path: Path, use: Use) -> Clones:
    """Two clones of a repository with one submission in its ledger."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    git(first, "init", "-q", "-b", "main")
    shutil.copyfile(REPOSITORY / ".gitattributes", first / ".gitattributes")
    use(first)
    ledger.append(entry("shared", "2026-11-20T10:00:00+00:00"))
    commit(first)
    git(tmp_path, "clone", "-q", str(first), str(second))
    return first, second


def commit(clone: Path) -> None:
    git(clone, "add", ".gitattributes", "submissions/ledger.jsonl")
    git(clone, "commit", "-q", "-m", "ledger")


def pull(clone: Path, other: Path, how: str = "--no-rebase") -> None:
    git(clone, "pull", "-q", "--no-edit", how, str(other), "main")


def ids() -> list[str]:
    return [one["id"] for one in ledger.entries()]


@pytest.mark.parametrize("how", ["--no-rebase", "--rebase"])
def test_both_sides_are_kept_and_read_by_time(clones: Clones, use: Use, how: str) -> None:
    first, second = clones
    for clone, hours in ((first, (11, 14)), (second, (12, 13))):
        use(clone)
        for hour in hours:
            ledger.append(entry(f"at{hour}", f"2026-11-22T{hour}:00:00+00:00"))
            commit(clone)
    pull(second, first, how)
    use(second)
    assert ids() == ["shared", "at11", "at12", "at13", "at14"]
    merged = (second / ledger.LEDGER).read_text(encoding="utf-8").splitlines()
    assert sorted(json.loads(line)["id"] for line in merged) == sorted(ids())
    pull(first, second)
    use(first)
    assert ids() == ["shared", "at11", "at12", "at13", "at14"]
    texts = [one.text for one in ledger.check({"talk": 2})]
    assert texts == ["lines are not in the order of their times, as after a merge; they are read by time"]


@pytest.mark.parametrize("how", ["--no-rebase", "--rebase"])
def test_scores_entered_on_both_sides_are_said_until_somebody_settles_them(
    clones: Clones, use: Use, how: str
) -> None:
    first, second = clones
    use(first)
    record_scores("shared", 71.0, 70.0, "2026-11-22T12:00:00+00:00")
    commit(first)
    use(second)
    record_scores("shared", 69.5, None, "2026-11-22T11:00:00+00:00")
    commit(second)
    pull(first, second, how)
    pull(second, first)
    for clone in clones:  # the same on both, whoever merged
        use(clone)
        assert ledger.find("shared")["lb"] == {"public": 71.0, "private": 70.0}
        [said] = [one.text for one in ledger.check({}) if one.decide]
        assert "id shared: public was entered as 69.5 and as 71; the newest, 71, counts" in said
        assert "make lb id=shared public=SCORE" in said
    use(first)
    record_scores("shared", 71.0, None, "2026-11-22T13:00:00+00:00")
    assert [one for one in ledger.check({}) if one.decide] == []
    record_scores("shared", 72.0, None, "2026-11-22T14:00:00+00:00")  # a correction is no conflict
    assert [one for one in ledger.check({}) if one.decide] == []
    assert ledger.find("shared")["lb"]["public"] == 72.0


def test_the_same_score_on_both_sides_and_other_edits_of_one_entry_join(clones: Clones, use: Use) -> None:
    first, second = clones
    lines = (
        (first, {"lb": {"public": 71.0}}, {"uploaded": "2026-11-22"}, {"note": "newer"}, {"pick": True}),
        (second, {"lb": {"public": 71.0}}, {"uploaded": "2026-11-23"}, {"note": "older"}),
    )
    for clone, *said in lines:
        use(clone)
        hour = 12 if clone == first else 11
        for minute, one in enumerate(said):
            ledger.append({"id": "shared", **one, "time": f"2026-11-22T{hour}:0{minute}:00+00:00"})
        commit(clone)
    pull(second, first)
    use(second)
    found = ledger.find("shared")
    assert found["lb"] == {"public": 71.0} and found["uploaded"] == ["2026-11-22", "2026-11-23"]
    assert (found["note"], found["pick"]) == ("newer", True)
    assert [one for one in ledger.check({}) if one.decide] == []


def test_two_clones_that_submit_the_same_csv_get_one_row(clones: Clones, use: Use) -> None:
    scores = {"dev": {"blend": {"leaderboard": 40.0}}}
    for clone, hour, name, public, day in zip(
        clones, (11, 12), ("first", "second"), (71.0, 70.0), ("2026-11-23", "2026-11-24"), strict=True
    ):
        use(clone)
        ledger.append({**entry("same", f"2026-11-22T{hour}:00:00+00:00"), "recipe": name, **scores})
        kind = "public" if name == "first" else "private"
        ledger.record_scores("same", **{"public": None, "private": None, kind: public}, time=f"2026-11-22T{hour}:30:00+00:00")  # fmt: skip
        ledger.append({"id": "same", "uploaded": day, "time": f"2026-11-24T{hour}:00:00+00:00"})
        commit(clone)
    pull(clones[1], clones[0])
    pull(clones[0], clones[1])
    for clone in clones:
        use(clone)
        assert len(ledger.entries()) == 3
        [_, one] = one_for_each_csv(ledger.entries())
        assert (one["recipe"], one["lb"]) == ("first", {"public": 71.0, "private": 70.0})
        assert one["uploaded"] == ["2026-11-23", "2026-11-24"]
        assert one["also"] == [{"id": "same", "recipe": "second"}]
        assert [e["id"] for e in one_for_each_csv(one_for_each_csv(ledger.entries()))] == ["shared", "same"]
        assert [f.text for f in ledger.check({}) if f.decide] == []


def test_a_line_about_a_submission_may_stand_before_it(clones: Clones, use: Use) -> None:
    use(clones[0])
    path = clones[0] / ledger.LEDGER
    score = {"id": "later", "lb": {"public": 70.0}, "time": "2026-11-22T12:00:00+00:00"}
    path.write_text(json.dumps(score) + "\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    ledger.append(entry("later", "2026-11-22T13:00:00+00:00"))  # from a machine whose clock is wrong
    assert ledger.find("later")["lb"] == {"public": 70.0}


def test_a_torn_last_line_of_one_side_does_not_swallow_a_line_of_the_other(clones: Clones, use: Use) -> None:
    first, second = clones
    use(first)
    ledger.append(entry("whole", "2026-11-22T12:00:00+00:00"))
    commit(first)
    use(second)
    ledger.append(entry("kept", "2026-11-22T11:00:00+00:00"))
    path = second / ledger.LEDGER
    path.write_bytes(path.read_bytes()[:-1])
    assert any("its last line has no end" in one.text for one in ledger.check({}))
    commit(second)
    pull(second, first)
    assert ids() == ["shared", "kept", "whole"]
    with path.open("ab") as handle:
        handle.write(b'{"id": "torn", "ti\n')
    with pytest.raises(UserError, match=r"ledger\.jsonl:4: not valid JSON .*; remove that line"):
        ledger.check({})


def test_doubled_ids_unknown_ids_and_too_many_picks_are_said(clones: Clones, use: Use) -> None:
    use(clones[0])
    other = {**entry("shared", "2026-11-22T12:00:00+00:00"), "csv_sha256": "1" * 64}
    ledger.append(other)
    ledger.append({**entry("same"), "time": "2026-11-23T12:00:00+00:00"})
    ledger.append({**entry("same"), "time": "2026-11-23T13:00:00+00:00"})
    ledger.append({"id": "gone", "note": "x", "time": "2026-11-24T12:00:00+00:00"})
    for name in ("shared", "same"):
        ledger.append({"id": name, "pick": True, "time": "2026-11-25T12:00:00+00:00"})
    found = ledger.check({"talk": 1})
    texts = "\n".join(one.text for one in found if one.decide)
    assert "id shared stands for 2 different CSVs (111111111111, shared000000)" in texts
    assert "id gone has scores, uploads, picks or notes but no submission" in texts
    assert "talk allows 1 final picks, and 2 are marked: shared, same" in texts
    assert [one.text for one in found if not one.decide and "id same is there 2 times" in one.text]
    with pytest.raises(UserError, match="id='shared' stands for different CSVs"):
        ledger.find("shared")
    assert uploads.picks(ledger.entries()) == ["shared", "same"]


def test_without_the_attribute_doctor_says_so(repository: Path) -> None:
    git(repository, "init", "-q", "-b", "main")
    ledger.append(entry("aaa"))
    ledger.append({"id": "gone", "pick": True, "time": "2026-11-22T12:00:00+00:00"})
    [listed, undecided, attribute] = list(doctor_project.ledger())
    assert (listed.status, undecided.status, attribute.status) == ("ok", "wrong", "missing")
    assert "id gone has scores, uploads, picks or notes but no submission" in undecided.found
    assert "git does not merge the ledgers of two machines" in attribute.found
    (repository / ".gitattributes").write_text(f"{ledger.LEDGER} text eol=lf merge=union\n")
    assert [check.status for check in doctor_project.ledger()] == ["ok", "wrong"]
