"""Checkpoints by step: the newest intact one is found, old ones are deleted."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from common.core import verified_folder
from common.core.errors import UserError
from common.training import checkpoints
from common.training.checkpoints import newest_intact, step_folder


def writing(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "inner").mkdir()
        (folder / "weights.bin").write_text(text * 1000, encoding="utf-8")
        (folder / "inner" / "state.txt").write_text(text, encoding="utf-8")

    return write


def saved(parent: Path, *steps: int) -> list[Path]:
    for step in steps:
        verified_folder.save(step_folder(parent, step), writing(str(step)))
    return [step_folder(parent, step) for step in steps]


def test_the_newest_intact_checkpoint_is_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert newest_intact(tmp_path / "none") is None
    nine, ten, eleven, hundred = saved(tmp_path, 9, 10, 11, 100)
    (tmp_path / "step-100").mkdir()  # not ours
    (tmp_path / ".staging-step-00000200").mkdir()
    assert checkpoints.steps(tmp_path) == [nine, ten, eleven, hundred]
    assert newest_intact(tmp_path) == hundred
    caplog.clear()
    (hundred / "weights.bin").unlink()
    (eleven / "weights.bin").write_text("x", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert newest_intact(tmp_path) == ten
    assert [message.split(":")[0] for message in caplog.messages] == [
        "ignoring step-100", "skipping checkpoint step-00000100", "skipping checkpoint step-00000011",
    ]  # fmt: skip


def test_a_checkpoint_of_a_wrong_shape_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    saved(tmp_path, *range(1, 9))
    manifests = [
        "[]",
        "7",
        '"text"',
        "null",
        '{"weights.bin": 3}',
        '{"../../etc/passwd": "x"}',
        '{"/etc/passwd": "x"}',
    ]
    for step, text in enumerate(manifests, 1):
        (step_folder(tmp_path, step) / "manifest.json").write_text(text, encoding="utf-8")
    (step_folder(tmp_path, 8) / "manifest.json").unlink()
    (step_folder(tmp_path, 8) / "manifest.json").mkdir()
    step_folder(tmp_path, 9).write_text("a file", encoding="utf-8")
    (tmp_path / "step-ten").mkdir()
    (tmp_path / "step-00000011").symlink_to(tmp_path / "nowhere")
    with caplog.at_level(logging.WARNING):
        assert newest_intact(tmp_path) is None
    assert "\n" not in "".join(caplog.messages)
    assert len(caplog.messages) == 1 + 10 + 1
    assert caplog.messages[0] == "ignoring step-ten: checkpoints are named step- and eight digits"
    assert caplog.messages[2].endswith("step-00000009 is not a folder")
    assert caplog.messages[-1].endswith("is intact: training begins from the start")
    (newest,) = saved(tmp_path, 12)
    checkpoints.prune(tmp_path, newest, 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000012", "step-ten"]


def test_a_file_in_place_of_the_checkpoints_is_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match=r"checkpoints: wanted a folder of checkpoints.*restart=1\.$"):
        newest_intact(tmp_path / "checkpoints")


@pytest.mark.parametrize(
    ("keep", "left"), [(1, [5]), (2, [4, 5]), (3, [3, 4, 5]), (9, [1, 2, 3, 4, 5]), (0, [5])]
)
def test_pruning_keeps_the_newest_ones(tmp_path: Path, keep: int, left: list[int]) -> None:
    paths = saved(tmp_path, 1, 2, 3, 4, 5)
    (tmp_path / ".staging-step-00000006").mkdir()
    (tmp_path / ".old-step-00000003").mkdir()
    checkpoints.prune(tmp_path, paths[-1], keep)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"step-{n:08d}" for n in left]


def test_pruning_after_a_resume_deletes_the_damaged_later_ones_first(tmp_path: Path) -> None:
    saved(tmp_path, 8, 10, 12)
    for step in (10, 12):
        (step_folder(tmp_path, step) / "weights.bin").unlink()
    assert newest_intact(tmp_path) == step_folder(tmp_path, 8)
    (newest,) = saved(tmp_path, 9)  # training went on from 8
    checkpoints.prune(tmp_path, newest, 2)
    assert [p.name for p in checkpoints.steps(tmp_path)] == ["step-00000008", "step-00000009"]


@pytest.mark.parametrize(
    ("minutes", "saving", "seconds"),
    [
        (5.0, 0.0, 300.0),
        (5.0, 10.0, 300.0),  # 190 seconds would do
        (5.0, 20.0, 380.0),
        (5.0, 180.0, 3420.0),  # weights and Adam of 7 billion parameters: every hour, not every five minutes
        (0.0, 180.0, 0.0),  # one after each step, as asked
    ],
)
def test_the_pause_grows_until_saving_takes_a_twentieth(
    minutes: float, saving: float, seconds: float
) -> None:
    found = checkpoints.pause(minutes, saving)
    assert found == pytest.approx(seconds)
    assert not minutes or saving / (saving + found) <= checkpoints.MOST_SAVING + 1e-9


def test_a_longer_pause_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        for before, saving in ((0.0, 2.0), (2.0, 60.0), (60.0, 70.0)):
            checkpoints.tell_of_pause(5.0, before, saving)
        checkpoints.tell_of_pause(0.0, 0.0, 70.0)
    assert [record.getMessage() for record in caplog.records] == [
        "a checkpoint took 60 seconds: the next ones are at least 19 minutes apart, so that saving takes at most 5% of the time"
    ]
