"""A crash at any moment changes nothing: the resumed run ends with the same bits."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from transformers import PreTrainedModel

from common.core import verified_folder
from common.core.errors import UserError
from common.training import checkpoints
from common.training.config import TrainingConfig
from common.training.losses import cross_entropy
from tests.support.fitting import CONFIG, ending, falling_loss, train

pytestmark = pytest.mark.usefixtures("fresh_precision")


class CrashError(Exception):
    """Stands for whatever ends a process."""


def crashing_loss(calls: int) -> Callable[..., torch.Tensor]:
    """The usual loss, which ends the process, as it were, at a call."""
    left = [calls]

    def loss(model: torch.nn.Module, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        left[0] -= 1
        if left[0] < 0:
            raise CrashError
        return cross_entropy(model, batch, smoothing)

    return loss


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
    (staging / "optimizer.safetensors").write_bytes(b"half")


def every_checkpoint(checkpoint: Path) -> None:
    for path in checkpoints.steps(checkpoint.parent):
        flip_a_bit(path)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "flipped bit": (flip_a_bit, "trained.safetensors has changed since it was saved"),
    "optimizer gone": (lambda c: (c / "optimizer.safetensors").unlink(), "optimizer.safetensors is missing"),
    "random states gone": (lambda c: (c / "random_0.json").unlink(), "random_0.json is missing"),
    "manifest gone": (lambda c: (c / "manifest.json").unlink(), "manifest.json: not there"),
    "manifest torn": (lambda c: (c / "manifest.json").write_bytes(b'{"mod'), "not valid JSON"),
    "file too many": (lambda c: (c / "optimizer_1.safetensors").touch(), "was added after it was saved"),
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
    warnings = [
        record.getMessage() for record in caplog.records if record.name == "common.training.checkpoints"
    ]
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


def damaged_best(folder: Path) -> None:
    weights = folder / "best" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 4
    weights.write_bytes(content)


BEST: dict[str, tuple[Callable[[Path], object], str]] = {
    "flipped bit": (damaged_best, "model.safetensors has changed"),
    "truncated": (lambda f: (f / "best" / "model.safetensors").write_bytes(b"x"), "has changed since it was saved"),
    "missing file": (lambda f: (f / "best" / "config.json").unlink(), "config.json is missing"),
    "all gone": (lambda f: shutil.rmtree(f / "best"), "manifest.json: not there"),
    "manifest a list": (lambda f: (f / "best" / "manifest.json").write_text("[]"), "is not a table of files"),
    "a file instead": (lambda f: [shutil.rmtree(f / "best"), (f / "best").touch()], "best is not a folder"),
}  # fmt: skip


def risen(examples: datasets.Dataset, scores: list[float]) -> Callable[[PreTrainedModel], dict[str, float]]:
    """Return an evaluation with the given scores, one after the other."""
    left = iter(scores)
    return lambda _: {"score": next(left)}


@pytest.mark.parametrize("damage", BEST)
def test_a_damaged_best_model_of_the_same_step_is_saved_again(
    examples: datasets.Dataset, tmp_path: Path, calm: dict[str, bytes], caplog: pytest.LogCaptureFixture, damage: str
) -> None:  # fmt: skip
    folder = tmp_path / "run"
    with pytest.raises(CrashError):
        train(folder, examples, loss=crashing_loss(4))  # evaluated after step 4, and not since
    spoil, message = BEST[damage]
    spoil(folder)
    with caplog.at_level(logging.WARNING, logger="common"):
        train(folder, examples)
    (line,) = [m for m in caplog.messages if "best" in m]
    assert message in line
    assert line.endswith("saving it again from the checkpoint of the same step")
    assert ending(folder) == calm


def test_a_damaged_older_best_model_is_replaced_by_the_next_evaluation(
    examples: datasets.Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(CrashError):
        train(folder, examples, loss=crashing_loss(9), evaluate=risen(examples, [9.0, 5.0]))
    damaged_best(folder)
    with caplog.at_level(logging.WARNING, logger="common"):
        result = train(folder, examples, evaluate=risen(examples, [6.0]))
    (line,) = [m for m in caplog.messages if "best" in m]
    assert "best/ is not what this training saved at step 4" in line
    assert "the next evaluation replaces it, even with a lower score than 9.00" in line
    assert "restart=1" in line
    assert (result.best_step, result.best_score) == (12, 6.0)
    assert verified_folder.problem(folder / "best") is None


def test_a_best_model_that_this_training_did_not_save_is_replaced(
    examples: datasets.Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, other = tmp_path / "run", tmp_path / "other"
    with pytest.raises(CrashError):
        train(folder, examples, loss=crashing_loss(9), evaluate=risen(examples, [9.0, 5.0]))
    train(
        other, examples, config=replace(CONFIG, learning_rate=1e-4), evaluate=risen(examples, [9.0, 5.0, 4.0])
    )
    shutil.rmtree(folder / "best")
    shutil.copytree(other / "best", folder / "best")  # intact, but from elsewhere
    with caplog.at_level(logging.WARNING, logger="common"):
        result = train(folder, examples, evaluate=risen(examples, [6.0]))
    (line,) = [m for m in caplog.messages if "best" in m]
    assert "not what this training saved at step 4 (it was saved later, or changed)" in line
    assert (result.best_step, result.best_score) == (12, 6.0)


@pytest.mark.parametrize("ended", ["the last step", "without patience"])
def test_a_damaged_best_model_that_nothing_replaces_is_refused(
    examples: datasets.Dataset, tmp_path: Path, ended: str
) -> None:
    folder, config = tmp_path / "run", CONFIG if ended == "the last step" else replace(CONFIG, patience=1)
    train(folder, examples, config=config, evaluate=risen(examples, [9.0, 5.0, 4.0]))
    damaged_best(folder)
    with pytest.raises(
        UserError,
        match=r"best/ is not what this training saved \(.*model\.safetensors has changed.*\), and no evaluation is left.*restart=1\.$",
    ):
        train(folder, examples, config=config)


METRICS: dict[str, tuple[Callable[[Path], object], bool]] = {
    "longer": (lambda m: m.write_bytes(m.read_bytes() + b'{"step": 5, "lo'), False),
    "shorter": (lambda m: m.write_bytes(m.read_bytes()[:-9]), True),
    "a changed score": (lambda m: m.write_bytes(m.read_bytes().replace(b'"step": 4', b'"step": 3')), True),
    "a list": (lambda m: m.write_bytes(b"[1]\n"), True),
    "gone": (lambda m: m.unlink(), True),
}


@pytest.mark.parametrize("change", METRICS)
def test_metrics_are_those_of_the_checkpoint(
    examples: datasets.Dataset, tmp_path: Path, calm: dict[str, bytes], caplog: pytest.LogCaptureFixture, change: str
) -> None:  # fmt: skip
    folder = tmp_path / "run"
    with pytest.raises(CrashError):
        train(folder, examples, loss=crashing_loss(5))
    spoil, noticed = METRICS[change]
    spoil(folder / "metrics.jsonl")
    with caplog.at_level(logging.WARNING, logger="common"):
        train(folder, examples)
    lines = [m for m in caplog.messages if "metrics.jsonl lacks lines or was changed; it is restored" in m]
    assert len(lines) == noticed
    assert ending(folder) == calm


def test_when_no_checkpoint_is_intact_it_says_that_training_begins_from_the_start(
    examples: datasets.Dataset, tmp_path: Path, calm: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    folder = tmp_path / "run"
    with pytest.raises(CrashError):
        train(folder, examples, loss=crashing_loss(5))
    every_checkpoint(checkpoints.steps(folder / "checkpoints")[-1])
    with caplog.at_level(logging.WARNING, logger="common"):
        train(folder, examples)
    assert [message.partition(" ")[0] for message in caplog.messages] == ["skipping", "skipping", "no"]
    assert caplog.messages[-1].endswith("checkpoints is intact: training begins from the start")
    assert ending(folder) == calm
