"""fit(): what it optimises, which model it keeps, and that a crash at any moment changes nothing."""

import itertools
import json
import logging
import math
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import house as houses
import pytest
import tiny
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from torch.nn import functional
from torch.optim.optimizer import register_optimizer_step_pre_hook
from transformers import PreTrainedModel

from common import checkpoints, memory, models, tokenization
from common.errors import UserError
from common.files import read_lines
from common.models import SmallModelConfig
from common.tokenization import IGNORE, Frame, LengthConfig
from common.training import FitResult, TrainingConfig, cross_entropy, fit, loop
from common.training.plan import Plan

WORDS = tiny.tokenizer()
COLLATE: dict[str, Callable[..., dict[str, torch.Tensor]]] = {
    "bart": tokenization.collate_seq2seq,
    "qwen2": tokenization.collate_causal,
}
DROPOUT = SmallModelConfig(width=64, layers=1, feed_forward=64, dropout=0.2, positions=256)
KINDS = ("bart", "qwen2")
# No warm-up: the first step counts. A checkpoint after every step.
CONFIG = TrainingConfig(epochs=3, tokens_per_batch=512, learning_rate=3e-3, warmup=0.0, precision="no",
                        checkpoint_minutes=0.0)  # fmt: skip


class CrashError(Exception):
    """Stands for whatever ends a process."""


@pytest.fixture(autouse=True)
def precision_is_chosen_anew() -> Iterator[None]:
    """accelerate settles the precision once a process."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> datasets.Dataset:
    cache = tmp_path_factory.mktemp("tokenized")
    return tokenization.examples(
        tiny.rows(24), WORDS, LengthConfig(128), Frame(after=(WORDS.eos_token_id,)), cache
    )[0]


def batch_of(examples: datasets.Dataset, kind: str, count: int) -> dict[str, torch.Tensor]:
    """The first examples as one batch."""
    some = examples[:count]
    pairs = zip(some["source"], some["target"], strict=True)
    return COLLATE[kind]([tiny.example(s, t) for s, t in pairs], pad=WORDS.pad_token_id)


def falling_loss(examples: datasets.Dataset, kind: str) -> Callable[[PreTrainedModel], dict[str, float]]:
    """An evaluation without generation: the negative loss on some examples."""
    batch = batch_of(examples, kind, 4)

    @torch.no_grad()
    def evaluate(model: PreTrainedModel) -> dict[str, float]:
        assert not model.training
        return {"score": -float(cross_entropy(model, batch, 0.0))}

    return evaluate


def train(
    folder: Path,
    examples: datasets.Dataset,
    kind: str = "bart",
    config: TrainingConfig = CONFIG,
    size: SmallModelConfig = DROPOUT,
    **values: Any,
) -> FitResult:
    folder.mkdir(exist_ok=True)
    settings: dict[str, Any] = {
        "evaluate": falling_loss(examples, kind),
        "seed": 3,
        "fingerprint": "settings",
        "save_best": lambda model, staging, weights: models.save(model, WORDS, staging, None, weights),
        **values,
    }
    collate = partial(COLLATE[kind], pad=WORDS.pad_token_id)
    model = tiny.model(kind, WORDS, size)
    evaluate = settings.pop("evaluate")
    return fit(model, examples, collate, evaluate, config, folder, **settings)


def ending(folder: Path) -> dict[str, bytes]:
    """What training left, to the byte: best model, last weights and optimizer, metrics."""
    last = checkpoints.steps(folder / "checkpoints")[-1]
    files = [folder / "best" / "model.safetensors", last / "trained.safetensors", last / "optimizer.bin"]
    found = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in files}
    return found | {"metrics": (folder / "metrics.jsonl").read_bytes()}


def crashing_loss(calls: int) -> Callable[..., torch.Tensor]:
    """The usual loss, which ends the process, as it were, at a call."""
    left = [calls]

    def loss(model: torch.nn.Module, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        left[0] -= 1
        if left[0] < 0:
            raise CrashError
        return cross_entropy(model, batch, smoothing)

    return loss


@pytest.fixture(scope="module")
def calm(examples: datasets.Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """How an undisturbed run ends."""
    folder = tmp_path_factory.mktemp("calm")
    train(folder, examples)
    return ending(folder)


# ---- what is optimised


@pytest.mark.parametrize(("kind", "precision"), [("bart", "no"), ("qwen2", "no"), ("bart", "bf16")])
def test_the_loss_falls(examples: datasets.Dataset, tmp_path: Path, kind: str, precision: Any) -> None:
    config = TrainingConfig(epochs=5, tokens_per_batch=512, learning_rate=5e-3, precision=precision)
    result = train(tmp_path / "run", examples, kind, config, tiny.SIZE)
    losses = [
        line["train_loss"] for line in read_lines(tmp_path / "run" / "metrics.jsonl") if "train_loss" in line
    ]
    assert len(losses) == 5
    assert losses[0] > losses[2] > losses[4]
    assert losses[4] < 0.75 * losses[0]
    assert (result.best_step, result.stopped_early) == (result.steps, False)
    rates = [
        line["learning_rate"] for line in read_lines(tmp_path / "run" / "metrics.jsonl") if "loss" in line
    ]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("kind", KINDS)
def test_accumulation_changes_nothing(tmp_path: Path, kind: str) -> None:
    """Eight rows in one batch, four and four, or one by one: the same gradients and, after a step, weights."""
    rng = random.Random(1)
    # Equally long together, so that the budget counts rows; of unlike targets, so that tokens must weigh.
    targets = [1, 2, 3, 5, 8, 13, 21, 30]
    rows = [tiny.example([rng.randint(5, 300) for _ in range(40 - n)], [rng.randint(5, 300) for _ in range(n)])
            for n in targets]  # fmt: skip
    some = datasets.Dataset.from_list(rows)
    found = {}
    for rows_at_once in (8, 4, 1):
        config = TrainingConfig(
            epochs=1, tokens_per_batch=40 * rows_at_once, accumulation=8 // rows_at_once, warmup=0.0,
            max_gradient_norm=1e9, precision="no",
        )  # fmt: skip
        gradients: dict[str, torch.Tensor] = {}

        def keep(
            model: PreTrainedModel, folder: Path, _: Any, into: dict[str, torch.Tensor] = gradients
        ) -> None:
            into |= {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
            models.save(model, WORDS, folder)

        folder = tmp_path / str(rows_at_once)
        assert train(folder, some, kind, config, tiny.SIZE, save_best=keep).steps == 1
        (line,) = read_lines(folder / "metrics.jsonl")
        found[rows_at_once] = (
            line["train_loss"],
            gradients,
            load_file(folder / "best" / "model.safetensors"),
        )
    loss, gradients, weights = found[8]
    assert max(float(g.abs().max()) for g in gradients.values()) > 1e-3
    for rows_at_once in (4, 1):
        other_loss, other_gradients, other_weights = found[rows_at_once]
        assert other_loss == pytest.approx(loss, rel=1e-5)
        assert other_gradients.keys() == gradients.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close(other_gradients[name], gradient, rtol=1e-3, atol=1e-6)
        for name, weight in weights.items():
            # Adam's first step is the gradient's sign: where the gradient is rounding noise, any sign will do.
            clear = (
                gradients[name].abs() > 1e-5
                if name in gradients
                else torch.ones_like(weight, dtype=torch.bool)
            )
            torch.testing.assert_close(other_weights[name][clear], weight[clear], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_torchs_own_on_the_full_logits(
    examples: datasets.Dataset, kind: str, smoothing: float
) -> None:
    model = tiny.model(kind, WORDS).double().eval()
    batch = batch_of(examples, kind, 5)
    some = examples[:5]
    with torch.no_grad():
        if kind == "bart":
            logits, labels = model(**batch).logits, batch["labels"]
        else:
            full = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
            labels = torch.full(batch["input_ids"].shape, IGNORE)
            for row, (source, target) in enumerate(zip(some["source"], some["target"], strict=True)):
                labels[row, len(source) : len(source) + len(target)] = torch.tensor(target)
            logits, labels = full[:, :-1], labels[:, 1:]
        ours = float(cross_entropy(model, batch, smoothing))
        assert (labels != IGNORE).sum() == sum(map(len, some["target"]))
        chosen, wanted = logits[labels != IGNORE].float(), labels[labels != IGNORE]
        torchs = torch.nn.CrossEntropyLoss(label_smoothing=smoothing, reduction="sum")(chosen, wanted)
        by_hand = functional.log_softmax(chosen.double(), dim=-1)
        nll = -by_hand[range(len(wanted)), wanted].sum()
        uniform = -by_hand.mean(dim=-1).sum()
    assert ours == pytest.approx(float(torchs), rel=1e-5)
    assert ours == pytest.approx(float((1 - smoothing) * nll + smoothing * uniform), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_and_company_do_not_change_a_rows_loss(examples: datasets.Dataset, kind: str) -> None:
    model = tiny.model(kind, WORDS).double().eval()
    some = examples[:6]
    rows = [tiny.example(s, t) for s, t in zip(some["source"], some["target"], strict=True)]
    assert len({len(row["source"]) for row in rows}) > 1
    with torch.no_grad():
        alone = sum(
            float(cross_entropy(model, COLLATE[kind]([row], pad=WORDS.pad_token_id), 0.1)) for row in rows
        )
        together = float(cross_entropy(model, COLLATE[kind](rows, pad=WORDS.pad_token_id), 0.1))
    assert together == pytest.approx(alone, rel=1e-5)


def test_a_loss_of_ones_own_is_used(examples: datasets.Dataset, tmp_path: Path) -> None:
    def flat(model: torch.nn.Module, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        return cross_entropy(model, batch, smoothing) * 1e-12 + 2 * (batch["labels"] != IGNORE).sum()

    train(tmp_path / "run", examples, loss=flat)
    assert {
        line["train_loss"] for line in read_lines(tmp_path / "run" / "metrics.jsonl") if "train_loss" in line
    } == {2}


# ---- which model is kept


def test_it_stops_early_and_keeps_the_best_evaluations_model(
    examples: datasets.Dataset, tmp_path: Path
) -> None:
    script = [1.0, 3.0, 2.0, 3.0, 9.0, 9.0]  # an equal score is not a better one
    seen: list[dict[str, torch.Tensor]] = []

    def evaluate(model: PreTrainedModel) -> dict[str, float]:
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"score": script[len(seen) - 1]}

    config = TrainingConfig(epochs=6, tokens_per_batch=512, patience=2, precision="no")
    folder = tmp_path / "run"
    result = train(folder, examples, config=config, evaluate=evaluate)
    steps = [line["step"] for line in read_lines(folder / "metrics.jsonl") if "score" in line]
    assert len(seen) == len(steps) == 4
    assert result == FitResult(steps=steps[3], best_step=steps[1], best_score=3.0, stopped_early=True)
    best = load_file(folder / "best" / "model.safetensors")
    assert best
    for name, weight in best.items():
        assert torch.equal(weight, seen[1][name]), name
    assert any(not torch.equal(weight, seen[3][name]) for name, weight in best.items())
    loaded = models.load(folder / "best")[0].state_dict()
    assert all(torch.equal(weight, loaded[name]) for name, weight in seen[1].items())
    # The same call again finds that it has ended.
    before = ending(folder)
    assert train(folder, examples, config=config, evaluate=evaluate) == result
    assert len(seen) == 4
    assert ending(folder) == before


def test_evaluations_come_as_often_as_asked_and_at_the_end(
    examples: datasets.Dataset, tmp_path: Path
) -> None:
    config = TrainingConfig(epochs=2, tokens_per_batch=256, evaluate_every=0.75, precision="no", patience=99)
    result = train(tmp_path / "run", examples, config=config)
    steps = [line["step"] for line in read_lines(tmp_path / "run" / "metrics.jsonl") if "score" in line]
    every = round(0.75 * result.steps / 2)
    assert steps == sorted({*range(every, result.steps + 1, every), result.steps})
    assert len(checkpoints.steps(tmp_path / "run" / "checkpoints")) == config.keep_checkpoints


def test_part_of_an_epoch_is_trained_and_none_is_refused(examples: datasets.Dataset, tmp_path: Path) -> None:
    lengths = [[len(ids) for ids in examples[name]] for name in ("source", "target")]
    plans = {
        epochs: Plan(*map(tuple, lengths), TrainingConfig(epochs=epochs, tokens_per_batch=256), seed=0)
        for epochs in (0.5, 1, 1.5, 0.0001)
    }
    epoch = plans[1].epoch(0)
    assert len(epoch) > 4
    assert list(plans[1].steps()) == epoch
    assert list(plans[0.5].steps()) == epoch[: round(len(epoch) / 2)]
    assert list(plans[1.5].steps()) == [*epoch, *plans[1].epoch(1)[: round(len(plans[1].epoch(1)) / 2)]]
    assert list(plans[0.0001].steps()) == epoch[:1]
    config = TrainingConfig(epochs=0.5, tokens_per_batch=256, precision="no")
    assert train(tmp_path / "run", examples, config=config).steps == plans[0.5].total()
    with pytest.raises(UserError, match="--epochs 0: wanted more than 0"):
        train(tmp_path / "none", examples, config=replace(config, epochs=0))


def test_a_loss_that_is_not_finite_ends_with_the_batches_kept(
    examples: datasets.Dataset, tmp_path: Path
) -> None:
    config = TrainingConfig(epochs=3, tokens_per_batch=512, accumulation=2, learning_rate=1e30, warmup=0.0,
                            weight_decay=0.0, precision="no", checkpoint_minutes=0.0)  # fmt: skip
    folder = tmp_path / "run"
    with pytest.raises(
        UserError,
        match=r"the loss became (nan|inf).*bad_batch\.pt\. Train again with restart=1 and a lower --learning-rate",
    ) as refusal:
        train(folder, examples, config=config)
    assert "1e+30" in str(refusal.value)
    kept = torch.load(folder / "bad_batch.pt", weights_only=True)
    assert len(kept) == 2
    assert all({"input_ids", "attention_mask", "labels"} <= set(batch) for batch in kept)
    for line in read_lines(folder / "metrics.jsonl"):
        assert math.isfinite(line.get("train_loss", 0.0))


def endless(model: torch.nn.Module, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
    """The usual loss, whose gradient is not a number: 0 times the infinite slope of the root at 0."""
    nothing = next(iter(model.parameters())).sum() * 0
    return cross_entropy(model, batch, smoothing) + nothing.sqrt()


def test_a_gradient_that_is_not_finite_ends_before_the_weights_are_touched(
    examples: datasets.Dataset, tmp_path: Path
) -> None:
    seen: list[torch.Tensor] = []

    def loss(model: torch.nn.Module, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        seen.append(batch["input_ids"])
        return (endless if len(seen) > 4 else cross_entropy)(model, batch, smoothing)

    folder = tmp_path / "run"
    with pytest.raises(
        UserError,
        match=r"^the gradient norm became nan; .*bad_batch\.pt\. Train again with restart=1 and a lower --learning",
    ):
        train(folder, examples, config=replace(CONFIG, accumulation=2), loss=loss)
    kept = torch.load(folder / "bad_batch.pt", weights_only=True)
    assert len(seen) == 6
    assert all(torch.equal(batch["input_ids"], mine) for batch, mine in zip(kept, seen[4:], strict=True))
    last = checkpoints.steps(folder / "checkpoints")[-1]
    assert last.name == "step-00000002"
    assert all(bool(weight.isfinite().all()) for weight in load_file(last / "trained.safetensors").values())


def test_a_scaler_of_gradients_skips_what_is_not_finite_by_itself(
    examples: datasets.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As fp16's does, with one that works on a CPU."""
    start = Accelerator.__init__

    def scaling(self: Accelerator, **settings: Any) -> None:
        start(self, **settings)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)

    monkeypatch.setattr(Accelerator, "__init__", scaling)
    calls = [0]

    def loss(model: torch.nn.Module, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        calls[0] += 1
        return (endless if calls[0] == 2 else cross_entropy)(model, batch, smoothing)

    folder = tmp_path / "run"
    result = train(folder, examples, config=replace(CONFIG, keep_checkpoints=99), loss=loss)
    weights = [load_file(path / "trained.safetensors") for path in checkpoints.steps(folder / "checkpoints")]
    assert len(weights) == result.steps == calls[0] > 3
    moved = [any(not torch.equal(a[name], b[name]) for name in a) for a, b in itertools.pairwise(weights)]
    assert moved == [False, *[True] * (result.steps - 2)]
    assert all(bool(weight.isfinite().all()) for weight in weights[-1].values())


def exhaust(*_: Any) -> Any:
    """Ask for more memory than any machine has."""
    return torch.empty(2**60, dtype=torch.uint8)


def test_memory_that_does_not_suffice_names_the_setting_to_lower(
    examples: datasets.Dataset, tmp_path: Path, calm: dict[str, bytes]
) -> None:
    config = replace(CONFIG, tokens_per_batch=640)
    step = (
        r"^out of memory; train again with restart=1, a lower --tokens-per-batch \(now 640\) and "
        r"--accumulation raised by the same factor, .* resumes from the last checkpoint, which is intact\.$"
    )
    with pytest.raises(UserError, match=step):
        train(tmp_path / "run", examples, config=config, loss=exhaust)
    hook = register_optimizer_step_pre_hook(exhaust)  # where Adam allocates its state
    with pytest.raises(UserError, match=step):
        train(tmp_path / "run", examples, config=config)
    hook.remove()

    with pytest.raises(
        UserError,
        match=r"^out of memory; run the same command with a lower --tokens-at-once: it resumes",
    ):
        train(tmp_path / "evaluated", examples, evaluate=exhaust)
    train(tmp_path / "evaluated", examples)
    assert ending(tmp_path / "evaluated") == calm

    def broken(*_: Any) -> torch.Tensor:
        raise RuntimeError("shapes do not fit")

    with pytest.raises(
        RuntimeError, match="shapes do not fit"
    ):  # what is no lack of memory is not called one
        train(tmp_path / "run", examples, config=config, loss=broken)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("Tried to allocate 2 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA failed with error out of memory"),  # CTranslate2
        MemoryError(),
    ],
)
def test_every_lack_of_memory_is_called_one(error: Exception) -> None:
    said = pytest.raises(UserError, match=r"^out of memory; lower it\.$")
    with said as refusal, memory.must_suffice("lower it."):
        raise error
    assert refusal.value.__cause__ is error


@pytest.mark.parametrize(
    ("choice", "gpu", "has_bf16", "held", "expected"),
    [
        ("auto", False, False, torch.float32, "no"),
        ("auto", False, False, torch.bfloat16, "bf16"),
        ("auto", False, False, torch.float16, "no"),
        ("auto", True, True, torch.float32, "bf16"),
        ("auto", True, False, torch.float32, "fp16"),
        ("auto", True, False, torch.bfloat16, "fp16"),
        ("no", True, True, torch.bfloat16, "no"),
        ("fp16", True, True, torch.float32, "fp16"),
        ("bf16", False, False, torch.float32, "bf16"),
    ],
)
def test_the_precision_is_what_the_device_has(
    monkeypatch: pytest.MonkeyPatch, choice: str, gpu: bool, has_bf16: bool, held: torch.dtype, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    # An older GPU emulates bf16, slowly.
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: has_bf16 or including_emulation
    )
    assert loop._precision(choice, tiny.model("bart", WORDS).to(held)) == expected


def test_gradients_that_do_not_arrive_are_an_error(examples: datasets.Dataset, tmp_path: Path) -> None:
    def cut_off(model: torch.nn.Module, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        return cross_entropy(model, batch, smoothing).detach()

    def halfway(model: torch.nn.Module, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        return cut_off(model, batch, smoothing).requires_grad_() * 1.0

    for loss in (cut_off, halfway):
        with pytest.raises(
            UserError,
            match=r"no gradient reached the trained weights.*restart=1 and --gradient-checkpointing false",
        ):
            train(tmp_path / "run", examples, loss=loss)


def test_the_average_of_the_weights_is_evaluated_and_saved(
    examples: datasets.Dataset, tmp_path: Path
) -> None:
    """By an average of one's own over the weights after every step."""
    config = replace(CONFIG, ema=0.9, evaluate_every=1.0, keep_checkpoints=99)
    train(tmp_path / "run", examples, config=config)
    after = [
        load_file(folder / "trained.safetensors")
        for folder in checkpoints.steps(tmp_path / "run" / "checkpoints")
    ]
    mean = {name: p.detach().clone() for name, p in tiny.model("bart", WORDS, DROPOUT).named_parameters()}
    averages = []
    for step, weights in enumerate(after, 1):
        decay = min(0.9, (1 + step) / (10 + step))
        for name, value in weights.items():
            mean[name] = decay * mean[name] + (1 - decay) * value
        averages.append({name: value.clone() for name, value in mean.items()})
    assert len(after) > 6
    scores = [line for line in read_lines(tmp_path / "run" / "metrics.jsonl") if "score" in line]
    for line in scores:
        model = tiny.model("bart", WORDS, DROPOUT).eval()
        model.load_state_dict(averages[line["step"] - 1], strict=False)
        assert line["score"] == pytest.approx(falling_loss(examples, "bart")(model)["score"], rel=1e-4)
    best = max(scores, key=lambda line: line["score"])
    saved = load_file(tmp_path / "run" / "best" / "model.safetensors")
    assert saved.keys() - averages[0].keys() == {"final_logits_bias"}  # a buffer, which is not trained
    for name in averages[0].keys() & saved.keys():
        value = saved[name]
        torch.testing.assert_close(value, averages[best["step"] - 1][name], rtol=1e-4, atol=1e-6)
        assert not torch.equal(value, after[best["step"] - 1][name])


def test_a_full_disk_while_saving_the_best_keeps_the_previous_one(
    examples: datasets.Dataset, tmp_path: Path
) -> None:
    folder, left = tmp_path / "run", [1]

    def save(model: PreTrainedModel, staging: Path, weights: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        models.save(model, WORDS, staging, None, weights)

    with pytest.raises(
        UserError, match=r"best: saving failed \(.*No space left.*previous checkpoint is intact"
    ):
        train(folder, examples, save_best=save)
    assert checkpoints.problem(folder / "best") is None
    before = (folder / "best" / "model.safetensors").read_bytes()
    train(folder, examples)
    assert (folder / "best" / "model.safetensors").read_bytes() != before


# ---- crashes


@pytest.mark.parametrize(
    ("kind", "accumulation", "calls", "precision", "ema"),
    [
        ("bart", 1, 1, "no", 0.9),
        ("bart", 2, 5, "no", 0.0),
        ("qwen2", 1, 7, "no", 0.99),
        ("qwen2", 3, 8, "bf16", 0.0),
    ],
)
def test_a_resumed_run_ends_the_same_to_the_bit(
    examples: datasets.Dataset,
    tmp_path: Path,
    kind: str,
    accumulation: int,
    calls: int,
    precision: Any,
    ema: float,
) -> None:
    config = TrainingConfig(epochs=3, tokens_per_batch=512, learning_rate=3e-3, accumulation=accumulation,
                            precision=precision, ema=ema, checkpoint_minutes=0.0)  # fmt: skip
    undisturbed = train(tmp_path / "calm", examples, kind, config)
    with pytest.raises(CrashError):
        train(tmp_path / "run", examples, kind, config, loss=crashing_loss(calls))
    torch.manual_seed(99)  # another process has another random state
    assert train(tmp_path / "run", examples, kind, config) == undisturbed
    assert ending(tmp_path / "run") == ending(tmp_path / "calm")


def test_a_crash_while_evaluating_or_saving_changes_nothing(
    examples: datasets.Dataset, tmp_path: Path, calm: dict[str, bytes]
) -> None:
    folder = tmp_path / "run"
    left = [1]

    def evaluate(model: PreTrainedModel) -> dict[str, float]:
        left[0] -= 1
        if left[0] < 0:
            raise CrashError
        return falling_loss(examples, "bart")(model)

    def save(model: PreTrainedModel, staging: Path, _: Any) -> None:
        (staging / "half.bin").write_bytes(b"half")
        raise CrashError

    with pytest.raises(CrashError):
        train(folder, examples, save_best=save)
    assert not (folder / "best").exists()
    with pytest.raises(CrashError):
        train(folder, examples, evaluate=evaluate)
    train(folder, examples)
    assert ending(folder) == calm
    assert not [*folder.rglob(".*")]


def flip_a_bit(checkpoint: Path) -> None:
    weights = checkpoint / "trained.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 4
    weights.write_bytes(content)


def half_a_save(checkpoint: Path) -> None:
    staging = checkpoint.with_name(f".staging-{checkpoint.name[:-1]}9")
    shutil.copytree(checkpoint, staging)
    (staging / "manifest.json").unlink()
    (staging / "optimizer.bin").write_bytes(b"half")


def every_checkpoint(checkpoint: Path) -> None:
    for path in checkpoints.steps(checkpoint.parent):
        flip_a_bit(path)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "flipped bit": (flip_a_bit, "trained.safetensors has changed since it was saved"),
    "optimizer gone": (lambda c: (c / "optimizer.bin").unlink(), "optimizer.bin is missing"),
    "random states gone": (lambda c: (c / "random_states_0.pkl").unlink(), "random_states_0.pkl is missing"),
    "manifest gone": (lambda c: (c / "manifest.json").unlink(), "manifest.json: not there"),
    "manifest torn": (lambda c: (c / "manifest.json").write_bytes(b'{"mod'), "not valid JSON"),
    "file too many": (lambda c: (c / "optimizer_1.bin").touch(), "was added after it was saved"),
    "half a save": (half_a_save, ""),
    "all damaged": (every_checkpoint, "has changed since it was saved"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_skipped_and_the_run_ends_the_same(
    examples: datasets.Dataset,
    tmp_path: Path,
    calm: dict[str, bytes],
    caplog: pytest.LogCaptureFixture,
    damage: str,
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(CrashError):
        train(folder, examples, loss=crashing_loss(5))
    saved = checkpoints.steps(folder / "checkpoints")
    assert len(saved) == 2
    spoil, message = DAMAGES[damage]
    spoil(saved[-1])
    with caplog.at_level(logging.INFO, logger="common"):
        train(folder, examples)
    warnings = [record.getMessage() for record in caplog.records if record.name == "common.checkpoints"]
    if message:
        assert warnings[0].startswith(f"skipping checkpoint {saved[-1].name}")
        assert message in warnings[0]
    resumed = [record.getMessage() for record in caplog.records if "resuming at step" in record.getMessage()]
    step = {"half a save": 5, "all damaged": None}.get(damage, 4)
    assert resumed == ([] if step is None else [f"resuming at step {step}"])
    assert ending(folder) == calm
    assert not [*folder.rglob(".*")]


def test_other_settings_do_not_resume(examples: datasets.Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(CrashError):
        train(folder, examples, loss=crashing_loss(3))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(
        UserError, match=r"other settings, data or another number of processes\. Run again with restart=1"
    ):
        train(folder, examples, fingerprint="other settings")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


# ---- the real experiment, in processes of its own


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.repository(tmp_path_factory.mktemp("copy") / "repository")


SLOWER = [
    *tiny.SETTINGS,
    "--tokens-per-batch=384",
    "--epochs=2",
]  # more steps, so that there is something to interrupt


def newest_step(folder: Path) -> int:
    steps = checkpoints.steps(folder / "checkpoints")
    return int(steps[-1].name[5:]) if steps else 0


def kill_when(process: "subprocess.Popen[str]", moment: Callable[[], bool]) -> None:
    """kill -9 as soon as the moment has come; the process must not have ended before."""
    while not moment():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert process.returncode == -9


def spoken(root: Path, *words: str) -> str:
    """The message with which a stage refuses, run inside this process."""
    with pytest.raises(SystemExit) as end:
        houses.stage(root, *words)
    return str(end.value.code)


def test_kill_9_at_any_moment_changes_nothing(copy: Path) -> None:
    command = ["experiments.exp002.train", *SLOWER]
    folders = {name: copy / "outputs" / "daily_talk" / name for name in ("exp002-calm", "exp002-killed")}
    killed = folders["exp002-killed"]
    checkpoint_folder = killed / "checkpoints"
    undisturbed = tiny.start(copy, *command, "--run=exp002-calm")
    rng = random.Random()
    first = rng.randrange(9)  # at 0 there is a run.json, and perhaps no checkpoint

    def early() -> bool:
        if not (killed / "run.json").exists() or newest_step(killed) < first:
            return False
        time.sleep(rng.random() / 20)
        return True

    kill_when(tiny.start(copy, *command, "--run=exp002-killed"), early)

    reached = newest_step(killed)
    process = tiny.start(copy, *command, "--run=exp002-killed")
    while newest_step(killed) < reached + 2:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.001)
    process.send_signal(signal.SIGSTOP)  # it shall not end while another one tries
    second = spoken(copy, "exp002", "train", *SLOWER, "--run=exp002-killed")
    assert second == (
        "error: outputs/daily_talk/exp002-killed is in use by another process; wait for it or choose --run."
    )
    process.send_signal(signal.SIGCONT)
    kill_when(process, lambda: any(checkpoint_folder.glob(".staging-*/*")))  # half a checkpoint is on disk

    code, output = tiny.run(copy, *command, "--run=exp002-killed")
    assert code == 0, output
    assert "resuming at step" in output
    log, _ = undisturbed.communicate()
    assert undisturbed.returncode == 0, log
    assert "resuming" not in log

    calm, disturbed = (ending(folder) for folder in folders.values())
    assert disturbed == calm
    manifests = [(folder / "best" / "manifest.json").read_bytes() for folder in folders.values()]
    assert manifests[0] == manifests[1]  # tokenizer and config too
    records = [
        json.loads((folder / "run.json").read_text(encoding="utf-8"))["train"] for folder in folders.values()
    ]
    for name in ("status", "result", "checkpoint", "config", "data"):
        assert records[0][name] == records[1][name], name
    assert records[0]["status"] == "finished"
    assert records[0]["result"]["steps"] > reached + 2
    assert [*killed.glob("checkpoints/.*")] == []


def shorter(root: Path, *words: str, epochs: int = 1) -> None:
    houses.stage(root, "exp002", "train", *tiny.SETTINGS, f"--epochs={epochs}", *words)


def test_other_settings_are_refused_and_restart_moves_the_old_run_aside(
    copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = copy / "outputs" / "daily_talk" / "exp002"
    shorter(copy)
    before = ending(folder)
    with caplog.at_level(logging.INFO, logger="common"):
        shorter(copy)
    assert "outputs/daily_talk/exp002 is trained already; add restart=1 to train it anew." in caplog.messages

    refusal = spoken(copy, "exp002", "train", *tiny.SETTINGS, "--epochs=1", "--dropout=0.5", "--seed=8")
    assert "model.dropout was 0.1, is 0.5; seed was 7, is 8" in refusal
    for remedy in ("Give the same ones", "make exp=exp002 train restart=1", "run=exp002-NAME"):
        assert remedy in refusal
    assert ending(folder) == before

    # What only inference reads may change.
    shorter(copy, "--beams=2")

    shorter(copy, "--seed=8", "--restart")
    (aside,) = (copy / "outputs" / "daily_talk" / "replaced").iterdir()
    assert aside.name.startswith("exp002-")
    assert ending(aside) == before
    assert ending(folder) != before
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))["train"]
    assert (record["seed"], record["status"]) == (8, "finished")


def test_an_interrupted_run_with_other_data_does_not_resume(copy: Path, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    shutil.copytree(copy, root, ignore=shutil.ignore_patterns("outputs", "__pycache__"))
    shorter(root)
    folder = root / "outputs" / "daily_talk" / "exp002"
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record["train"]["status"] = "running"  # as a crash leaves it
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    data = root / "competitions" / "daily_talk" / "data" / "train.csv"
    data.write_text(data.read_text(encoding="utf-8").replace("우산", "양산"), encoding="utf-8")
    refusal = spoken(root, "exp002", "train", *tiny.SETTINGS, "--epochs=1")
    assert "was made with other settings, data or another number of processes" in refusal
    assert "restart=1" in refusal


def test_an_interrupted_run_resumes_only_with_the_same_evaluation(copy: Path, tmp_path: Path) -> None:
    """Scores of longer or otherwise blocked summaries do not tell which checkpoint is the best."""
    root = tmp_path / "repository"
    shutil.copytree(copy, root, ignore=shutil.ignore_patterns("outputs", "__pycache__"))
    shorter(root)
    path = root / "outputs" / "daily_talk" / "exp002" / "run.json"
    finished = json.loads(path.read_text(encoding="utf-8"))
    interrupted = {"train": finished["train"] | {"status": "running"}}
    path.write_text(json.dumps(interrupted), encoding="utf-8")
    for other in ("--max-new-tokens=9", "--no-repeat-ngram=2"):
        refusal = spoken(root, "exp002", "train", *tiny.SETTINGS, "--epochs=1", other)
        assert "was made with other settings" in refusal and "restart=1" in refusal
    shorter(root, "--tokens-at-once=999", "--beams=2")
    resumed = json.loads(path.read_text(encoding="utf-8"))["train"]
    assert (resumed["status"], resumed["checkpoint"]) == ("finished", finished["train"]["checkpoint"])
