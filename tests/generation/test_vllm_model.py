"""How vLLM loads a saved model: adapters of multimodal checkpoints, precision, and the GPUs of a process."""

import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    GPT2Config,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3_5Config,
    Qwen3_5ForCausalLM,
    Qwen3_5ForConditionalGeneration,
)

from common.core.errors import UserError
from common.core.files import read_json, write_json
from common.generation import vllm_model
from common.generation.config import DecodingConfig
from common.generation.context import require_context
from common.models.config import PretrainedConfig
from common.models.tiny import tiny
from tests.generation.test_vllm_facts import FACTS

DECODER = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "vocab_size": 64,
    "max_position_embeddings": 300,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "depth": 1,
    "num_heads": 2,
    "out_hidden_size": 32,
    "image_size": 28,
    "patch_size": 14,
}


@pytest.fixture(autouse=True)
def request_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand for vLLM's class of requests."""
    module = types.ModuleType("vllm.lora.request")
    module.LoRARequest = lambda **settings: types.SimpleNamespace(**settings)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm.lora.request", module)


def qwen() -> tuple[PreTrainedConfig, PreTrainedModel, type[PreTrainedModel]]:
    """Qwen3.5: transformers trains its language model alone, vLLM runs the whole class."""
    config = Qwen3_5Config(
        text_config=DECODER | {"linear_num_key_heads": 2, "linear_num_value_heads": 2},
        vision_config=VISION,
        architectures=["Qwen3_5ForConditionalGeneration"],
    )
    return config, Qwen3_5ForCausalLM(config.text_config), Qwen3_5ForConditionalGeneration


def gemma() -> tuple[PreTrainedConfig, PreTrainedModel, type[PreTrainedModel]]:
    config = Gemma3Config(
        text_config=DECODER, vision_config=VISION, architectures=["Gemma3ForConditionalGeneration"]
    )
    return config, Gemma3ForConditionalGeneration(config), Gemma3ForConditionalGeneration


def adapted(model: PreTrainedModel, folder: Path, targets: str | list[str]) -> Path:
    get_peft_model(model, LoraConfig(r=4, target_modules=targets)).save_pretrained(folder)
    return folder


def names_in_vllm(folder: Path, architecture: str) -> set[str]:
    """The layers that vLLM looks for, by its own table of names."""
    found = set()
    for name in load_file(folder / "adapter_model.safetensors"):
        layer = name.removeprefix("base_model.model.").rpartition(".lora_")[0]
        for old, new in FACTS["layer names"][architecture].items():
            if new is not None and layer.startswith(old):
                layer = new + layer.removeprefix(old)
        found.add(layer)
    return found


@pytest.mark.parametrize("make", [qwen, gemma])
@pytest.mark.parametrize("targets", ["all-linear", ["q_proj", "down_proj"]])
def test_vllm_finds_the_adapters_of_a_multimodal_checkpoint(
    tmp_path: Path, make: Any, targets: str | list[str]
) -> None:
    config, model, whole = make()
    folder = adapted(model, tmp_path / "saved", targets)
    found = vllm_model.adapter(folder, config)
    assert found is not None and found.rank == 4
    read = Path(found.request.lora_path)
    layers = names_in_vllm(read, config.architectures[0])
    with torch.device("meta"):
        served = whole(config)
    text = {
        "language_model." + name.replace("model.language_model.", "model.")
        for name, module in served.named_modules()
        if isinstance(module, torch.nn.Linear) and ".language_model." in name
    }
    if isinstance(targets, list):
        text = {name for name in text if name.rpartition(".")[2] in targets}
    assert text and layers == text
    # Their values are those that were trained.
    before, after = (load_file(path / "adapter_model.safetensors") for path in (folder, read))
    for name, tensor in after.items():
        old = name if name in before else name.replace("model.language_model.", "model.")
        assert torch.equal(tensor, before[old])
    assert read_json(read / "adapter_config.json") == read_json(folder / "adapter_config.json")
    del found
    assert read == folder or not read.exists()


def test_adapters_in_the_right_place_are_not_copied(tmp_path: Path) -> None:
    config, model, _ = gemma()
    folder = adapted(model, tmp_path, r"model\.language_model\..*\.q_proj")
    found = vllm_model.adapter(folder, config)
    assert found is not None and found.folder is None
    assert found.request.lora_path == str(folder)


def test_adapters_that_vllm_would_ignore_are_refused(tmp_path: Path) -> None:
    config, model, _ = gemma()
    tower = adapted(model, tmp_path / "tower", r".*vision_tower.*\.q_proj")
    with pytest.raises(
        UserError, match=r"has no adapters of the language model \(found base_model\.model\.model\.vision"
    ):
        vllm_model.adapter(tower, config)
    config.architectures = ["NewForConditionalGeneration"]
    with pytest.raises(
        UserError, match="where vLLM keeps the language model of NewForConditionalGeneration is not known"
    ):
        vllm_model.adapter(tower, config)


@pytest.mark.parametrize(
    ("config", "saved", "message"),
    [
        (GPT2Config(), {"r": 4}, "has adapters, which vLLM does not support for gpt2: use --engine hf."),
        (Qwen2Config(), {"r": 4, "target_parameters": ["experts.gate_up_proj"]}, "has adapters of experts, which"),
        (Qwen2Config(), {"r": 513}, "has adapters of rank 513, but vLLM supports at most 512: use --engine hf."),
        (Qwen2Config(), {"r": 4, "modules_to_save": ["lm_head"]}, "has trained embedding rows"),
    ],
)  # fmt: skip
def test_adapters_that_vllm_cannot_load_are_refused(
    tmp_path: Path, config: PreTrainedConfig, saved: dict[str, Any], message: str
) -> None:
    write_json(tmp_path / "adapter_config.json", saved)
    with pytest.raises(UserError) as refused:
        vllm_model.adapter(tmp_path, config)
    assert message in str(refused.value)


@pytest.mark.parametrize("make", [qwen, gemma])
def test_a_multimodal_checkpoint_is_loaded_without_its_towers(tmp_path: Path, make: Any) -> None:
    """Its image processor wants a tokenizer, and vLLM gets none."""
    made = arguments(tmp_path, make()[0])
    assert made["language_model_only"] is True
    assert "language_model_only" not in arguments(tmp_path, Qwen2Config())
    assert set(made) <= {*FACTS["EngineArgs"], *FACTS["LLM"]}


def arguments(folder: Path, config: PreTrainedConfig) -> dict[str, Any]:
    return vllm_model.arguments(
        folder, config, DecodingConfig(), dtype="bfloat16", weights="none", rank=0, longest=10
    )


def test_the_context_of_a_multimodal_checkpoint_is_that_of_its_language_model() -> None:
    config = gemma()[0]
    require_context(config, 200, 100)
    with pytest.raises(UserError, match="this model's context is 300 tokens"):
        require_context(config, 200, 101)


@pytest.mark.parametrize(("share", "expected"), [(0.69, "none"), (0.71, "nf4")])
def test_16_bit_weights_leave_room_for_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float, expected: str
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    monkeypatch.setattr(vllm_model, "find_spec", lambda _: object())
    folder = tiny("tiny:qwen2")
    weights = sum(tensor.numel() for tensor in load_file(folder / "model.safetensors").values())
    assert vllm_model.weight_count(folder) == weights
    base = PretrainedConfig(model="tiny:qwen2", quantization="nf4")
    assert vllm_model.chosen_weights(DecodingConfig(), base, folder, 2 * weights / share) == expected


def test_4_bit_weights_without_the_plugin_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    base = PretrainedConfig(model="tiny:qwen2", quantization="nf4")
    with pytest.raises(
        UserError, match=r"4-bit weights need the package vllm-bnb-plugin, .*; run: python3\.11"
    ):
        vllm_model.chosen_weights(DecodingConfig(), base, tiny("tiny:qwen2"), 1000.0)


@pytest.mark.parametrize(
    ("visible", "gpus", "expected"), [(None, [2], "2"), ("4,5, 6,7", [2], "6"), ("GPU-a,GPU-b", [0, 1], "GPU-a,GPU-b")]
)  # fmt: skip
def test_processes_started_by_vllm_see_their_own_gpus_and_no_group(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, gpus: list[int], expected: str
) -> None:
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    before = dict(os.environ)
    code = "import os; print(*(os.environ.get(n) for n in ('CUDA_VISIBLE_DEVICES', 'RANK', 'TORCHELASTIC_RUN_ID')))"
    with pytest.raises(KeyError), vllm_model.own_gpus(gpus):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        raise KeyError
    assert done.stdout.split() == [expected, "None", "None"]
    assert dict(os.environ) == before
