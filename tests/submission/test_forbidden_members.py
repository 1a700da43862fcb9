"""Submit refuses members that saw dev or test, or that the rules forbid."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.core.errors import UserError
from common.core.files import sha256_file
from common.data.competition_file import load_competition
from common.data.rows import read_split
from tests.support.rules import FAR, SOURCES, forbid, made, new, refused, submit


def edit_record(root: Path, run: str, stage: str, **values: Any) -> None:
    path = root / "outputs" / "talk" / run / "run.json"
    stages = json.loads(path.read_text(encoding="utf-8"))
    stages[stage] |= values
    path.write_text(json.dumps(stages), encoding="utf-8")


def trained_on(root: Path, path: Path) -> None:
    """Let exp001's record say that it was trained on these augmented rows too."""
    record = json.loads((root / "outputs/talk/exp001/run.json").read_text(encoding="utf-8"))["train"]
    key = str(path.relative_to(root))
    data = {**record["data"], key: {"sha256": sha256_file(path), "rows": 1, "warnings": {}}}
    edit_record(root, "exp001", "train", data=data)


def test_submit_refuses_members_that_saw_dev_or_test(repository: Path) -> None:
    path = made(repository, new(FAR))
    trained_on(repository, path)
    assert submit(repository).path.exists()
    dev = read_split(load_competition("talk"), "dev").rows[0]
    trained_on(repository, made(repository, new(FAR), new(dev.dialogue.replace("?", "!"), number=1)))
    with pytest.raises(UserError, match=r'"train_0.x1" is a near-copy of "dev_0" \(similarity 1.00\)'):
        submit(repository)
    made(repository, new(FAR))  # other rows than it was trained on: they say nothing about it
    with pytest.raises(
        UserError, match=r"outputs/talk/exp001: was trained on .*swap/rows.csv, which is gone or has"
    ):
        submit(repository, allow_stale=True)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"competition": "daily_talk"}, "was made for daily_talk, and an entry for talk"),
        (
            {"notes": {"near_copy": 0.9}},
            "was run with near_copy 0.9, and talk now has 0.15",
        ),
        (
            {"config": {"base.model": "someone/dialogsum"}},
            "--base.model someone/dialogsum, and talk forbids DialogSum",
        ),
        ({"sources": {"a/b": ["dialogsum"]}}, "a/b names dialogsum in its model card"),
        (
            {"data": {"competitions/daily_talk/data/train.csv": {"sha256": "0"}}},
            "read competitions/daily_talk/data/tr",
        ),
        (
            {"data": {"outputs/daily_talk/augmented/x/rows.csv": {"sha256": "0"}}},
            "may only use its own rows",
        ),
        (
            {"data": {"extra/dialog-sum.csv": {"sha256": "0"}}},
            "it read extra/dialog-sum.csv, and talk forbids DialogSum",
        ),
    ],
)
@pytest.mark.parametrize("stage", ["train", "infer"])
def test_submit_refuses_members_against_the_rules(
    repository: Path, stage: str, values: dict[str, Any], part: str
) -> None:
    forbid(repository, *SOURCES)
    edit_record(repository, "exp002", stage, **values)
    with pytest.raises(UserError) as caught:
        submit(repository, allow_stale=True)
    done = {"train": "trained", "infer": "inferred"}[stage]
    assert str(caught.value).startswith(f"outputs/talk/exp002, {done}: ")
    assert part in str(caught.value)
    assert not (repository / "submissions" / "talk.csv").exists()


def test_a_run_of_another_competition_is_not_inferred(repository: Path) -> None:
    edit_record(repository, "exp001", "train", competition="daily_talk")
    assert "outputs/talk/exp001, trained: was made for daily_talk" in refused(repository, "infer")
