"""`make reproduce`: a ledger entry is rebuilt byte for byte, or the input that differs is named."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from common.core.errors import UserError
from common.core.files import sha256_file
from common.data.competition_file import load_competition
from common.ensemble.recipe import read_recipe
from common.submission import ledger, reproduce
from common.submission.submit import submit_blend
from tests.support import repository as repositories
from tests.support.commands import Ended, failed, files, make, started
from tests.support.submitting import RUN, solo, submit

CANDIDATES = f"{RUN}/test/candidates.jsonl"
PREDICTIONS = f"{RUN}/test/predictions.csv"


def reproduced(repository: Path, name: str) -> Ended:
    """Run the command, which must change no file."""
    before = files(repository)
    ended = started(repository, sys.executable, "-m", "common", "reproduce", "--id", name)
    assert files(repository) == before
    assert ended.stderr == ""
    return ended


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_an_entry_is_rebuilt_byte_for_byte(repository: Path) -> None:
    entry = submit(repository).entry
    ended = reproduced(repository, entry["id"][:6])
    assert ended.returncode == 0
    sha = entry["csv_sha256"][:12]
    first, last, following = ended.stdout.splitlines()
    assert first == f"identical: the CSV of {entry['id']} (talk) was built again, sha256 {sha}"
    assert re.fullmatch(r"Built again in \d+ s; no file was written\.", last)
    assert following == "Next: make leaderboard"


def test_an_earlier_entry_is_rebuilt_while_a_later_csv_stays(repository: Path) -> None:
    (repository / "submissions/other.toml").write_text(solo(), encoding="utf-8")
    first = submit_blend(read_recipe(repository / "submissions/other.toml"), load_competition("talk")).entry
    submit(repository)
    assert reproduced(repository, first["id"]).stdout.startswith("identical: ")


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "predictions": (
        lambda root: rewrite(root / PREDICTIONS, "#Person1#", "#Person2#"),
        f"member exp001: {PREDICTIONS} has changed: recorded sha256 ",
    ),
    "predictions gone": (
        lambda root: (root / PREDICTIONS).unlink(),
        f"member exp001: {PREDICTIONS} has changed: recorded sha256 ",
    ),
    "record gone": (
        lambda root: (root / RUN / "run.json").unlink(),
        f"member exp001: {RUN}/run.json has changed: recorded sha256 ",
    ),
    "run gone": (
        lambda root: shutil.rmtree(root / RUN),
        f"member exp001: {RUN}/run.json has changed: recorded sha256 ",
    ),
    "recipe": (
        lambda root: rewrite(root / "submissions/talk.toml", 'run = "exp001"', 'run = "exp002"'),
        "recipe submissions/talk.toml has changed: recorded sha256 ",
    ),
    "recipe gone": (
        lambda root: (root / "submissions/talk.toml").unlink(),
        "recipe submissions/talk.toml has changed: recorded sha256 ",
    ),
    "data": (
        lambda root: rewrite(root / "competitions/talk/data/sample_submission.csv", "test_2", "test_3"),
        "data competitions/talk/data/sample_submission.csv has changed: recorded sha256 ",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_input_that_differs_is_named(repository: Path, change: str) -> None:
    entry = submit(repository, text=solo()).entry
    act, line = CHANGES[change]
    act(repository)
    ended = reproduced(repository, entry["id"])
    assert ended.returncode == 1
    first, *rest = ended.stdout.splitlines()
    assert first.startswith(
        f"different: the CSV of {entry['id']} (talk): recorded sha256 {entry['csv_sha256'][:12]}, "
    )
    [found] = [one for one in rest if line in one]
    assert re.search(r"recorded sha256 [0-9a-f]{12}, found ([0-9a-f]{12}|missing)", found)
    assert found.endswith("missing") == change.endswith(" gone") or "recipe" in change


def test_candidates_that_have_changed_are_named(repository: Path) -> None:
    text = repositories.RECIPE.replace('"vote"', '"mbr"\ncandidates = 2')
    entry = submit(repository, text=text).entry
    recorded = next(m for m in entry["members"] if m["run"] == "exp001")["files"]["test/candidates.jsonl"]
    assert recorded == sha256_file(repository / CANDIDATES)
    lines = [json.loads(line) for line in (repository / CANDIDATES).read_text(encoding="utf-8").splitlines()]
    for line in lines:
        for candidate in line["candidates"]:
            candidate["text"] = "전혀 다른 글이 여기에 있다"
    (repository / CANDIDATES).write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
    )
    ended = reproduced(repository, entry["id"])
    found = f"member exp001: {CANDIDATES} has changed: recorded sha256 {recorded[:12]}, found "
    assert found in ended.stdout  # whether or not it decided a choice here
    assert ended.returncode == (0 if ended.stdout.startswith("identical: ") else 1)


def test_a_change_without_an_effect_is_told_and_the_csv_is_identical(repository: Path) -> None:
    entry = submit(repository).entry
    with (repository / "submissions/talk.toml").open("a", encoding="utf-8") as handle:
        handle.write("# a remark\n")
    ended = reproduced(repository, entry["id"])
    assert ended.returncode == 0
    first, second, *_ = ended.stdout.splitlines()
    assert first.startswith("identical: ")
    assert second.startswith("  changed without an effect: recipe submissions/talk.toml has changed: ")
    assert second.endswith("(the ledger keeps the recorded text as recipe_text)")
    assert entry["recipe_text"] == repositories.RECIPE


def test_other_code_and_packages_are_named(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = submit(repository).entry
    monkeypatch.setattr(
        reproduce,
        "room_hashes",
        lambda rooms: {r: "0" * 64 if r == "ensemble" else entry["code"][r] for r in rooms},
    )
    monkeypatch.setattr(reproduce, "package_versions", lambda: {**entry["packages"], "numpy": "0.1"})
    rewrite(repository / "submissions/talk.toml", "weight = 2.0", "weight = 0.5")
    entry_commit = {**entry, "git": {"commit": "abcdef1234", "dirty": True}}
    (repository / ledger.LEDGER).write_text(json.dumps(entry_commit) + "\n", encoding="utf-8")
    found = reproduce.reproduce(entry["id"])
    assert not found.identical
    text = reproduce.report(found)
    code = f"code of common/ensemble since commit abcdef1 with uncommitted changes has changed: recorded sha256 {entry['code']['ensemble'][:12]}, found 000000000000"
    assert f"  {code}\n" in text
    assert f"  package numpy was {entry['packages']['numpy']}, is 0.1" in text


def test_code_hashes_are_those_of_the_running_code(tmp_path: Path) -> None:
    """A change of code in a copy of common/ changes the hash of its room only; a comment changes nothing."""
    copied = tmp_path / "common"
    shutil.copytree(Path(reproduce.__file__).parents[1], copied, ignore=shutil.ignore_patterns("__pycache__"))
    command = [
        sys.executable,
        "-c",
        "import json\nfrom common.core.provenance import room_hashes\nprint(json.dumps(room_hashes(['core', 'ensemble', 'submission'])))",
    ]

    def hashes() -> dict[str, str]:
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path), "PATH": ""},
            capture_output=True,
            check=True,
        )
        found: dict[str, str] = json.loads(done.stdout)
        return found

    before = hashes()
    assert before == reproduce.room_hashes(before)
    path = copied / "ensemble" / "consensus.py"
    path.write_text(path.read_text(encoding="utf-8") + "# a comment\n", encoding="utf-8")
    assert hashes() == before
    rewrite(path, "0.5, 0.2, 0.1, 0.05", "0.5, 0.2, 0.1")
    after = hashes()
    assert {room for room in before if after[room] != before[room]} == {"ensemble"}


def test_an_entry_of_an_older_version_says_what_is_not_recorded(repository: Path) -> None:
    entry = submit(repository, text=solo()).entry
    for name in ("recipe_sha256", "recipe_text", "code", "packages"):
        del entry[name]
    for member in entry["members"]:
        del member["files"]
    (repository / ledger.LEDGER).write_text(json.dumps(entry) + "\n", encoding="utf-8")
    assert reproduced(repository, entry["id"]).returncode == 0
    rewrite(repository / PREDICTIONS, "#Person1#", "#Person2#")
    ended = reproduced(repository, entry["id"])
    assert ended.returncode == 1
    assert (
        "the entry is of an older version, which recorded neither recipe, predictions nor code"
        in ended.stdout
    )


def test_an_id_that_names_no_entry(repository: Path) -> None:
    with pytest.raises(UserError, match="nothing was submitted yet"):
        reproduce.reproduce("abc")
    entry = submit(repository).entry
    ended = started(repository, sys.executable, "-m", "common", "reproduce", "--id", "x")
    failed(ended, f"id='x' matches 0 submissions; wanted one of {entry['id']}.")


def test_make_reproduce(repository: Path) -> None:
    entry = submit(repository).entry
    assert make(repository, "reproduce", f"id={entry['id']}").stdout.startswith("identical: ")
    failed(make(repository, "reproduce"), "id= is missing; for example: make reproduce id=ID", code=2)
