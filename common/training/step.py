"""Take one optimizer step, with batches that are made ahead of it."""

import contextlib
import math
from collections.abc import Callable, Generator, Iterator
from typing import Any

import torch
from datasets import Dataset
from torch.distributed.tensor import DTensor

from common.core.errors import UserError
from common.core.files import shown
from common.tokenization.batches import with_targets
from common.training.ahead import batches_ahead
from common.training.losses import Batch
from common.training.resume import TrainingState

NO_GRADIENT = (
    "no gradient reached the trained weights: gradient checkpointing does not work with this model and quantization "
    "on this machine. Train again with restart=1 and --gradient-checkpointing false or --quantization none."
)
UNUSED = (
    "some trained weights take no part in the loss, which training in several processes does not allow. Train with "
    "restart=1 and adapters of other layers, such as --targets attention, or in one process, without gpus=N."
)


def batches_of_steps(training: TrainingState, after: int) -> Generator[Batch, None, None]:
    """Yield the batches of this process, those of one optimizer step after another, from the step after `after`."""
    rank = training.accelerator.process_index
    rows = (r for step in training.plan.steps(after) for r, _ in training.plan.share(step, rank))
    return batches_ahead(
        lambda r: with_targets(training.collate(_rows(training.examples, r))),
        rows,
        training.accelerator.device,
    )


def take_step(
    training: TrainingState, batches: list[list[int]], feed: Iterator[Batch], asked: Callable[[], bool]
) -> tuple[float, float, bool]:
    """Take one optimizer step with the batches of all processes, of which this process's are the next in `feed`.

    Return the loss per target token, the gradient norm, and whether `asked` was true in any process.
    """
    accelerator, config = training.accelerator, training.config
    tokens = training.plan.target_tokens(batches)
    share = training.plan.share(batches, accelerator.process_index)
    sums = torch.zeros(2, device=accelerator.device)  # loss, number of processes in which `asked` was true
    training.model.train()
    training.optimizer.zero_grad(set_to_none=True)
    try:
        for number, (_, weight) in enumerate(share, 1):
            batch, last = next(feed), number == len(share)
            with contextlib.nullcontext() if last else accelerator.no_sync(training.model):
                with accelerator.autocast():
                    part = training.loss(training.model, batch, config.label_smoothing) * weight
                # Divide by the tokens of the whole step, so that the gradient does not depend on how the step is split
                # into batches. Multiply by the number of processes, because the exchange takes the mean over them.
                accelerator.backward(part * accelerator.num_processes / tokens)
            sums[0] += part.detach()
    except RuntimeError as error:
        if "does not require grad" in str(error):
            raise UserError(NO_GRADIENT) from error
        if "Expected to have finished reduction" in str(error):
            raise UserError(UNUSED) from error
        raise
    if asked():
        sums[1] = 1
    summed = accelerator.reduce(sums, "sum")
    clipped = accelerator.clip_grad_norm_(training.model.parameters(), config.max_gradient_norm)
    norms = clipped.full_tensor() if isinstance(clipped, DTensor) else clipped
    # A GPU finishes its work before it tells a number, so it is asked once.
    loss, any_asked, norm = torch.cat([summed, norms.to(summed).reshape(1)]).tolist()
    value = loss / tokens
    _require_finite(training, batches, "the loss", value)
    if norm == 0:
        raise UserError(NO_GRADIENT)
    if accelerator.scaler is None:  # the fp16 gradient scaler skips such a step and lowers its scale
        _require_finite(training, batches, "the gradient norm", norm)
    training.optimizer.step()
    training.schedule.step()
    if config.ema:
        training.average.update()
    return value, norm, bool(any_asked)


def _require_finite(training: TrainingState, batches: list[list[int]], name: str, value: float) -> None:
    """Raise UserError when the value is not finite, after saving the batches of the step to bad_batch.pt."""
    if math.isfinite(value):
        return
    kept = training.folder / "bad_batch.pt"
    if training.accelerator.is_main_process:
        torch.save([training.collate(_rows(training.examples, indices)) for indices in batches], kept)
    raise UserError(
        f"{name} became {value}; the batches of that step are saved in {shown(kept)}. Train again with restart=1 and "
        f"a lower --learning-rate (now {training.config.learning_rate}) or --precision no."
    )


def _rows(examples: Dataset, indices: list[int]) -> list[dict[str, Any]]:
    columns = examples[indices]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
