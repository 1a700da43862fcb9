"""Processes that do not find each other, or more of them than GPUs, are refused."""

from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState, PartialState

from common.core import distributed
from common.core.distributed import require_together
from common.core.errors import UserError
from common.models.pretrained import device
from tests.support import worker


def test_processes_that_do_not_find_each_other_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    AcceleratorState._reset_state(reset_partial_state=True)
    for name in (
        "RANK",
        "LOCAL_RANK",
        "LOCAL_WORLD_SIZE",
        "MASTER_ADDR",
        "MASTER_PORT",
    ):  # accelerate sets some
        monkeypatch.setenv(name, "0")
        monkeypatch.delenv(name)
    monkeypatch.setenv("WORLD_SIZE", "2")
    for act in (
        lambda: worker.train("bart", tmp_path / "run", worker.CONFIG),
        lambda: distributed.gather([1]),
    ):
        with pytest.raises(UserError, match="2 processes were started, but they cannot find each other"):
            act()
        PartialState._reset_state()
    with pytest.raises(
        UserError, match=r"2 processes were started, but only 1 form a group; start them with make … gpus=N"
    ):
        require_together(1)


@pytest.mark.parametrize("rank", [0, 1])
def test_more_processes_than_gpus_are_refused_before_they_meet(
    monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    """By every process of the machine, so that the first says it."""
    AcceleratorState._reset_state(reset_partial_state=True)
    for name, value in {"WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "RANK": rank, "LOCAL_RANK": rank}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for act in (distributed.wait, lambda: distributed.gather([rank]), device):
        with pytest.raises(
            UserError, match=r"^gpus= needs at least 2 GPUs, but this machine has 1; lower it\.$"
        ):
            act()
    assert not PartialState._shared_state
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device() == torch.device("cuda", rank)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device() == torch.device("cpu")


def test_one_process_cannot_shard(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--sharding fsdp needs several processes"):
        worker.train("bart", tmp_path / "run", worker.SHARDED)
