"""`make blend-report` and a stacked submission, from the command line."""

import json
import re
from pathlib import Path

import pytest

from common.ensemble.cross_validation import CHOICE_METHODS, Verdict, Verdicts
from common.ensemble.report import BlendReport, advice, tables
from common.rouge import Comparison
from tests.support import tiny


@pytest.mark.parametrize(
    ("low", "high", "word", "advised"),
    [
        (0.5, 2.0, "better", 'Blending helps: method = "auto" is better than exp001 alone'),
        (-2.0, 1.0, "may be chance", "No blend is clearly better than exp001 alone: submit exp001."),
        (
            -9.0,
            -4.0,
            "worse",
            'Blending hurts: method = "auto" is worse than exp001 alone (95 % interval below 0)',
        ),
        (0.0, 0.0, "equal", "No blend is clearly better than exp001 alone: submit exp001."),
    ],
)
def test_a_blend_is_called_what_its_interval_says(low: float, high: float, word: str, advised: str) -> None:
    auto = Verdict("auto", 40.0, Comparison((low + high) / 2, low, high, 0.01, 0.01, 50), 0.1)
    found = BlendReport(
        "leaderboard",
        50,
        100,
        {},
        Verdicts({"exp001": 41.0}, "exp001", 45.0, (auto,), {}),
        {"all": {"exp001": 41.0}},
    )
    assert tables(found)[0][1][-1] == word
    assert advice(found).startswith(advised)
    assert "exp001" in advice(found)


def test_members_are_reported_and_stacked_into_a_valid_submission(tmp_path: Path) -> None:
    root = tiny.repository(tmp_path / "repository", train_rows=40, other_rows=30)
    runs = {"exp001": [], "exp001-other": ["--most-turns=1"], "exp001-twin": ["--seed=3"]}
    for run, words in runs.items():
        for stage in ("train", "infer"):
            command = ["common", stage, "exp001", "--competition=daily_talk", f"--run={run}", *words]
            code, output = tiny.call(root, *command)
            assert code == 0, output
    (root / "submissions").mkdir()
    (root / "submissions" / "two.toml").write_text(
        'competition = "daily_talk"\nmethod = "stack"\ncandidates = 4\n'
        'members = [{ run = "exp001" }, { run = "exp001-other" }, { run = "exp001-twin" }]\n',
        encoding="utf-8",
    )
    blend = ["--competition=daily_talk", "--blend=two"]
    code, output = tiny.call(root, "common", "blend-report", *blend)
    assert code == 0, output
    for name in (*CHOICE_METHODS, "control (auto)", "oracle", "exp001-other"):
        assert re.search(rf"(?m)^{re.escape(name)} +[0-9.]+", output), name
    assert re.search(r"Control: against references of other dialogues, auto gains [+-][0-9.]+", output)
    assert "daily_talk dev: 30 dialogues" in output
    assert "exp001-twin has the same predictions as exp001: the two count as one member." in output
    assert re.search(r"(submit exp001|is better than exp001)", output)

    code, output = tiny.call(root, "common", "submit", *blend, "--force", "--json")
    assert code == 0, output
    entry = json.loads(output.splitlines()[-1])
    assert entry["method"] == "stack"
    assert entry["copies"] == {"exp001-twin": "exp001"}
    assert set(entry["verdict"]) == {"best", "difference", "low", "high", "supported"}
    lines = (root / "submissions" / "two.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 31

    toml = root / "competitions" / "daily_talk" / "competition.toml"
    toml.write_text(
        toml.read_text(encoding="utf-8").replace("near_copy = 0.999", "near_copy = 0.01"), encoding="utf-8"
    )
    code, output = tiny.call(root, "common", "blend-report", *blend)
    assert code == 1
    assert "Raise [rules] near_copy" in output
