"""Steps of a fixed shape say what the others say, compiled or not; what cannot be compiled is refused in one line."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from common.core.config import override
from common.core.errors import UserError
from common.generation import engines, fixed_steps
from common.generation.config import DecodingConfig
from common.generation.hf import hf_decoder
from common.models.adapters import add_lora
from common.models.config import LoRAConfig, PretrainedConfig
from common.models.pretrained import load_pretrained
from common.models.storage import save_model
from tests.support.decoding import GREEDY, SAMPLED, WORDS, sources_of

MIXED = replace(GREEDY, samples=3, samples_temperature=1.3)
CASES = {
    "greedy": GREEDY,
    "sampled": SAMPLED,
    "greedy and samples": MIXED,
    "penalty": replace(MIXED, repetition_penalty=1.3),
    "n-grams": replace(GREEDY, no_repeat_ngram=2),
    "one token": replace(MIXED, max_new_tokens=1),
    "longer than a block": replace(GREEDY, max_new_tokens=150),
}


def texts(
    model: PreTrainedModel, config: DecodingConfig, count: int = 7
) -> list[list[tuple[str, int, float]]]:
    decoder = hf_decoder(model, WORDS)
    found = decoder(list(sources_of("qwen2", count).values()), config, 3)
    return [[(one.text, one.tokens, round(float(one.logprob or 0), 3)) for one in group] for group in found]


@pytest.fixture
def adapted(taught_models: dict[str, PreTrainedModel]) -> PreTrainedModel:
    torch.manual_seed(0)
    found = add_lora(
        deepcopy(taught_models["qwen2"]), WORDS, LoRAConfig(rank=4, dropout=0.0, targets=("all",))
    ).eval()
    with torch.no_grad():
        for name, parameter in found.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.5)
    return found


@pytest.mark.parametrize("case", CASES)
def test_a_fixed_shape_changes_no_text(
    taught_models: dict[str, PreTrainedModel], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    shapes: list[tuple[int, ...]] = []
    selected: list[int] = []
    whole = fixed_steps.FixedSteps.select

    def step_of(model: PreTrainedModel) -> fixed_steps.Step:
        step = original(model)

        def seen(ids: torch.Tensor, mask: torch.Tensor, *rest: Any) -> torch.Tensor:
            shapes.append(tuple(mask.shape))
            return step(ids, mask, *rest)

        return seen

    def select(steps: fixed_steps.FixedSteps, rows: torch.Tensor) -> None:
        selected.append(len(rows))
        whole(steps, rows)

    original = fixed_steps.step_of
    monkeypatch.setattr(fixed_steps, "compiled", step_of)
    monkeypatch.setattr(fixed_steps.FixedSteps, "select", select)
    model, config = taught_models["qwen2"], CASES[case]
    wanted = texts(model, config)
    assert not shapes
    assert texts(model, replace(config, compiled=True)) == wanted
    assert (len(shapes) > 0) == (config.max_new_tokens > 1)
    assert all(shape[3] % fixed_steps.LENGTHS == 0 for shape in shapes)
    assert len({shape[3] for shape in shapes}) <= 1  # the cache does not grow
    assert {shape[0] for shape in shapes[1:]} <= {*selected, *(shape[0] for shape in shapes[:1])}
    if case == "longer than a block":
        assert selected  # texts that have ended leave the batch


def test_adapters_decode_in_fixed_shapes(adapted: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixed_steps, "compiled", fixed_steps.step_of)
    assert texts(adapted, replace(MIXED, compiled=True)) == texts(adapted, MIXED)


@pytest.mark.slow
def test_a_compiled_step_says_the_same_for_other_sizes_without_another_compilation(
    adapted: PreTrainedModel,
) -> None:
    """With torch's own compiler, on this machine's CPU."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    for config, count in ((MIXED, 7), (replace(MIXED, samples=2, max_new_tokens=150), 3), (GREEDY, 5)):
        assert texts(adapted, replace(config, compiled=True), count) == texts(adapted, config, count)
    stats = torch._dynamo.utils.counters["stats"]
    assert stats["unique_graphs"] == 1, stats


@pytest.mark.parametrize(
    "words",
    [
        ["--compiled", "--engine=vllm"],
        ["--compiled", "--engine=ctranslate2"],
        ["--compiled", "--beams=4"],
        ["--compiled", "--beams=2", "--candidates=2", "--samples=3"],
    ],
)
def test_other_engines_and_beams_are_refused(words: list[str]) -> None:
    with pytest.raises(
        UserError, match=r"^--compiled true: only the engine hf compiles its decoding step, .*leave"
    ):
        override(GREEDY, words)


@pytest.mark.parametrize(
    ("kind", "said"), [("gemma3", "has layers without full attention"), ("bart", "only the step of")]
)
def test_a_model_whose_step_has_no_fixed_shape_is_refused(kind: str, said: str, tmp_path: Path) -> None:
    model, tokenizer = load_pretrained(PretrainedConfig(model=f"tiny:{kind}", dtype="float32"), frozen=False)
    save_model(model, tokenizer, tmp_path)
    with pytest.raises(UserError, match=rf"^--compiled true: .*{said}.*leave --compiled out\.$"):
        engines.decoder(tmp_path, replace(GREEDY, compiled=True))


def test_a_limited_vocabulary_is_refused(tmp_path: Path) -> None:
    model, tokenizer = load_pretrained(PretrainedConfig(model="tiny:qwen2", dtype="float32"), frozen=False)
    save_model(model, tokenizer, tmp_path)
    config = replace(GREEDY, compiled=True)
    engines.decoder(tmp_path, config)
    with pytest.raises(UserError, match=r"^--compiled true: this experiment limits the vocabulary"):
        engines.decoder(tmp_path, config, vocabulary_texts=["안녕"])
