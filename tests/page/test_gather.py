"""What the page is given: the right values of runs and submissions, and a gap for everything that cannot be read."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.data.competition_file import load_competition
from common.page.content import Content
from common.page.curves import MOST_POINTS, thinned
from common.page.finite import finite
from common.page.gather import gather
from common.runs.results import read_results
from tests.support import REPOSITORY, page_world

COMPETITION = page_world.COMPETITION


@pytest.fixture
def world(workspace: Path) -> Path:
    """A repository root with the experiments and no run."""
    (workspace / "experiments").symlink_to(REPOSITORY / "experiments")
    return workspace


def gathered(only: str = "") -> Content:
    return gather(load_competition(COMPETITION), only)


def ledger_lines(root: Path) -> list[dict[str, Any]]:
    text = (root / "submissions" / "ledger.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def told(content: Content) -> list[str]:
    return [gap["en"] for gap in content.gaps]


def test_nothing_there_is_no_gap(world: Path) -> None:
    content = gathered()
    assert (content.runs, content.submissions, content.curves, content.trust, content.gaps) == (
        [],
        [],
        [],
        [],
        [],
    )
    assert [profile["name"] for profile in content.profiles] == ["leaderboard"]


def test_a_run_has_the_values_of_its_files(world: Path) -> None:
    page_world.write(world, 5, 1)
    content = gathered()
    assert len(content.runs) == 5
    assert content.gaps == []
    times = [row.started or "" for row in content.runs]
    assert times == sorted(times, reverse=True)
    results = {result.run: result for result in read_results(COMPETITION)}
    for row in content.runs:
        result, record = results[row.name], record_of(world, row.name)
        assert {name: score.score for name, score in row.dev.items()} == {
            name: score.score for name, score in result.dev.items()
        }
        assert (row.dev["leaderboard"].low, row.dev["leaderboard"].floor) == (
            result.dev["leaderboard"].low,
            page_world.FLOORS["leaderboard"],
        )
        assert row.minutes == {stage: record[stage]["minutes"] for stage in ("train", "infer")}
        assert (row.settings, row.whole) == (record["train"]["config"], True)
        assert row.changed == {
            key: record["train"]["config"][key] for key in ("training.learning_rate", "seed")
        }
        assert row.commit == record["infer"]["git"]["commit"]
        assert row.status == "trained"
        spent = record["infer"]["notes"].get("llm_dev")
        assert row.money == (spent["cost"] if spent else None)
        cut = record["infer"]["notes"]["cut"]["dev"]
        assert row.shares.cut == cut["cut"] / cut["summaries"]
        assert row.shares.rows == 200
    [made] = content.submissions
    line = ledger_lines(world)[0]
    assert made.dev["leaderboard"].score == line["dev"]["blend"]["leaderboard"]
    assert made.dev["leaderboard"].low == line["interval"]["low"]
    assert made.dev["rouge101"].low is None  # the ledger has the interval of one profile
    assert made.gain is not None
    assert (made.best_member, made.gain.score) == (line["verdict"]["best"], line["verdict"]["difference"])
    assert made.public == ledger_lines(world)[1]["lb"]["public"]


def record_of(root: Path, run: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(
        (root / "outputs" / COMPETITION / run / "run.json").read_text(encoding="utf-8")
    )
    return record


def test_a_result_without_its_run_folder_is_a_row_too(world: Path) -> None:
    page_world.write(world, 1)
    (world / "outputs").rename(world / "elsewhere")
    [row] = gathered().runs
    assert (row.status, row.whole, set(row.settings)) == ("result", False, {"training.learning_rate", "seed"})
    assert row.shares.copied is None
    assert row.minutes.keys() == {"train", "infer"}
    assert gathered().gaps == []


def test_a_run_without_a_result_has_every_score_of_its_folder(world: Path) -> None:
    page_world.write(world, 1)
    path = world / "results" / COMPETITION / "exp002.json"
    result = read_results(COMPETITION)[0]
    path.unlink()
    scores = [
        {
            "profile": profile, "headline_key": profile, "headline": score.score,
            "metrics": {score.key: score.score, f"{profile}/rouge1": 0.4}, "intervals": {score.key: [score.low, score.high]},
        }
        for profile, score in result.dev.items()
    ]  # fmt: skip
    write_scores(world, scores)
    [row] = gathered().runs
    assert (row.name, row.status) == ("exp002", "trained")
    assert {name: (found.score, found.low, found.high, found.floor) for name, found in row.dev.items()} == {
        name: (found.score, found.low, found.high, found.floor) for name, found in result.dev.items()
    }
    assert row.dev["leaderboard"].metrics == {"rouge1": 0.4}
    assert [profile["name"] for profile in gathered().profiles] == list(page_world.PROFILES)


def write_scores(root: Path, scores: Any) -> None:
    path = root / "outputs" / COMPETITION / "exp002" / "dev" / "scores.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**report, "scores": scores}), encoding="utf-8")


@pytest.mark.parametrize("intervals", [None, {}, {"leaderboard/leaderboard": [None, "?"]}])
def test_a_folder_without_intervals_has_its_score(world: Path, intervals: Any) -> None:
    page_world.write(world, 1)
    (world / "results" / COMPETITION / "exp002.json").unlink()
    score = {
        "profile": "leaderboard",
        "headline_key": "leaderboard",
        "headline": 41.5,
        "metrics": {"leaderboard/leaderboard": 41.5},
    }
    write_scores(world, [score if intervals is None else {**score, "intervals": intervals}])
    [row] = gathered().runs
    found = row.dev["leaderboard"]
    assert (found.score, found.low, found.high) == (41.5, None, None)
    assert found.floor == page_world.FLOORS["leaderboard"]


@pytest.mark.parametrize("scores", [None, 3, ["?"], [{"profile": "leaderboard", "headline": "?"}], [{}]])
def test_scores_that_are_none_leave_the_row(world: Path, scores: Any) -> None:
    page_world.write(world, 1)
    (world / "results" / COMPETITION / "exp002.json").unlink()
    write_scores(world, scores)
    [row] = gathered().runs
    assert (row.name, row.dev) == ("exp002", {})


def test_the_result_of_another_checkpoint_is_not_shown_as_this_run_s(world: Path) -> None:
    page_world.write(world, 2)
    path = world / "results" / COMPETITION / "exp002.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**result, "checkpoint": "0" * 12}), encoding="utf-8")
    content = gathered()
    row = next(row for row in content.runs if row.name == "exp002")
    folder = world / "outputs" / COMPETITION / "exp002" / "dev" / "scores.json"
    [score, *_] = json.loads(folder.read_text(encoding="utf-8"))["scores"]
    assert (row.dev["leaderboard"].score, row.dev["leaderboard"].low) == (score["headline"], None)
    assert row.test == {}
    [gap] = told(content)
    assert gap.startswith("results/daily_talk/exp002.json: made with another checkpoint")
    assert gap.endswith("make exp=exp002 infer")


def test_a_run_without_metrics_has_no_curve(world: Path) -> None:
    page_world.write(world, 3)
    (world / "outputs" / COMPETITION / "exp003" / "metrics.jsonl").unlink()
    content = gathered()
    assert {curve.run for curve in content.curves} == {"exp002", "exp010"}
    assert len(content.runs) == 3
    assert content.gaps == []


def test_a_damaged_ledger_line_costs_that_line_only(world: Path) -> None:
    page_world.write(world, 6, 4)
    path = world / "submissions" / "ledger.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    submissions = [number for number, line in enumerate(lines, 1) if "csv_sha256" in line]
    lines[submissions[0] - 1] = lines[submissions[0] - 1][:40]
    lines[submissions[1] - 1] = json.dumps({**json.loads(lines[submissions[1] - 1]), "members": [7]})
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    content = gathered()
    assert [row.recipe for row in content.submissions] == ["blend02", "blend03"]
    damaged = told(content)
    assert len(damaged) == 2
    assert damaged[0].startswith("submissions/ledger.jsonl:1: not valid JSON")
    assert damaged[1].startswith("submissions/ledger.jsonl: submission")
    assert "is damaged" in damaged[1]


def test_a_merge_conflict_in_the_ledger_costs_its_markers_only(world: Path) -> None:
    page_world.write(world, 3, 2)
    path = world / "submissions" / "ledger.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text(
        "\n".join(["<<<<<<< HEAD", *lines[:2], "=======", *lines[2:], ">>>>>>> theirs"]) + "\n",
        encoding="utf-8",
    )
    content = gathered()
    assert len(content.submissions) == 2
    assert len(told(content)) == 3


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("results/daily_talk/exp003.json", "{"),
        ("outputs/daily_talk/exp003/metrics.jsonl", '{"step": 1}\nnonsense\n{"step": 2}\n'),
        ("outputs/daily_talk/exp003/dev/scores.json", "[]"),
        ("outputs/daily_talk/exp003/dev/scores.json", "{"),
    ],
)
def test_a_damaged_file_is_a_gap_and_the_run_stays(world: Path, file: str, text: str) -> None:
    page_world.write(world, 3)
    (world / file).write_text(text, encoding="utf-8")
    content = gathered()
    assert {row.name for row in content.runs} == {"exp002", "exp003", "exp010"}
    assert len(told(content)) == 1
    assert file in told(content)[0]


def test_a_record_with_other_things_leaves_the_result(world: Path) -> None:
    page_world.write(world, 2)
    path = world / "outputs" / COMPETITION / "exp003" / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["infer"]["hardware"] = {}
    path.write_text(json.dumps(record), encoding="utf-8")
    content = gathered()
    row = next(row for row in content.runs if row.name == "exp003")
    assert row.dev["leaderboard"].score == read_results(COMPETITION)[1].dev["leaderboard"].score
    assert len(told(content)) == 1
    assert "exp003/run.json" in told(content)[0]


def test_the_gaps_are_in_both_languages(world: Path) -> None:
    page_world.write(world, 1, 1)
    path = world / "submissions" / "ledger.jsonl"
    path.write_text("[]\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    [gap] = gathered().gaps
    assert gap["en"] != gap["ko"]
    assert "ledger.jsonl:1" in gap["ko"]


def test_a_report_has_one_run_and_its_submissions(world: Path) -> None:
    page_world.write(world, 9, 6)
    whole = gathered()
    member = whole.submissions[-1].members[0]
    content = gathered(member)
    assert [row.name for row in content.runs] == [member]
    assert [row.id for row in content.submissions] == [
        row.id for row in whole.submissions if member in row.members
    ]
    assert [curve.run for curve in content.curves] == [member]
    assert content.only == member


def test_thinning_keeps_the_ends_and_every_peak() -> None:
    points = [[float(step), 1.0] for step in range(5000)]
    points[3333][1], points[1234][1] = 99.0, -99.0
    kept = thinned(points)
    assert len(kept) <= MOST_POINTS + 2
    assert kept[0] == [0.0, 1.0]
    assert kept[-1] == [4999.0, 1.0]
    assert [3333.0, 99.0] in kept
    assert [1234.0, -99.0] in kept
    assert kept == sorted(kept)
    assert thinned(points[:5]) == points[:5]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, True, "7", None, [], {}])
def test_what_is_no_number_is_none(value: object) -> None:
    assert finite(value) is None


def test_a_number_is_one() -> None:
    assert [finite(value) for value in (0, -1.5, 10**300)] == [0.0, -1.5, 1e300]


def test_numbers_that_are_none_are_left_out_of_a_curve(world: Path) -> None:
    page_world.write(world, 1)
    path = world / "outputs" / COMPETITION / "exp002" / "metrics.jsonl"
    path.write_text(
        '{"step": 1, "loss": "x", "score": true}\n{"loss": 2}\n{"step": 3, "loss": 1.5}\n', encoding="utf-8"
    )
    [curve] = gathered().curves
    assert curve.series == {"loss": [[3, 1.5]]}
