"""From recipe to ledger: what is chosen, refused and recorded, or one error and nothing changed."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.core.errors import UserError
from common.core.files import sha256_file
from common.core.json_lines import read_lines
from common.data.competition import Competition
from common.data.competition_file import load_competition
from common.data.rows import read_references
from common.ensemble.recipe import read_recipe
from common.rouge import pairwise
from common.submission import ledger
from common.submission import submit as submission_submit
from common.submission.candidates import member_candidates
from common.submission.members import require_fresh
from common.submission.submit import doubt, submit_blend
from tests.support import repository as repositories
from tests.support.commands import started
from tests.support.disk import full_disk, immutable
from tests.support.submitting import RUN, lines_of, recipe, refused, solo, state, submit

LEDGER = "submissions/ledger.jsonl"


@pytest.fixture
def talk(repository: Path) -> Competition:
    return load_competition("talk")


# What dev does not support


def refused_by_dev(repository: Path, words: str) -> dict[str, Any]:
    """Return the verdict on a blend that dev does not support, once it is submitted all the same."""
    message = refused(
        repository,
        "submissions/talk.toml: on dev the blend is ",
        "95 % interval",
        f": {words}. Nothing was written. Submit exp00",
        "make blend-report blend=talk, or submit it anyway with force=1.",
        force=False,
    )
    made = submit(repository)
    judged: dict[str, Any] = made.entry["verdict"]
    assert not judged["supported"]
    assert f"{judged['difference']:+.2f} leaderboard over {judged['best']} alone" in message
    assert judged["low"] <= judged["difference"] <= judged["high"]
    assert ledger.entries()[-1]["verdict"] == judged
    assert doubt(judged) == f": {words}"
    return judged


def test_a_blend_that_is_surely_worse_is_called_worse(repository: Path) -> None:
    recipe(
        repository, repositories.RECIPE.replace("2.0", "0.5")
    )  # the vote is exp001's, and exp002 is better
    judged = refused_by_dev(repository, "it is worse")
    assert judged["high"] < 0


def test_a_blend_that_may_be_chance_is_refused_unless_forced(repository: Path, talk: Competition) -> None:
    wanted = {name: texts[0] for name, texts in read_references(talk, "dev").items()}
    first, second = wanted
    repositories.infer_texts(repository, "exp001", {first: wanted[first], second: "말 없이 걷는다."})
    repositories.infer_texts(repository, "exp002", {first: "말 없이 걷는다.", second: wanted[second]})
    recipe(repository, repositories.RECIPE)  # the vote is exp002's, and exp001 is a little better
    judged = refused_by_dev(repository, "it may be chance")
    assert judged["low"] <= 0 <= judged["high"]


@pytest.mark.parametrize(
    ("low", "high", "supported", "words"),
    [
        (0.1, 2.0, True, ""),
        (0.0, 0.0, True, ""),  # the best member itself
        (0.0, 2.0, False, ": it may be chance"),
        (-2.0, 0.0, False, ": it may be chance"),
        (-2.0, -0.1, False, ": it is worse"),
    ],
)
def test_what_is_said_against_a_blend(low: float, high: float, supported: bool, words: str) -> None:
    assert doubt({"low": low, "high": high, "supported": supported}) == words


def test_one_member_as_it_is_needs_no_support(repository: Path) -> None:
    made = submit(repository, text=solo(), force=False)
    assert made.entry["verdict"] == {
        "best": "exp001", "difference": 0.0, "low": 0.0, "high": 0.0, "supported": True
    }  # fmt: skip


def test_a_method_that_learns_wants_more_than_two_dialogues(repository: Path) -> None:
    text = 'competition = "talk"\nmethod = "stack"\nmembers = [{ run = "exp001" }, { run = "exp002" }]\n'
    recipe(repository, text)
    refused(repository, "groups of near-copies", "wanted at least 5 groups for 5 folds")


def test_the_ledger_entry_says_what_was_made_of_what(repository: Path, talk: Competition) -> None:
    made = submit(repository)
    [entry] = ledger.entries()
    assert entry == made.entry
    sha = sha256_file(made.path)
    assert (entry["id"], entry["csv_sha256"]) == (sha[:10], sha)
    assert [(m["run"], m["weight"]) for m in entry["members"]] == [("exp001", 1.0), ("exp002", 2.0)]
    assert entry["members"][0]["run_sha256"] == sha256_file(repository / RUN / "run.json")
    assert entry["data"] == {kind: sha256_file(talk.path(kind)) for kind in talk.files}
    assert entry["stale"] == {}
    assert entry["git"] == {"commit": None, "dirty": None}
    for split in ("dev", "test"):
        assert set(entry[split]) == {"exp001", "exp002", "blend", "floor"}
        assert set(entry[split]["blend"]) == {"leaderboard", "rouge101", "korouge"}
    assert entry["dev"]["blend"] == entry["dev"]["exp002"]
    assert entry["choice"] == {"tied": 0.0, "all_alike": 0.0, "all_different": 1.0}


def test_the_same_csv_gets_no_second_entry(repository: Path) -> None:
    first = submit(repository)
    before = state(repository)
    second = submit(repository)
    assert (first.repeated, second.repeated) == (False, True)
    assert second.entry == first.entry
    assert state(repository) == before
    # The same texts under another recipe, after a submission with other texts: the CSV is put in place, no entry is added.
    (repository / "submissions/other.toml").write_text(repositories.RECIPE, encoding="utf-8")
    submit(repository, text=solo())
    assert len(read_lines(repository / LEDGER)) == 2
    other = submit_blend(
        read_recipe(repository / "submissions/other.toml"), load_competition("talk"), force=True
    )
    assert (other.repeated, other.entry["id"]) == (True, first.entry["id"])
    assert other.path.read_bytes() == before["talk.csv"]
    assert len(read_lines(repository / LEDGER)) == 2


def test_make_submit_answers_a_repeated_csv_with_its_entry(repository: Path) -> None:
    first = submit(repository)
    ended = started(repository, sys.executable, "-m", "common", "submit", "--force")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"submissions/talk.csv: valid; identical to {first.entry['id']} (talk, " in ended.stdout
    assert ended.stdout.endswith("nothing was added.\n")
    assert len(ledger.entries()) == 1


def test_make_submit_with_one_member_compares_it_with_nothing(repository: Path) -> None:
    recipe(repository, solo())
    ended = started(repository, sys.executable, "-m", "common", "submit", "--force")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "alone" not in ended.stdout
    [entry] = ledger.entries()
    last = ended.stdout.splitlines()[-1]
    assert last == f"Next: upload the CSV, then: make lb id={entry['id']} public=SCORE"
    scored = started(repository, sys.executable, "-m", "common", "lb", f"--id={entry['id']}", "--public=37")
    told = rf"{entry['id']} \(talk\): public 37\.00; uploaded \d{{4}}-\d\d-\d\d\. Next: make leaderboard\n"
    assert re.fullmatch(told, scored.stdout)


def test_the_same_texts_in_another_competition_are_another_submission(repository: Path) -> None:
    first = submit(repository)
    line = json.loads((repository / LEDGER).read_text(encoding="utf-8"))
    (repository / LEDGER).write_text(
        json.dumps({**line, "competition": "other"}, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    second = submit(repository)
    assert not second.repeated
    assert second.entry["id"] == first.entry["csv_sha256"][:11]  # the first ten digits are taken
    assert [entry["id"] for entry in ledger.entries()] == [first.entry["id"], second.entry["id"]]


KILLED = """
import os, signal, sys
from common.data.competition_file import load_competition
from common.ensemble.recipe import read_recipe
from common.ensemble.recipe import read_recipe
from common.submission.submit import submit_blend
from pathlib import Path

place, at = sys.argv[1], int(sys.argv[2])
original = os.replace
calls = 0

def replace(source, target, **options):
    global calls
    calls += 1
    if (place, calls) == ("before", at):
        os.kill(os.getpid(), signal.SIGKILL)
    original(source, target, **options)
    if (place, calls) == ("after", at):
        os.kill(os.getpid(), signal.SIGKILL)

os.replace = replace
submit_blend(read_recipe(Path("submissions/talk.toml")), load_competition("talk"), force=True)
"""


@pytest.mark.parametrize("old", [True, False])
def test_a_kill_never_leaves_an_entry_without_its_csv(repository: Path, old: bool) -> None:
    """Each rename is interrupted before and after; the next submit ends with one entry for each CSV."""
    if old:
        submit(repository, text=solo())
    recipe(repository, repositories.RECIPE)
    start = state(repository)
    seen = set()
    for place in ("before", "after"):
        for at in range(1, 5):
            for name in set(state(repository)) - set(start):
                (repository / "submissions" / name).unlink()
            for name, content in start.items():
                (repository / "submissions" / name).write_bytes(content)
            ended = started(repository, sys.executable, "-c", KILLED, place, str(at))
            if ended.returncode == 0:
                continue
            assert ended.returncode == -signal.SIGKILL, ended.stderr
            hashes = [entry["csv_sha256"] for entry in ledger.entries()]
            present = repository / "submissions/talk.csv"
            new = present.exists() and present.read_bytes() != start.get("talk.csv")
            assert new or len(hashes) == old
            seen.add((new, len(hashes) - old))
            submit(repository)
            assert [entry["csv_sha256"] for entry in ledger.entries()][-1] == sha256_file(present)
            assert len(ledger.entries()) == old + 1
            assert not [name for name in state(repository) if name.endswith(".tmp")]
    assert seen == {(False, 0), (True, 0), (True, 1)}


@pytest.mark.parametrize(
    ("more", "mix"),
    [("", (1, 1, 1)), ("mix = { rouge2 = 3, rougeL = 1 }", (0, 3, 1)), ("length = 0.5", (1, 1, 1))],
)
def test_mbr_chooses_by_the_definition(repository: Path, more: str, mix: tuple[int, ...]) -> None:
    text = repositories.RECIPE.replace('"vote"', f'"mbr"\ncandidates = 2\n{more}')
    made, asked = submit(repository, text=text), recipe(repository)
    members = member_candidates(asked, load_competition("talk"), "test")
    picked = {r[1]: r[2] for r in csv.reader(lines_of(made.path))}
    for name in repositories.SAMPLE:
        group = [c.text for run in ("exp001", "exp002") for c in members[run][name]]
        assert [len(members[run][name]) for run in members] == [2, 2]
        weights = np.array([0.5, 0.5, 1.0, 1.0])
        matrix = pairwise([group], "leaderboard")[0]
        utility = np.average([matrix[k] for k in ("rouge1", "rouge2", "rougeL")], axis=0, weights=mix) / 100
        scores = [np.average(np.delete(utility[i], i), weights=np.delete(weights, i)) for i in range(4)]
        lengths = np.log([len(t) for t in group])
        scores += asked.length * (lengths - np.median(lengths))
        assert picked[name] == group[int(np.argmax(scores))]


def test_a_member_may_only_tell_how_good_others_are(repository: Path) -> None:
    text = repositories.RECIPE.replace('"vote"', '"mbr"').replace(
        "weight = 2.0", "weight = 2.0, choose = false"
    )
    made = submit(repository, text=text)
    assert made.entry["dev"]["blend"] == made.entry["dev"]["exp001"]
    recipe_path = repository / "submissions" / "talk.toml"
    recipe_path.write_text(text.replace("weight = 1.0", "choose = false"), encoding="utf-8")
    refused(repository, "every member has choose = false")


def test_a_tied_vote_falls_to_consensus_and_says_so(repository: Path) -> None:
    made = submit(repository, text=repositories.RECIPE.replace("2.0", "1.0"))
    assert made.entry["choice"]["tied"] == 1.0


def test_members_of_two_versions_of_the_data_are_never_blended(repository: Path) -> None:
    record = repository / RUN / "run.json"
    content = json.loads(record.read_text(encoding="utf-8"))
    for name, entry in content["infer"]["data"].items():
        if name.endswith("dev.csv"):
            entry["sha256"] = "0" * 64
    record.write_text(json.dumps(content), encoding="utf-8")
    refused(
        repository, "exp002 and exp001 were inferred on different versions of", "dev.csv", allow_stale=True
    )


def test_ids_are_joined_never_positions(repository: Path) -> None:
    path = repository / RUN / "test/predictions.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([lines[0], *reversed(lines[1:])]), encoding="utf-8")
    before = submit(repository, text=solo(), allow_stale=True).entry["csv_sha256"]
    path.write_text("".join(lines), encoding="utf-8")
    assert submit(repository).entry["csv_sha256"] == before
    path.write_text("".join(lines[:-1]), encoding="utf-8")
    refused(
        repository,
        "1 ids of test are missing and 0 are unknown",
        "'test_10'",
        "infer exp001 again",
        allow_stale=True,
    )


# Faults


def test_two_at_once(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first blends, a second process gets one clear error and changes nothing."""
    ended: list[subprocess.CompletedProcess[str]] = []
    original = require_fresh

    def meanwhile(*args: object, **options: object) -> object:
        command = [sys.executable, "-m", "common", "submit"]
        ended.append(subprocess.run(command, capture_output=True, text=True, check=False))
        return original(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(submission_submit, "require_fresh", meanwhile)
    submit(repository)
    [second] = ended
    assert second.returncode == 1
    assert second.stdout == ""
    assert (
        second.stderr == "error: another make submit is writing submissions/talk.csv; wait for it to end.\n"
    )
    assert len(ledger.entries()) == 1
    assert sorted(p.name for p in (repository / "submissions").iterdir() if p.suffix != ".lock") == [
        "ledger.jsonl",
        "talk.csv",
        "talk.toml",
    ]


def test_several_submitters_at_once_get_one_entry_for_each_csv(repository: Path) -> None:
    """Five recipes, some with the same result, all started at once."""
    vote = repositories.RECIPE
    texts = [solo(), vote, solo().replace("exp001", "exp002"), vote.replace("2.0", "0.5")]
    blends = {f"r{number}": text for number, text in enumerate([*texts, texts[0]])}
    for name, text in blends.items():
        (repository / f"submissions/{name}.toml").write_text(text, encoding="utf-8")
    command = (sys.executable, "-m", "common", "submit", "--force", "--blend")
    with ThreadPoolExecutor(len(blends)) as pool:
        ended = list(pool.map(lambda name: started(repository, *command, name), blends))
    assert [(one.returncode, one.stderr) for one in ended] == [(0, "")] * len(blends)
    hashes = [sha256_file(repository / f"submissions/{name}.csv") for name in blends]
    entries = ledger.entries()
    assert sorted(entry["csv_sha256"] for entry in entries) == sorted(set(hashes))
    assert len({entry["id"] for entry in entries}) == len(entries) > 1
    assert sum("nothing was added" in one.stdout for one in ended) == len(blends) - len(entries)


def test_a_csv_that_cannot_be_put_in_place(repository: Path) -> None:
    asked = recipe(repository)
    shutil.rmtree(repository / "submissions")
    (repository / "submissions").write_text("a file where the folder should be")
    with pytest.raises(UserError, match=r"submissions/talk\.csv: cannot be written"):
        submit_blend(asked, load_competition("talk"))
    assert (repository / "submissions").read_text() == "a file where the folder should be"


def test_a_ledger_that_cannot_be_written_leaves_the_old_csv(repository: Path) -> None:
    submit(repository)
    repositories.infer_texts(repository, "exp002", {"test_0": "다른 글."})
    (repository / "submissions/ledger.jsonl").unlink()
    (repository / "submissions/ledger.jsonl").mkdir()
    refused(repository, "submissions/ledger.jsonl: cannot be read (it is a folder, wanted a file)")


@pytest.mark.parametrize("room", [0, 200])
def test_a_disk_that_has_no_room_for_the_ledger_leaves_the_old_csv(repository: Path, room: int) -> None:
    submit(repository)
    repositories.infer_texts(repository, "exp002", {"test_0": "다른 글."})
    with full_disk((repository / LEDGER).stat().st_size + room):
        refused(repository, "submissions/ledger.jsonl: writing failed (File too large); nothing was changed")


def test_a_ledger_that_may_not_be_written_leaves_the_old_csv(repository: Path) -> None:
    submit(repository)
    repositories.infer_texts(repository, "exp002", {"test_0": "다른 글."})
    with immutable(repository / LEDGER):
        refused(repository, "submissions/ledger.jsonl: cannot be written (Operation not permitted)")


def test_a_full_disk_leaves_the_old_csv(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(repository)
    repositories.infer_texts(repository, "exp002", {"test_0": "다른 글."})

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        refused(repository, "submissions/talk.csv: writing failed (No space left on device)")
