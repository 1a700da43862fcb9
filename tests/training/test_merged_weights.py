"""Adapters added tensor by tensor: the same bits as PEFT's merge of a whole model, in a fraction of its memory."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, PreTrainedModel

from common.core.errors import UserError
from common.core.files import read_json, write_json
from common.models import tensor_files
from common.models.adapters import add_lora
from common.models.config import LoRAConfig, PretrainedConfig
from common.models.pretrained import load_pretrained
from common.models.storage import load_model, merge_adapters, save_model, weights
from common.models.tensor_files import write_model
from common.models.weight_files import SAFE, defect_of
from common.tokenization.tokenizer import load_tokenizer
from common.training.merged_weights import MergedWeights
from tests.support import REPOSITORY, tiny

pytestmark = pytest.mark.usefixtures("model_cache")

DECODER = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
ENCODER_DECODER = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
}
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "bart": ("BartConfig", ENCODER_DECODER),
    "t5": ("T5Config", {"d_model": 32, "d_ff": 64, "num_layers": 1, "num_heads": 2, "d_kv": 16}),
    "llama": ("LlamaConfig", DECODER),
    "qwen2": ("Qwen2Config", DECODER | {"tie_word_embeddings": True}),
    "qwen3": ("Qwen3Config", DECODER | {"head_dim": 32}),
    "qwen3_moe": ("Qwen3MoeConfig", DECODER | {"head_dim": 32, "num_experts": 4, "num_experts_per_tok": 2,
                                               "moe_intermediate_size": 32}),
    "gemma3": ("Gemma3TextConfig", DECODER | {"head_dim": 32}),
    "phi3": ("Phi3Config", DECODER),
    "gpt2": ("GPT2Config", {"n_embd": 64, "n_layer": 2, "n_head": 2}),
}  # fmt: skip
PLAIN = LoRAConfig(rank=4, alpha=16, targets=("all",))
TAGS = ("#NewTag1#", "#NewTag2#")


def base_of(folder: Path, kind: str, dtype: torch.dtype = torch.bfloat16) -> Path:
    """Write a tiny random model of an architecture, whose tokenizer has no tags."""
    folder.mkdir(parents=True)
    tokenizer = tiny.tokenizer()
    name, sizes = CONFIGS[kind]
    ids = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    config = getattr(transformers, name)(**sizes, **ids)
    if config.is_encoder_decoder:
        config.decoder_start_token_id = tokenizer.eos_token_id
    torch.manual_seed(0)
    loader: Any = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    loader.from_config(config).to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def adapt(base: Path, best: Path, lora: LoraConfig | None = None, tags: Sequence[str] = ()) -> PeftModel:
    """Save random adapters on the base in `best` and return the model."""
    config = PretrainedConfig(model=str(base), dtype="float32")
    model, tokenizer = load_pretrained(config, frozen=True)
    if lora is None:
        lora_config = LoRAConfig(rank=4, alpha=16, dropout=0.0, targets=("all",), added_tags=bool(tags))
        adapted = add_lora(model, tokenizer, lora_config, tags)
    else:
        adapted = get_peft_model(model, lora)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    best.mkdir()
    save_model(adapted, tokenizer, best, config)
    return adapted


def merged_at_once(base: Path, best: Path) -> PreTrainedModel:
    """Return what PEFT merges: the whole model in float32, rounded to the type of its files at the end."""
    model, _ = load_model(best, dtype="float32")
    dtype = transformers.AutoConfig.from_pretrained(base).dtype
    return merge_adapters(model).to(dtype)


def merge(base: Path, best: Path, target: Path) -> Path:
    merged = MergedWeights(base, best, len(load_tokenizer(best)))
    target.mkdir()
    merged.config.save_pretrained(target)
    write_model(target, merged.tensors, merged.content, lambda _: None)
    return target


def loaded(folder: Path) -> dict[str, torch.Tensor]:
    seq2seq = transformers.AutoConfig.from_pretrained(folder).is_encoder_decoder
    loader: Any = AutoModelForSeq2SeqLM if seq2seq else AutoModelForCausalLM
    return dict(loader.from_pretrained(folder, dtype="auto").state_dict())


def require_equal(base: Path, best: Path, target: Path) -> None:
    """Assert that both merges have the same bits, in their files and when they are loaded, and differ from the base."""
    merged = merge(base, best, target)
    other = target.with_name("at-once")
    merged_at_once(base, best).save_pretrained(other)
    assert defect_of(base) is None
    wanted, found = loaded(other), loaded(merged)
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)
    assert {tensor.dtype for tensor in found.values()} == {tensor.dtype for tensor in wanted.values()}
    before = loaded(base)
    assert sum(not torch.equal(before[name][:1], found[name][:1]) for name in before) > 3


@pytest.mark.parametrize("kind", [name for name in CONFIGS if name != "gpt2"])
def test_every_architecture_has_the_bits_of_peft(tmp_path: Path, kind: str) -> None:
    base = base_of(tmp_path / "base", kind)
    adapt(base, tmp_path / "best", tags=TAGS if kind != "phi3" else ())
    require_equal(base, tmp_path / "best", tmp_path / "merged")


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("gpt2", {"target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": True}),
        ("llama", {"target_modules": ["q_proj", "down_proj"], "use_dora": True}),
        ("llama", {"target_modules": ["q_proj"], "use_rslora": True, "modules_to_save": ["lm_head", "norm"]}),
        ("qwen3_moe", {"target_modules": ["q_proj"],
                       "target_parameters": ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]}),
    ],
)  # fmt: skip
def test_every_kind_of_adapter_has_the_bits_of_peft(
    tmp_path: Path, kind: str, settings: dict[str, Any]
) -> None:
    base = base_of(tmp_path / "base", kind)
    adapt(base, tmp_path / "best", LoraConfig(r=2, lora_alpha=8, task_type="CAUSAL_LM", **settings))
    require_equal(base, tmp_path / "best", tmp_path / "merged")


def test_the_names_in_the_base_files_stay(tmp_path: Path) -> None:
    """GPT-2's own files have no "transformer." before a name; the files of a conversion have tied tensors twice."""
    base = base_of(tmp_path / "base", "gpt2")
    stored = load_file(base / SAFE)
    renamed = {name.removeprefix("transformer."): tensor for name, tensor in stored.items()}
    save_file(
        renamed | {"lm_head.weight": renamed["wte.weight"].clone()}, base / SAFE, metadata={"format": "pt"}
    )
    adapt(base, tmp_path / "best", LoraConfig(r=2, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True,
                                              trainable_token_indices=[5, 6], task_type="CAUSAL_LM"))  # fmt: skip
    require_equal(base, tmp_path / "best", tmp_path / "merged")
    written = load_file(tmp_path / "merged" / SAFE)
    assert written.keys() == renamed.keys() | {"lm_head.weight"}
    assert torch.equal(written["lm_head.weight"], written["wte.weight"])
    assert not torch.equal(written["wte.weight"][5], renamed["wte.weight"][5])


def test_a_base_of_pickled_weights_is_converted_first(tmp_path: Path) -> None:
    base = base_of(tmp_path / "base", "bart", torch.float32)
    torch.save(load_file(base / SAFE), base / "pytorch_model.bin")
    (base / SAFE).unlink()
    adapt(base, tmp_path / "best", tags=TAGS)
    converted, _ = weights(tmp_path / "best")
    assert converted != base
    require_equal(converted, tmp_path / "best", tmp_path / "merged")


def test_large_models_get_shards_and_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_files, "SHARD_BYTES", 60_000)
    base = base_of(tmp_path / "base", "qwen3")
    adapt(base, tmp_path / "best", tags=TAGS)
    require_equal(base, tmp_path / "best", tmp_path / "merged")
    index = read_json(tmp_path / "merged" / f"{SAFE}.index.json")
    shards = sorted(set(index["weight_map"].values()))
    assert len(shards) > 2 and shards[0] == f"model-00001-of-{len(shards):05d}.safetensors"
    sizes = {name: load_file(tmp_path / "merged" / name) for name in shards}
    assert index["metadata"]["total_size"] == sum(t.nbytes for one in sizes.values() for t in one.values())
    assert all(len(one) == 1 or sum(t.nbytes for t in one.values()) <= 60_000 for one in sizes.values())


def test_tensors_of_several_types_start_where_their_type_allows(tmp_path: Path) -> None:
    base = base_of(tmp_path / "base", "llama")
    stored = load_file(base / SAFE)
    stored["model.norm.weight"] = stored["model.norm.weight"].float()[:63]
    stored["model.layers.0.input_layernorm.weight"] = stored["model.layers.0.input_layernorm.weight"][:63]
    save_file(stored, tmp_path / "odd.safetensors")
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "odd.safetensors").rename(folder / SAFE)
    tensors = tensor_files.stored_tensors(folder)
    (tmp_path / "copy").mkdir()
    write_model(tmp_path / "copy", tensors[::-1], lambda one: tensor_files.chunks_of(one), lambda _: None)  # type: ignore[arg-type]
    copied = load_file(tmp_path / "copy" / SAFE)
    assert all(torch.equal(copied[name], tensor) for name, tensor in stored.items())
    for tensor in tensor_files.stored_tensors(tmp_path / "copy"):
        assert tensor.start % tensor_files.DTYPES[tensor.dtype].itemsize == 0


def test_a_base_that_cannot_be_merged_into_is_named(tmp_path: Path) -> None:
    base = base_of(tmp_path / "base", "llama")
    adapt(base, tmp_path / "best")
    config = read_json(base / "config.json")
    quantized = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    write_json(base / "config.json", config | quantized)
    with pytest.raises(UserError, match=r"base: its weights are quantized.* Train on the unquantized model"):
        MergedWeights(base, tmp_path / "best", 0)
    write_json(base / "config.json", config)
    stored = load_file(base / SAFE)
    del stored["model.layers.1.self_attn.q_proj.weight"]
    save_file(stored, base / SAFE, metadata={"format": "pt"})
    with pytest.raises(
        UserError, match=r"adapts model\.layers\.1\.self_attn\.q_proj\.weight, which .*does not have"
    ):
        MergedWeights(base, tmp_path / "best", 0)


@pytest.mark.parametrize(
    ("kind", "targets", "part", "name"),
    [("llama", {"target_modules": ["q_proj"]}, "q_proj", r"model\.layers\.0\.self_attn\.q_proj\.weight"),
     ("qwen3_moe", {"target_parameters": ["mlp.experts.down_proj"]}, "experts", r"model\.layers\.0\.mlp\.experts\.0\.")],
)  # fmt: skip
def test_a_base_of_weights_of_8_bits_is_named(
    tmp_path: Path, kind: str, targets: dict[str, Any], part: str, name: str
) -> None:
    base = base_of(tmp_path / "base", kind)
    adapt(base, tmp_path / "best", LoraConfig(**targets))
    stored = load_file(base / SAFE)
    stored |= {key: value.to(torch.float8_e4m3fn) for key, value in stored.items() if part in key}
    save_file(stored, base / SAFE, metadata={"format": "pt"})
    with pytest.raises(
        UserError, match=rf"{name}.* has the type F8_E4M3; adapters can only be merged into F64"
    ):
        MergedWeights(base, tmp_path / "best", 0)


STATUS = Path("/proc/self/status")
PEAKS = """
import sys
from pathlib import Path
from tests.training.test_merged_weights import STATUS, merge, merged_at_once
base, best, target = map(Path, sys.argv[1:])

def grown(work):
    def kilobytes(name):
        return int(STATUS.read_text(encoding="utf-8").split(f"{name}:")[1].split()[0])
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak starts again from here
    before = kilobytes("VmRSS")
    work()
    return (kilobytes("VmHWM") - before) * 1024

print(grown(lambda: merge(base, best, target)), grown(lambda: merged_at_once(base, best)))
"""
"""Prints by how many bytes a new process grows at most, for each way to merge."""


@pytest.mark.skipif(not STATUS.exists(), reason="the system does not tell a process its peak")
def test_memory_holds_a_tensor_and_not_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    larger = DECODER | {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 24}
    monkeypatch.setitem(CONFIGS, "llama", ("LlamaConfig", larger))
    base, best = base_of(tmp_path / "base", "llama"), tmp_path / "best"
    adapt(base, best, LoraConfig(r=2, target_modules=["gate_proj"], task_type="CAUSAL_LM"))
    size = (base / SAFE).stat().st_size
    assert size > 150_000_000
    ended = subprocess.run(
        [sys.executable, "-c", PEAKS, str(base), str(best), str(tmp_path / "merged")],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    by_tensor, at_once = map(int, ended.stdout.split()[-2:])
    assert by_tensor < size / 3 < 2 * size < at_once
