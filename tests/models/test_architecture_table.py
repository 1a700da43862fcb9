"""Every architecture: load, adapt, lose, decode greedily, by sampling and by beams, merge, train in two processes.

Each cell works, or is refused in one line. The models are tiny and random (tests/support/architectures.py).
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.pytorch_utils import Conv1D

from common.core.errors import UserError
from common.generation.config import DecodingConfig
from common.generation.hf import decode
from common.models.adapters import add_lora, linear_layers, lora_targets
from common.models.config import LoRAConfig, PretrainedConfig
from common.models.pretrained import load_pretrained
from common.models.storage import load_model, merge_adapters, save_model
from common.models.tensor_files import write_model
from common.models.text_parts import expert_parameters
from common.training.losses import cross_entropy
from common.training.merged_weights import MergedWeights
from tests.support import REPOSITORY
from tests.support.adapted import LESSON, batch_of, logits_of, teach
from tests.support.architectures import BUILD, KINDS, WORDS, written

MULTIMODAL = {
    "gemma3_vision": "model.language_model.layers.",
    "gemma4_vision": "model.language_model.",
    "t5gemma2": "model.",
}
EXPERTS = ("qwen3_moe", "gpt_oss", "gemma4_moe", "deepseek_v3", "solar_open")
BESIDE_EXPERTS = ("deepseek_v3", "solar_open")
"""Models with layers beside the experts that peft takes for the experts of older releases; attention alone is adapted."""
SOURCES = [[7, 8, 9, 10, 11], [14], [20, 21, 22]]
SHORT = DecodingConfig(candidates=1, beams=1, max_new_tokens=8)
SAMPLED = replace(SHORT, candidates=2, temperature=1.5)
BEAMS = replace(SHORT, candidates=2, beams=2)


@dataclass(frozen=True)
class Taught:
    """An architecture's adapters after some steps of training."""

    kind: str
    base: PretrainedConfig
    model: PeftModel
    tokenizer: PreTrainedTokenizerFast
    losses: list[float]
    saved: Path


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of every tiny model."""
    root = tmp_path_factory.mktemp("architectures")
    return {kind: written(kind, root / kind) for kind in BUILD}


@pytest.fixture(scope="module", params=KINDS)
def taught(
    request: pytest.FixtureRequest, folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Taught]:
    """One architecture after another: loaded, adapted in all layers, trained for some steps and saved."""
    kind = request.param
    base = base_of(folders[kind])
    model, tokenizer = load_pretrained(base, frozen=True)
    torch.manual_seed(0)
    adapted = add_lora(model, tokenizer, LoRAConfig(rank=4, alpha=8, dropout=0.0, targets=targets_of(kind)))
    losses = teach(adapted, 10, 1e-2)
    saved = tmp_path_factory.mktemp(f"best-{kind}")
    save_model(adapted, tokenizer, saved, base)
    yield Taught(kind, base, adapted, tokenizer, losses, saved)


def targets_of(kind: str) -> tuple[str, ...]:
    return ("attention",) if kind in BESIDE_EXPERTS else ("all",)


def base_of(folder: Path, **settings: Any) -> PretrainedConfig:
    return replace(PretrainedConfig(model=str(folder), dtype="float32"), **settings)


def texts(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, config: DecodingConfig
) -> list[list[str]]:
    torch.manual_seed(5)
    return [[one.text for one in group] for group in decode(model, tokenizer, SOURCES, config)]


def alone(model: PreTrainedModel, source: list[int]) -> list[int]:
    """The greedy tokens of transformers' own `generate` for one source, without padding."""
    causal = not model.config.is_encoder_decoder
    found = model.generate(
        input_ids=torch.tensor([source]),
        attention_mask=torch.ones(1, len(source), dtype=torch.long),
        generation_config=GenerationConfig(
            max_new_tokens=SHORT.max_new_tokens, do_sample=False, eos_token_id=WORDS.eos_token_id, pad_token_id=WORDS.pad_token_id,
            decoder_start_token_id=None if causal else model.config.decoder_start_token_id,
        ),
    )[0].tolist()  # fmt: skip
    return found[len(source) if causal else 1 :]


def test_adapters_of_all_text_layers_learn(taught: Taught) -> None:
    assert taught.losses[-1] < 0.9 * taught.losses[0]
    trained = {
        name.removeprefix("base_model.model.").split(".lora_")[0].replace(".base_layer", "")
        for name, parameter in taught.model.named_parameters()
        if parameter.requires_grad
    }
    assert all("lora_" in name for name, p in taught.model.named_parameters() if p.requires_grad)
    gradients = [p.grad for _, p in taught.model.named_parameters() if p.requires_grad]
    assert all(gradient is not None for gradient in gradients)  # else several processes wait for it in vain
    plain, _ = load_pretrained(taught.base, frozen=True)
    experts = set(expert_parameters(plain))
    assert bool(experts) == (taught.kind in EXPERTS)
    chosen = lora_targets(plain, targets_of(taught.kind))
    assert trained == {name.rpartition(".")[0] if name in experts else name for name in chosen}
    elsewhere = re.compile("vision|audio|multi_modal|lm_head|embed_out")
    every = {name for name, module in plain.named_modules() if isinstance(module, torch.nn.Linear | Conv1D)}
    assert set(linear_layers(plain)) == {name for name in every if not elsewhere.search(name)}
    start = MULTIMODAL.get(taught.kind)
    if start:
        assert all(
            name.startswith(start) and "vision" not in name and "audio" not in name for name in trained
        )
    assert not any("lm_head" in name for name in trained)


def test_the_loss_counts_the_summary_alone(taught: Taught, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss over the output layer's targets is the one from all logits, with and without a smaller vocabulary."""
    model, batch = taught.model, batch_of(taught.model, [LESSON, (SOURCES[0], [5, 6])])
    few = torch.arange(4, 200)
    with torch.no_grad():
        whole, limited = (float(cross_entropy(model, batch, 0.0, allowed)) for allowed in (None, few))
        expected = []
        for source, target in (LESSON, (SOURCES[0], [5, 6])):
            if model.config.is_encoder_decoder:
                start = [model.config.decoder_start_token_id, *target[:-1]]
                logits = model(
                    input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([start])
                ).logits[0]
            else:
                logits = model(input_ids=torch.tensor([[*source, *target]])).logits[0, len(source) - 1 : -1]
            wanted = torch.tensor(target).unsqueeze(1)
            expected.append(
                [
                    -float(logits.log_softmax(-1).gather(1, wanted).sum()),
                    -float(logits[:, few].log_softmax(-1).gather(1, wanted - 4).sum()),
                ]
            )
        monkeypatch.setattr("common.training.losses.MOST_LOGITS", 100)
        parts = [float(cross_entropy(model, batch, 0.0, allowed)) for allowed in (None, few)]
    assert parts == pytest.approx([whole, limited], rel=1e-5)
    assert whole == pytest.approx(sum(pair[0] for pair in expected), rel=1e-3)
    assert limited == pytest.approx(sum(pair[1] for pair in expected), rel=1e-3)


def test_greedy_decoding_of_a_batch_is_that_of_each_source_alone(taught: Taught) -> None:
    model, tokenizer = taught.model, taught.tokenizer
    expected = [alone(model, source) for source in SOURCES]
    # A token of one text ends texts from now on, so rows leave the batch at different times.
    ends = [tokenizer.eos_token_id, expected[0][1]]
    cut = [ids[: next((i for i, token in enumerate(ids) if token in ends), len(ids))] for ids in expected]
    original = model.generation_config.eos_token_id
    model.generation_config.eos_token_id = ends
    try:
        found = texts(model, tokenizer, SHORT)
    finally:
        model.generation_config.eos_token_id = original
    assert found == [[text.strip()] for text in tokenizer.batch_decode(cut, skip_special_tokens=True)]


def test_samples_are_drawn_and_the_seed_decides(taught: Taught) -> None:
    found = texts(taught.model, taught.tokenizer, SAMPLED)
    assert [len(group) for group in found] == [2, 2, 2]
    assert texts(taught.model, taught.tokenizer, SAMPLED) == found
    assert any(first != second for first, second in found)


def test_beams_find_texts_at_least_as_likely_as_greedy_ones(taught: Taught) -> None:
    found = decode(taught.model, taught.tokenizer, SOURCES[:1], replace(BEAMS, length_penalty=0.0))
    assert [len(group) for group in found] == [2]
    best, second = found[0]
    assert best.logprob >= second.logprob - 1e-3
    assert best.tokens <= BEAMS.max_new_tokens


def test_saved_adapters_come_back_and_merged_weights_are_a_model_of_their_own(
    taught: Taught, tmp_path: Path
) -> None:
    expected, greedy = logits_of(taught.model), texts(taught.model, taught.tokenizer, BEAMS)
    loaded, words = load_model(taught.saved)
    torch.testing.assert_close(logits_of(loaded), expected, rtol=0, atol=0)
    assert texts(loaded, words, BEAMS) == greedy
    merged = merge_adapters(loaded)
    assert not isinstance(merged, PeftModel)
    merged.save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    whole, words = load_pretrained(base_of(tmp_path), frozen=True)
    whole.eval()
    torch.testing.assert_close(logits_of(whole), expected, rtol=1e-3, atol=1e-4)
    assert texts(whole, words, BEAMS) == greedy


def test_make_merge_writes_the_same_model_tensor_by_tensor(taught: Taught, tmp_path: Path) -> None:
    base = Path(taught.base.model)
    merged = MergedWeights(base, taught.saved, len(taught.tokenizer))
    merged.config.save_pretrained(tmp_path)
    taught.tokenizer.save_pretrained(tmp_path)
    write_model(tmp_path, merged.tensors, merged.content, lambda _: None)
    whole, _ = load_pretrained(base_of(tmp_path), frozen=True)
    torch.testing.assert_close(logits_of(whole.eval()), logits_of(taught.model), rtol=1e-3, atol=1e-4)


TOGETHER = (
    "bart",
    "t5gemma",
    "t5gemma2",
    "gpt2",
    "qwen3_moe",
    "qwen3_5",
    "lfm2",
    "gemma3_vision",
    "gemma4_vision",
)
WAYS = (
    "t5gemma2:full",
    "gemma3_vision:full",
    "gemma4_vision:full",
    "qwen3_moe:fsdp",
    "gemma3_vision:full-fsdp",
)


@pytest.mark.slow
def test_two_processes_train_the_same_weights(folders: dict[str, Path]) -> None:
    """A trained weight without a gradient, such as an adapter of a vision tower, stops the second step."""
    root = folders["bart"].parent
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
    ended = subprocess.run(
        [*command, "tests.support.architecture_worker", str(root), *TOGETHER, *WAYS, "gemma3n"],
        cwd=REPOSITORY, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    first, second = (json.loads((root / f"found-{rank}.json").read_text(encoding="utf-8")) for rank in (0, 1))
    assert first == second
    assert first.pop("gemma3n").startswith(
        "some trained weights take no part in the loss, which training in several"
    )
    assert {case: found["steps"] for case, found in first.items()} == dict.fromkeys((*TOGETHER, *WAYS), 2)


def test_what_experts_cannot_do_is_refused_in_one_line(folders: dict[str, Path]) -> None:
    folder = folders["qwen3_moe"]
    model, tokenizer = load_pretrained(base_of(folder), frozen=True)
    with pytest.raises(
        UserError,
        match=r"^--dropout 0\.05: adapters of the experts of Qwen3Moe.* use --dropout 0, or .*attention\.$",
    ):
        add_lora(model, tokenizer, LoRAConfig(targets=("all",)))
    attention = add_lora(model, tokenizer, LoRAConfig(targets=("attention",)))
    assert {name.split(".")[-5] for name, p in attention.named_parameters() if p.requires_grad} == {
        "self_attn"
    }
    for quantization in ("nf4", "int8"):
        with pytest.raises(
            UserError,
            match=rf"^--quantization {quantization}: bitsandbytes cannot quantize the experts of Qwen3Moe.*none",
        ):
            load_pretrained(base_of(folder, quantization=quantization), frozen=True)


@pytest.mark.filterwarnings("ignore:The following (rank|alpha)_pattern keys:RuntimeWarning")
@pytest.mark.parametrize("kind", BESIDE_EXPERTS)
def test_layers_that_peft_takes_for_experts_are_refused(folders: dict[str, Path], kind: str) -> None:
    """A layer beside the experts has the name that experts had before transformers 5."""
    model, tokenizer = load_pretrained(base_of(folders[kind]), frozen=True)
    with pytest.raises(
        UserError,
        match=r"^--targets: peft .* cannot adapt .* layers of .*ForCausalLM, such as .*attention\.$",
    ):
        add_lora(model, tokenizer, LoRAConfig(dropout=0.0, targets=("all",)))


def test_layers_that_peft_refuses_are_named_in_one_line(tmp_path: Path) -> None:
    """The kernel of Mamba's layers reads a weight without calling its layer."""
    from transformers import MambaConfig, MambaForCausalLM

    from tests.support.architectures import IDS

    MambaForCausalLM(MambaConfig(**IDS, hidden_size=32, num_hidden_layers=1, state_size=4)).save_pretrained(
        tmp_path
    )
    WORDS.save_pretrained(tmp_path)
    model, tokenizer = load_pretrained(base_of(tmp_path), frozen=True)
    with pytest.raises(
        UserError,
        match=r"^--targets all: peft .* cannot adapt these layers of MambaForCausalLM \(.*'out_proj'",
    ):
        add_lora(model, tokenizer, LoRAConfig(targets=("all",)))


@pytest.mark.parametrize("kind", ["t5gemma", "t5gemma2"])
def test_tags_are_not_added_where_the_embeddings_cannot_grow(folders: dict[str, Path], kind: str) -> None:
    model, tokenizer = load_pretrained(base_of(folders[kind]), frozen=True)
    with pytest.raises(
        UserError, match=r"^--added-tags true: the embeddings of T5Gemma.* leave --added-tags out"
    ):
        add_lora(model, tokenizer, LoRAConfig(added_tags=True), ["#New#"])


def test_attention_is_chosen_by_the_model_and_a_choice_it_lacks_is_refused(folders: dict[str, Path]) -> None:
    for kind in ("gemma2", "t5gemma", "gpt_oss"):
        model, _ = load_pretrained(base_of(folders[kind]), frozen=True)
        assert model.config._attn_implementation == "eager"
        with pytest.raises(
            UserError, match=r"^--attention sdpa: not possible with .*Use --attention auto\.$"
        ) as refusal:
            load_pretrained(base_of(folders[kind], attention="sdpa"), frozen=True)
        assert "\n" not in str(refusal.value)
    vision, _ = load_pretrained(base_of(folders["gemma4_vision"]), frozen=True)
    assert vision.model.language_model.config._attn_implementation == "sdpa"  # its audio part has eager alone
    with pytest.raises(UserError, match=r"^--attention flash_attention_2: not possible"):
        load_pretrained(base_of(folders["llama"], attention="flash_attention_2"), frozen=True)


def test_adapters_of_4_bit_gpt2_are_merged_into_its_transposed_layers(
    folders: dict[str, Path], tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    base = base_of(folders["gpt2"], quantization="nf4", dtype="auto")
    model, tokenizer = load_pretrained(base, frozen=True)
    adapted = add_lora(model, tokenizer, LoRAConfig(rank=4, alpha=8, dropout=0.0, targets=("all",)))
    teach(adapted, 10, 1e-2)
    save_model(adapted, tokenizer, tmp_path, base)
    torch.testing.assert_close(logits_of(load_model(tmp_path)[0]), logits_of(adapted), rtol=0, atol=0)
    loaded, _ = load_model(tmp_path, quantization="none", dtype="float32")
    expected = logits_of(loaded)
    torch.testing.assert_close(logits_of(merge_adapters(loaded)), expected, rtol=1e-3, atol=1e-4)
    assert not [warning for warning in recwarn if "fan_in_fan_out" in str(warning.message)]


@pytest.mark.parametrize("kind", MULTIMODAL)
def test_fully_trained_multimodal_models_leave_the_parts_for_images_alone(
    folders: dict[str, Path], kind: str
) -> None:
    model, _ = load_pretrained(base_of(folders[kind]), frozen=False)
    teach(model, 1)
    trained = {
        name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad
    }
    assert all(gradient is not None for gradient in trained.values())
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen and all(re.search("vision|audio|multi_modal", name) for name in frozen)
    assert not any(re.search("vision|audio|multi_modal", name) for name in trained)


@pytest.mark.parametrize("kind", ["gpt2", "gemma3_vision", "gemma4_vision", "qwen3_moe"])
def test_added_tags_come_back_with_the_adapters(folders: dict[str, Path], tmp_path: Path, kind: str) -> None:
    base = base_of(folders[kind])
    model, tokenizer = load_pretrained(base, frozen=True)
    adapted = add_lora(
        model, tokenizer, LoRAConfig(rank=4, dropout=0.0, added_tags=True), ["#New#", "#Other#"]
    )
    new = tokenizer.convert_tokens_to_ids("#New#")
    lesson = ([new, 31], [41, new, tokenizer.eos_token_id])
    losses = teach(adapted, 8, 1e-2, lesson)
    assert losses[-1] < losses[0]
    save_model(adapted, tokenizer, tmp_path, base)
    torch.manual_seed(9)
    loaded, _ = load_model(tmp_path)
    torch.testing.assert_close(logits_of(loaded, lesson), logits_of(adapted, lesson), rtol=0, atol=0)


def test_the_weights_of_a_multimodal_checkpoint_reach_the_text_model(folders: dict[str, Path]) -> None:
    """Qwen3.5's checkpoints have a vision tower, and only their text model is loaded."""
    from safetensors.torch import load_file

    model, _ = load_pretrained(base_of(folders["qwen3_5_vision"]), frozen=True)
    stored = load_file(folders["qwen3_5_vision"] / "model.safetensors")
    (name,) = [name for name in stored if name.endswith("layers.1.self_attn.q_proj.weight")]
    assert torch.equal(model.get_parameter("model.layers.1.self_attn.q_proj.weight"), stored[name])
