"""Batches are made ahead in a thread, in their order, and no more once nobody wants them."""

import threading
import time

import pytest
import torch

from common.training import ahead
from common.training.ahead import batches_ahead
from common.training.config import TrainingConfig
from common.training.losses import Batch
from common.training.plan import Plan

CPU = torch.device("cpu")


def test_batches_come_in_order_from_another_thread() -> None:
    threads = set()

    def make(item: int) -> Batch:
        threads.add(threading.get_ident())
        return {"item": torch.tensor(item)}

    assert [int(batch["item"]) for batch in batches_ahead(make, range(20), CPU)] == list(range(20))
    assert len(threads) == 1 and threading.get_ident() not in threads


def test_the_next_ones_are_made_while_one_is_used() -> None:
    made: list[int] = []

    def make(item: int) -> Batch:
        made.append(item)
        return {"item": torch.tensor(item)}

    feed = batches_ahead(make, range(100), CPU)
    next(feed)
    for _ in range(100):
        if len(made) == 1 + ahead.AHEAD:
            break
        time.sleep(0.05)
    assert made == list(range(1 + ahead.AHEAD))
    feed.close()
    time.sleep(0.05)
    assert made == list(range(1 + ahead.AHEAD))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("collate")]


def test_an_error_arrives_at_the_turn_of_its_batch() -> None:
    def make(item: int) -> Batch:
        if item == 2:
            raise KeyError("target")
        return {"item": torch.tensor(item)}

    feed = batches_ahead(make, range(5), CPU)
    assert [int(next(feed)["item"]) for _ in range(2)] == [0, 1]
    with pytest.raises(KeyError, match="target"):
        next(feed)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_processes_share_every_step(processes: int) -> None:
    """All take equally many batches; together each one once with weight 1."""
    lengths = tuple(range(3, 40))
    plan = Plan(
        lengths, lengths, TrainingConfig(epochs=2, tokens_per_batch=100, accumulation=2), 1, processes
    )
    assert list(plan.steps(after=3)) == list(plan.steps())[3:]
    for step in plan.steps():
        shares = [plan.share(step, rank) for rank in range(processes)]
        assert len({len(share) for share in shares}) == 1
        counted = [batch for share in shares for batch, weight in share if weight]
        assert sorted(counted) == sorted(step)
        assert all(batch == step[0] for share in shares for batch, weight in share if not weight)
