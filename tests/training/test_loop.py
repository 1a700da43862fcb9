"""fit(): what it optimises, which model it keeps, and what ends it."""

import itertools
import math
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch.optim.optimizer import register_optimizer_step_pre_hook
from transformers import PreTrainedModel

from common.core import verified_folder
from common.core.errors import UserError
from common.core.json_lines import read_lines
from common.core.memory import advise_when_out_of_memory
from common.models.storage import load_model, save_model
from common.tokenization.batches import IGNORE
from common.training import checkpoints, loop
from common.training.config import TrainingConfig
from common.training.loop import FitResult
from common.training.losses import cross_entropy
from common.training.plan import Plan
from common.training.resume import save_state
from tests.support import tiny
from tests.support.fitting import CONFIG, DROPOUT, KINDS, WORDS, ending, falling_loss, train

pytestmark = pytest.mark.usefixtures("fresh_precision")


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
            save_model(model, WORDS, folder)

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
    loaded = load_model(folder / "best")[0].state_dict()
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


def test_part_of_an_epoch_is_trained(examples: datasets.Dataset, tmp_path: Path) -> None:
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
        r"--accumulation raised by the same factor, .* resumes from the last checkpoint, or starts again if there is none yet\.$"
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
    with said as refusal, advise_when_out_of_memory("lower it."):
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


def test_slow_checkpoints_come_less_often(
    examples: datasets.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve steps, after each of which a checkpoint is due; each takes longer than all steps do together."""
    steps: list[int] = []

    def slow(training: Any, state: Any) -> None:
        steps.append(state.step)
        save_state(training, state)
        time.sleep(1.0)

    monkeypatch.setattr(loop, "save_state", slow)
    config = replace(CONFIG, checkpoint_minutes=1e-6, evaluate_every=99.0)
    began = time.monotonic()
    result = train(tmp_path / "run", examples, config=config)
    assert result.steps == 12
    if time.monotonic() - began < 19:  # on a machine that is not halted meanwhile
        assert steps == [1, 12]


def test_a_full_disk_while_saving_the_best_keeps_the_previous_one(
    examples: datasets.Dataset, tmp_path: Path
) -> None:
    folder, left = tmp_path / "run", [1]

    def save(model: PreTrainedModel, staging: Path, weights: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        save_model(model, WORDS, staging, None, weights)

    with pytest.raises(
        UserError, match=r"best: saving failed \(.*No space left.*was there before is unchanged"
    ):
        train(folder, examples, save_best=save)
    assert verified_folder.problem(folder / "best") is None
    before = (folder / "best" / "model.safetensors").read_bytes()
    train(folder, examples)
    assert (folder / "best" / "model.safetensors").read_bytes() != before
