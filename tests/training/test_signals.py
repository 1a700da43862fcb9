"""A signal ends training after the step, with a checkpoint; the resumed run ends with the same bits."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from transformers import PreTrainedModel

from common.core import signals
from common.core.signals import Interrupted
from common.data.competition_file import load_competition
from common.generation.config import DecodingConfig
from common.generation.dev_scores import dev_evaluation
from common.models.storage import save_model
from common.tokenization.config import LengthConfig
from common.tokenization.layout import InputTemplate
from common.training import checkpoints
from common.training.losses import cross_entropy
from tests.support import tiny
from tests.support.fitting import CONFIG, WORDS, ending, falling_loss, train

pytestmark = pytest.mark.usefixtures("fresh_precision")


@pytest.fixture(autouse=True)
def _raised() -> Any:
    """As a stage has it."""
    before = {number: signal.getsignal(number) for number in signals.SIGNALS}
    for number in before:
        signal.signal(number, signal.SIG_DFL)  # a shell may have started the tests with signals ignored
    with signals.raised():
        yield
    for number, handler in before.items():
        signal.signal(number, handler)


def at_call(count: int, number: int, then: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that sends this process a signal at a call, and then does what `then` does."""
    calls = [0]

    def function(*arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] == count:
            os.kill(os.getpid(), number)
        return then(*arguments)

    return function


@pytest.mark.parametrize(
    ("kind", "number", "call", "step", "settings"),
    [
        ("bart", signal.SIGTERM, 1, 1, {"ema": 0.9}),
        ("bart", signal.SIGINT, 3, 2, {"accumulation": 2}),  # in the middle of a step
        ("qwen2", signal.SIGHUP, 4, 4, {"ema": 0.9}),  # in the step before an evaluation
        ("bart", signal.SIGTERM, 12, 12, {}),  # in the last step
    ],
)
def test_a_signal_ends_training_after_the_step(
    examples: datasets.Dataset, tmp_path: Path, kind: str, number: signal.Signals, call: int, step: int, settings: dict[str, Any]
) -> None:  # fmt: skip
    config = replace(CONFIG, **settings)
    train(tmp_path / "calm", examples, kind, replace(config, checkpoint_minutes=0.0))
    rare = replace(config, checkpoint_minutes=99.0)
    with pytest.raises(Interrupted) as stop:
        train(tmp_path / "run", examples, kind, rare, loss=at_call(call, number, cross_entropy))
    total = int(checkpoints.steps(tmp_path / "calm" / "checkpoints")[-1].name[5:])
    assert str(stop.value).startswith(
        f"interrupted by {number.name} after step {step} of {total}; checkpoint saved; "
    )
    assert checkpoints.steps(tmp_path / "run" / "checkpoints")[-1].name == f"step-{step:08d}"
    torch.manual_seed(99)
    train(tmp_path / "run", examples, kind, rare)
    assert ending(tmp_path / "run") == ending(tmp_path / "calm")


def test_a_signal_ends_an_evaluation_between_two_batches(examples: datasets.Dataset, tmp_path: Path) -> None:
    """The steps before it are kept; the resumed run begins with that evaluation."""
    template = InputTemplate(suffix=(WORDS.eos_token_id,))
    decoding = DecodingConfig(max_new_tokens=6, tokens_at_once=60)  # one dialogue at a time
    rows = tiny.rows(4, "dev", seed=4)
    real = dev_evaluation(load_competition("daily_talk"), rows, WORDS, LengthConfig(128), template, decoding)
    encoded = [0]

    def evaluate(number: int) -> Callable[[PreTrainedModel], dict[str, float]]:
        def evaluation(model: PreTrainedModel) -> dict[str, float]:
            def count(*_: Any) -> None:
                encoded[0] += 1
                if encoded[0] == number:
                    os.kill(os.getpid(), signal.SIGTERM)

            hook = model.get_encoder().register_forward_pre_hook(count)
            try:
                scores = dict(real(model))
            finally:
                hook.remove()
            return scores | {"score": falling_loss(examples, "bart")(model)["score"]}

        return evaluation

    config = replace(CONFIG, ema=0.9, checkpoint_minutes=99.0)
    train(tmp_path / "calm", examples, config=config, evaluate=evaluate(0))
    assert encoded == [12]  # three evaluations of four dialogues
    encoded[0] = 0
    with pytest.raises(Interrupted, match=r"after step 8 of 12; checkpoint saved"):
        train(tmp_path / "run", examples, config=config, evaluate=evaluate(6))
    assert encoded == [6]  # the second of four
    assert "8" not in [
        line.split()[1][:-1] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    train(tmp_path / "run", examples, config=config, evaluate=evaluate(0))
    assert encoded == [6 + 4 + 4]
    assert ending(tmp_path / "run") == ending(tmp_path / "calm")


def test_a_signal_while_saving_waits_for_the_checkpoint(examples: datasets.Dataset, tmp_path: Path) -> None:
    def save(model: PreTrainedModel, staging: Path, weights: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        save_model(model, WORDS, staging, None, weights)

    train(tmp_path / "calm", examples)
    with pytest.raises(Interrupted, match=r"after step 4 of 12; checkpoint saved"):
        train(tmp_path / "run", examples, save_best=save)
    assert not [*(tmp_path / "run").rglob(".*")]
    train(tmp_path / "run", examples)
    assert ending(tmp_path / "run") == ending(tmp_path / "calm")
