"""Results as data: infer writes a file with the right values, the tables show it, a broken file is named."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from common.cli import commands
from common.core.errors import UserError
from common.data.competition_file import load_competition
from common.data.rows import SplitName, read_predictions, read_references
from common.runs import scoring
from common.runs.record import read_record
from common.runs.results import ProfileScore, Result, from_record, read_results, write_result
from common.runs.scoring import example_scores, with_intervals
from common.submission import leaderboard
from tests.support import repository as repositories

RESULT = "results/talk/exp001.json"


def read_one(name: str) -> Result:
    return next(result for result in read_results("talk") if result.run == name)


def shown(*words: str) -> str:
    ended = CliRunner().invoke(commands, words)
    assert ended.exit_code == 0, ended
    return ended.stdout


def scores(root: Path, run: str, split: SplitName) -> dict[str, ProfileScore]:
    """What scoring says of a run's predictions, by the path that a result does not take."""
    talk = load_competition("talk")
    predictions = read_predictions(root / f"outputs/talk/{run}/{split}/predictions.csv", talk)
    references = read_references(talk, split)
    found = {}
    for profile in scoring.profiles(talk):
        made = with_intervals(example_scores(predictions, references, profile))
        floor = scoring.floors(talk, split)[profile]
        key = next(name for name in made.metrics if name.endswith(f"]/{made.headline_key}"))
        metrics = {name.split("/")[-1]: value for name, value in made.metrics.items() if name != key}
        found[profile] = ProfileScore(
            key, made.headline, *made.intervals[key], max(floor.constant, floor.lead), metrics
        )
    return found


def test_infer_writes_what_the_run_scored(repository: Path) -> None:
    for stage in ("train", "infer"):
        repositories.stage(repository, "exp001", stage, "--run=exp001-b", "--turn=1", "--seed=1")
    record = read_record(repository / "outputs/talk/exp001-b")
    made = read_one("exp001-b")
    assert (made.experiment, made.title, made.model) == ("exp001", "exp001 of the tests", "none")
    assert (made.competition, made.date) == ("talk", record["infer"]["started"])
    assert made.dev_rows == 2
    assert made.dev == scores(repository, "exp001-b", "dev")
    assert made.test == scores(repository, "exp001-b", "test")
    assert set(made.dev) == set(record["infer"]["scores"]) == {"leaderboard", "rouge101", "korouge"}
    for profile, entry in made.dev.items():
        recorded = record["infer"]["scores"][profile]
        assert entry.score == recorded["headline"]
        assert [entry.low, entry.high] == recorded["intervals"][entry.key]
    assert made.settings == {"turn": 1}  # the seed is the default's
    assert read_one("exp001").settings == {}
    assert list(made.stages) == ["train", "infer"]
    for name, stage in made.stages.items():
        assert (stage.minutes, stage.processes) == (record[name]["minutes"], 1)
        assert stage.packages == record[name]["packages"]
        assert (stage.commit, stage.dirty) == (None, None)
        assert str(record[name]["hardware"]["cores"]) in stage.hardware
    assert record["infer"]["checkpoint"].startswith(made.checkpoint)
    assert len(made.checkpoint) == 12
    data = record["train"]["data"] | record["infer"]["data"]
    assert made.data == {path: entry["sha256"][:12] for path, entry in data.items()}
    assert len((repository / "results/talk/exp001-b.json").read_bytes()) < 8000


def test_a_smoke_run_and_a_hidden_test_leave_no_scores(repository: Path) -> None:
    before = sorted((repository / "results").rglob("*"))
    for stage in ("train", "infer"):
        repositories.stage(repository, "exp001", stage, "--smoke")
    assert sorted((repository / "results").rglob("*")) == before
    (repository / "competitions/talk/data/solution.csv").unlink()
    repositories.stage(repository, "exp001", "infer")
    assert read_one("exp001").test == {}
    assert read_one("exp001").dev == scores(repository, "exp001", "dev")


def test_a_result_names_no_folder_of_this_machine(repository: Path) -> None:
    talk = load_competition("talk")
    folder = repository / "outputs/talk/exp001"
    report = scoring.report(talk, "dev", read_predictions(folder / "dev/predictions.csv", talk))
    settings = {
        "a": "/home/someone/model",
        "b": str(repository / "outputs/x"),
        "c": ["/tmp/y", "z"],
        "d": "Qwen/Q",
    }
    made = from_record(folder, settings, report, None)
    assert made.settings == {"a": "…/model", "b": "outputs/x", "c": ["…/y", "z"], "d": "Qwen/Q"}


def changed(change: Callable[[dict[str, Any]], object]) -> Callable[[str], bytes]:
    def edit(text: str) -> bytes:
        value = json.loads(text)
        change(value)
        return json.dumps(value).encode()

    return edit


BROKEN = [
    (lambda text: text[: len(text) // 2].encode(), "not a result ("),
    (lambda text: ("<<<<<<< HEAD\n" + text).encode(), "not a result ("),
    (lambda text: b"\xff" + text.encode(), "not a result ("),
    (lambda text: b"[]", "wanted Result"),
    (changed(lambda v: v.pop("dev")), '"dev" is missing'),
    (changed(lambda v: v["dev"]["korouge"].pop("low")), '"dev.korouge.low" is missing'),
    (
        changed(lambda v: v["dev"]["korouge"].update(score="high")),
        "\"dev.korouge.score\" is 'high', wanted float",
    ),
    (
        changed(lambda v: v["dev"]["korouge"].update(score=float("nan"))),
        '"dev.korouge.score" is nan, wanted float',
    ),
    (changed(lambda v: v["stages"]["train"].update(dirty=1)), '"stages.train.dirty" is 1, wanted bool'),
    (changed(lambda v: v.update(stages=[])), '"stages" is [], wanted dict'),
    (changed(lambda v: v.update(date="yesterday")), "yesterday"),
    (changed(lambda v: v.update(run="exp002")), "is the result of talk/exp002"),
]


@pytest.mark.parametrize(("edit", "reason"), BROKEN)
def test_a_broken_result_is_named_in_one_line(
    repository: Path, edit: Callable[[str], bytes], reason: str
) -> None:
    path = repository / RESULT
    path.write_bytes(edit(path.read_text(encoding="utf-8")))
    with pytest.raises(UserError) as caught:
        read_results("talk")
    message = str(caught.value)
    assert message.startswith(f"{RESULT}: not a result (")
    assert reason in message
    assert "\n" not in message
    assert read_results("another") == []


def test_a_newer_file_with_more_fields_is_read(repository: Path) -> None:
    path, before = repository / RESULT, read_one("exp001")
    path.write_bytes(changed(lambda v: v.update(extra=1))(path.read_text(encoding="utf-8")))
    assert read_one("exp001") == before


def git(repository: Path, *words: str) -> str:
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    return subprocess.run(
        ["git", *author, *words], cwd=repository, capture_output=True, text=True, check=True
    ).stdout


def test_a_written_result_does_not_make_the_next_run_dirty(repository: Path) -> None:
    (repository / ".gitignore").write_text("outputs/\n.cache/\n__pycache__/\n", encoding="utf-8")
    (repository / RESULT).unlink()
    git(repository, "init", "--quiet")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message=all")
    commit = git(repository, "rev-parse", "HEAD").strip()
    for _ in range(2):  # the second time there is a result that git does not know
        repositories.stage(repository, "exp001", "infer")
        infer = read_one("exp001").stages["infer"]
        assert (infer.commit, infer.dirty) == (commit, False)
    assert git(repository, "status", "--porcelain") == f"?? {RESULT}\n"
    (repository / "experiments/exp001/README.md").write_text("# changed\n", encoding="utf-8")
    repositories.stage(repository, "exp001", "infer")
    assert read_one("exp001").stages["infer"].dirty is True


def test_results_of_every_machine_are_listed_best_first(repository: Path) -> None:
    own = {name: read_one(name) for name in ("exp001", "exp002")}
    score = own["exp002"].dev["leaderboard"]
    stage = replace(
        own["exp002"].stages["train"],
        minutes=90.0,
        hardware="2 × NVIDIA H200",
        commit="abcdef0123",
        dirty=True,
    )
    foreign = replace(
        own["exp002"],
        run="exp002-big",
        date="2099-01-01T00:00:00+00:00",
        dev={"leaderboard": replace(score, score=99.5, floor=None)},
        test={},
        stages={"train": stage},
    )
    write_result(foreign)
    assert read_one("exp002-big") == foreign
    table = leaderboard.results(read_results("talk"), "leaderboard", everything=True)
    assert [row[0] for row in table[:2]] == ["run", "exp002-big"]
    by_score = sorted(own.values(), key=lambda r: -r.dev["leaderboard"].score)
    assert [row[0] for row in table[2:]] == [result.run for result in by_score]
    columns = dict(zip(table[0], table[1], strict=True))
    assert (columns["dev leaderboard"], columns["floor"], columns["dev korouge"]) == ("99.50", "–", "–")
    assert (columns["minutes"], columns["hardware"], columns["commit"]) == (
        "90.0",
        "2 × NVIDIA H200",
        "abcdef0*",
    )

    assert columns["over floor"] == "–"
    score, floor = (float(table[2][table[0].index(name)]) for name in ("dev leaderboard", "floor"))
    assert table[2][table[0].index("over floor")] == f"{score - floor:+.2f}"
    short = leaderboard.results(read_results("talk"), "leaderboard")
    assert set(table[0]) - set(short[0]) == {"dev rouge_sum", "dev korouge"}

    printed = shown("results")
    assert printed.startswith("Talk")
    assert "99.50" in printed
    lines = shown("results", "--markdown").splitlines()
    assert len(lines) == 5
    assert lines[1] == "|" + "---|" * len(table[0])
    assert all(line.count("|") == len(table[0]) + 1 for line in lines)

    listed = {e["name"]: e for e in json.loads(shown("list", "--json"))["experiments"]}
    assert (listed["exp002"]["dev"], listed["exp002"]["run"]) == (99.5, "exp002-big")
    assert listed["exp001"]["dev"] == own["exp001"].dev["leaderboard"].score
    assert "99.50 (exp002-big)" in shown("list")


def test_without_results_the_tables_say_so(repository: Path) -> None:
    for path in (repository / "results/talk").iterdir():
        path.unlink()
    assert shown("results") == "talk: no result yet; infer writes one: make exp=exp002 infer\n"
    assert [e["dev"] for e in json.loads(shown("list", "--json"))["experiments"]] == [None, None]
