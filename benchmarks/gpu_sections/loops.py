"""Run `fit` and its peers on the same rows, and measure their tokens per second after the first steps."""

import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset

from common.tokenization.batches import collate_causal, collate_seq2seq, token_budget_batches
from common.training.config import TrainingConfig
from common.training.loop import fit
from common.training.losses import Loss, cross_entropy
from gpu_sections.parts import finish, free_memory

WARM_UP = 2
"""Steps that are not measured: the first ones choose kernels and allocate memory."""
RATE = 1e-4
Examples = Sequence[Mapping[str, list[int]]]


class _TrainedError(Exception):
    """Training is over; nothing needs to be saved."""


def tokens_in(examples: Examples) -> int:
    """Return the number of tokens of examples, without padding."""
    return sum(len(example["source"]) + len(example["target"]) for example in examples)


def budget_for(examples: Examples, rows: int) -> int:
    """Return the token budget with which `fit` takes as many steps as batches of this many rows."""
    lengths = [len(example["source"]) + len(example["target"]) for example in examples]
    wanted, low, high = -(-len(examples) // rows), 16, 2**20
    while low < high:
        middle = (low + high) // 2
        if len(token_budget_batches(lengths, middle, random.Random("0-0"))) > wanted:
            low = middle + 1
        else:
            high = middle
    return low


def measured(tokens: Sequence[int], warm: int, began: float, ended: float) -> dict[str, Any]:
    """Return speed, steps and tokens of a training; `tokens`: tokens of each step."""
    counted = tokens[warm:]
    return {
        "tokens_per_second": round(sum(counted) / (ended - began)),
        "steps": len(tokens),
        "tokens": sum(tokens),
        "rows_of_a_step_in_tokens": round(sum(tokens) / len(tokens)),
    }


def warm_up(steps: int) -> int:
    """Return how many of so many steps are not measured; at least one is."""
    return min(WARM_UP, steps - 1)


def fitted(
    model: Any, examples: Examples, pad: int, budget: int, *, loss: Loss = cross_entropy, most_steps: int = 0
) -> dict[str, Any]:
    """Train with `fit` for one epoch and return what it measured; nothing is saved.

    `most_steps`: end after this many steps; 0: do not.
    """
    collate = collate_seq2seq if model.config.is_encoder_decoder else collate_causal
    lengths = [len(example["source"]) + len(example["target"]) for example in examples]
    expected = len(token_budget_batches(lengths, budget, random.Random("0-0")))
    warm = warm_up(min(expected, most_steps or expected))
    tokens: list[int] = []
    times: list[float] = []
    free_memory()

    def noted_collate(batch: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        tokens.append(tokens_in(batch))
        return collate(batch, pad)

    def noted_loss(model: torch.nn.Module, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        if len(times) in (0, warm, most_steps or -1):
            finish()
        times.append(time.perf_counter())
        if most_steps and len(times) > most_steps:
            raise _TrainedError
        return loss(model, batch, smoothing)

    def ended(_: Any) -> dict[str, float]:
        finish()
        times.append(time.perf_counter())
        raise _TrainedError

    config = TrainingConfig(
        epochs=1, tokens_per_batch=budget, learning_rate=RATE, label_smoothing=0.0, checkpoint_minutes=1e5
    )
    with tempfile.TemporaryDirectory() as folder, suppress(_TrainedError):
        fit(
            model, Dataset.from_list([dict(e) for e in examples]), noted_collate, ended, config, Path(folder), seed=0,
            fingerprint="", loss=noted_loss, save_best=lambda *_: None,
        )  # fmt: skip
    return measured(tokens[: len(times) - 1], warm, times[warm], times[-1])


def trainer_settings(folder: str, rows: int) -> dict[str, Any]:
    """Return the arguments that both peers get: what `fit` does, and nothing saved or logged."""
    return {
        "output_dir": folder, "num_train_epochs": 1, "per_device_train_batch_size": rows, "learning_rate": RATE,
        "report_to": [], "save_strategy": "no", "logging_strategy": "no", "disable_tqdm": True, "seed": 0,
        "bf16": torch.cuda.is_available(), "use_cpu": not torch.cuda.is_available(),
    }  # fmt: skip


def seq2seq_trainer(model: Any, examples: Examples, tokens: Any, rows: int) -> dict[str, Any]:
    """Train an encoder-decoder with transformers' Seq2SeqTrainer and return what was measured."""
    from transformers import DataCollatorForSeq2Seq, Seq2SeqTrainer, Seq2SeqTrainingArguments

    data = Dataset.from_list([
        {"input_ids": e["source"], "attention_mask": [1] * len(e["source"]), "labels": e["target"]} for e in examples
    ])  # fmt: skip
    counted = _Counted(DataCollatorForSeq2Seq(tokens, model))
    with tempfile.TemporaryDirectory() as folder:
        arguments = Seq2SeqTrainingArguments(**trainer_settings(folder, rows))
        trainer = Seq2SeqTrainer(model, arguments, train_dataset=data, data_collator=counted)
        return _trained(trainer, counted)


def sft_trainer(model: Any, examples: Examples, tokens: Any, rows: int, *, liger: bool) -> dict[str, Any]:
    """Train a causal model with TRL's SFTTrainer, loss on the answer only, and return what was measured."""
    from trl import SFTConfig, SFTTrainer

    data = Dataset.from_list([
        {"input_ids": [*e["source"], *e["target"]], "completion_mask": [0] * len(e["source"]) + [1] * len(e["target"])}
        for e in examples
    ])  # fmt: skip
    longest = max(len(e["source"]) + len(e["target"]) for e in examples)
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            **trainer_settings(folder, rows), max_length=longest, completion_only_loss=True, packing=False,
            gradient_checkpointing=True, use_liger_kernel=liger,
        )  # fmt: skip
        trainer = SFTTrainer(model, config, train_dataset=data, processing_class=tokens)
        trainer.data_collator = counted = _Counted(trainer.data_collator)
        return _trained(trainer, counted)


class _Counted:
    """A collator that notes how many tokens each of its batches has, without padding."""

    def __init__(self, collate: Callable[[Any], Any]) -> None:
        self.collate = collate
        self.tokens: list[int] = []

    def __call__(self, batch: Any) -> Any:
        separate = "labels" in batch[0] and len(batch[0]["labels"]) != len(batch[0]["input_ids"])
        lengths = [len(e["input_ids"]) + (len(e["labels"]) if separate else 0) for e in batch]
        self.tokens.append(sum(lengths))
        return self.collate(batch)


def _trained(trainer: Any, counted: _Counted) -> dict[str, Any]:
    from transformers import TrainerCallback

    times: list[float] = []
    warm = warm_up(len(trainer.get_train_dataloader()))

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            if len(times) == warm:
                finish()
            times.append(time.perf_counter())

    trainer.add_callback(Clock())
    free_memory()
    trainer.train()
    finish()
    ended = time.perf_counter()
    return measured(counted.tokens[: len(times)], warm, times[warm], ended)


def fresh_precision() -> None:
    """Let the next training choose its precision; accelerate keeps the first one for the whole process."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
