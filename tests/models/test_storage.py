"""Saved adapters find their base again, shards count as weights, adapters are merged where that is cheap."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from common.core.errors import UserError
from common.models.config import PretrainedConfig
from common.models.pretrained import load_pretrained
from common.models.storage import for_evaluation, load_model, merge_adapters, save_model
from common.models.tiny import tiny as tiny_folder
from common.models.weight_files import weights_sha256
from tests.support.adapted import LORA, adapted, base_of, logits_of, louder, teach

pytestmark = pytest.mark.usefixtures("model_cache", "fresh_precision")


def test_an_adapter_without_its_base_is_refused(tmp_path: Path) -> None:
    base = PretrainedConfig(model="tiny:qwen2", dtype="float32")
    model, tokenizer = adapted(base)
    save_model(model, tokenizer, tmp_path, base)
    with pytest.raises(UserError, match=r"is an adapter for tiny:qwen2.*but tiny:gemma3 is another model"):
        load_model(tmp_path, model="tiny:gemma3")
    loaded, _ = load_model(tmp_path, model=str(tiny_folder("tiny:qwen2")))  # another place, the same model
    torch.testing.assert_close(logits_of(loaded), logits_of(model.eval()))
    with pytest.raises(ValueError, match="needs `base`"):
        save_model(model, tokenizer, tmp_path)


def test_what_is_saved_does_not_depend_on_the_process(tmp_path: Path) -> None:
    base = PretrainedConfig(model="tiny:mbart", dtype="float32")
    model, tokenizer = adapted(base, replace(LORA, targets=("all",)))
    save_model(model, tokenizer, tmp_path, base)
    first = (tmp_path / "adapter_config.json").read_bytes()
    targets = json.loads(first)["target_modules"].split("|")
    assert targets == sorted(targets)
    assert len(targets) > 2
    save_model(model, tokenizer, tmp_path, base)
    assert (tmp_path / "adapter_config.json").read_bytes() == first
    assert "local_files_only" not in (tmp_path / "tokenizer_config.json").read_text(encoding="utf-8")
    load_model(tmp_path)


def test_an_adapter_is_refused_by_a_sibling_of_its_base(tmp_path: Path) -> None:
    """Another fine-tuning of the same model has the same config.json; here one matrix differs, in its last number."""
    base = base_of("qwen2")
    model, tokenizer = adapted(base)
    best, sibling = tmp_path / "best", tmp_path / "sibling"
    best.mkdir()
    save_model(model, tokenizer, best, base)
    shutil.copytree(louder("qwen2"), sibling)
    tensors = load_file(sibling / "model.safetensors")
    tensors["model.layers.1.self_attn.q_proj.weight"][-1, -1] += 1
    save_file(tensors, sibling / "model.safetensors", metadata={"format": "pt", "other": "metadata"})
    with pytest.raises(UserError, match=r"is an adapter for .*\(weights .* is another model"):
        load_model(best, model=str(sibling))
    # The same numbers in a file whose metadata differ are the same model.
    tensors = load_file(louder("qwen2") / "model.safetensors")
    save_file(tensors, sibling / "model.safetensors", metadata={"format": "pt", "other": "metadata"})
    expected = logits_of(model.eval())
    torch.testing.assert_close(logits_of(load_model(best, model=str(sibling))[0]), expected)
    old = json.loads((best / "base.json").read_text(encoding="utf-8"))
    del old["source"]["weights_sha256"]
    (best / "base.json").write_text(json.dumps(old), encoding="utf-8")
    torch.testing.assert_close(logits_of(load_model(best)[0]), expected)


def test_shards_are_weights_like_one_file(tmp_path: Path) -> None:
    model, tokenizer = load_pretrained(base_of("qwen2"), frozen=False)
    tokenizer.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path, max_shard_size="100KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    before = weights_sha256(tmp_path)
    assert before == weights_sha256(tmp_path) != weights_sha256(louder("qwen2"))
    shard = sorted(tmp_path.glob("*.safetensors"))[-1]
    tensors = load_file(shard)
    next(iter(tensors.values())).view(-1)[0] += 1
    save_file(tensors, shard, metadata={"format": "pt"})
    assert weights_sha256(tmp_path) != before


def test_merging_a_model_without_adapters_changes_nothing() -> None:
    model, _ = load_pretrained(base_of("bart"), frozen=False)
    assert merge_adapters(model) is model


@pytest.mark.parametrize("kind", ["qwen2", "gemma3"])
def test_what_is_evaluated_on_a_cpu_has_its_adapters_merged_and_what_is_trained_stays(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.models.storage.computes_in_bf16", lambda: False)
    model, _ = adapted(base_of(kind), LORA)
    teach(model, 5)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    copied = for_evaluation(model)
    assert not isinstance(copied, PeftModel) and not copied.training
    torch.testing.assert_close(logits_of(copied), logits_of(model), rtol=1e-3, atol=1e-4)
    assert isinstance(model, PeftModel)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) and parameter.requires_grad == ("lora_" in name)
    monkeypatch.setattr("common.models.storage.computes_in_bf16", lambda: True)
    assert {p.dtype for p in for_evaluation(model).parameters()} == {torch.bfloat16}


def test_what_cannot_be_copied_cheaply_is_evaluated_itself() -> None:
    whole, _ = load_pretrained(base_of("gemma3"), frozen=False)
    with_encoder, _ = adapted(base_of("bart"), LORA)
    quantized, _ = adapted(base_of("qwen2", quantization="nf4"), LORA)
    for model in (whole, with_encoder, quantized):
        assert for_evaluation(model) is model
