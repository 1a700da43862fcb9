"""Architectures whose cache holds more than keys and values decode as `generate` does, by stepping or aloud without it."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import (
    Exaone4Config,
    Exaone4ForCausalLM,
    FalconH1Config,
    FalconH1ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    Lfm2Config,
    Lfm2ForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    PreTrainedModel,
    Qwen3_5ForCausalLM,
    Qwen3_5TextConfig,
    RecurrentGemmaConfig,
    RecurrentGemmaForCausalLM,
)

from common.generation import by_generate, hf, steppers
from common.generation.hf import can_step, decode, hf_decoder
from common.generation.kv_cache import unknown_cache
from tests.support.decoding import BEAM, EOS, GREEDY, PAD, WORDS, plain, sources_of

SIZE: dict[str, Any] = {
    "vocab_size": len(WORDS), "hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 2,
    "num_key_value_heads": 1, "pad_token_id": PAD, "eos_token_id": EOS, "bos_token_id": WORDS.bos_token_id,
}  # fmt: skip
LINEAR = {
    "linear_key_head_dim": 16, "linear_value_head_dim": 16, "linear_num_key_heads": 2, "linear_num_value_heads": 4,
    "head_dim": 32,
}  # fmt: skip
MAMBA = {
    "mamba_d_ssm": 64, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_n_groups": 1, "mamba_d_state": 16,
    "mamba_chunk_size": 8,
}  # fmt: skip
GPT2 = {"n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": 512}
ENDS = {"eos_token_id": EOS, "pad_token_id": PAD, "bos_token_id": WORDS.bos_token_id}
MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "recurrent": lambda: Qwen3_5ForCausalLM(Qwen3_5TextConfig(**SIZE, **LINEAR, num_hidden_layers=4)),
    "convolution": lambda: Lfm2ForCausalLM(
        Lfm2Config(**SIZE, num_hidden_layers=3, layer_types=["conv", "full_attention", "conv"])
    ),
    "both-in-one-layer": lambda: FalconH1ForCausalLM(FalconH1Config(**SIZE, **MAMBA, num_hidden_layers=2)),
    "sliding": lambda: Exaone4ForCausalLM(
        Exaone4Config(**SIZE, num_hidden_layers=4, sliding_window=16, sliding_window_pattern=2)
    ),
    "learned-positions": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=len(WORDS), **GPT2, **ENDS)),
    "no-attention": lambda: MambaForCausalLM(
        MambaConfig(vocab_size=len(WORDS), hidden_size=64, num_hidden_layers=2, state_size=8, **ENDS)
    ),
    "states-in-modules": lambda: RecurrentGemmaForCausalLM(
        RecurrentGemmaConfig(**SIZE, num_hidden_layers=3, head_dim=32, lru_width=64, attention_window_size=64)
    ),
}
WITHOUT_STEPS = {"no-attention": "MambaForCausalLM", "states-in-modules": "RecurrentGemmaForCausalLM"}


def loud(kind: str) -> PreTrainedModel:
    """Return a random model whose logits differ clearly."""
    torch.manual_seed(0)
    model = MODELS[kind]()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.double().eval()


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_of_cache_decodes_as_generate_does(
    kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Greedily as one by one, and sampled as by `generate`; rows are repeated, and leave when they end."""
    model, sources = loud(kind), list(sources_of("qwen2", 6).values())
    assert unknown_cache(model) == WITHOUT_STEPS.get(kind, "")
    found = decode(model, WORDS, sources, GREEDY)
    for source, (candidate,) in zip(sources, found, strict=True):
        (ids,) = plain(model, source, GREEDY)
        assert candidate.text == WORDS.decode(ids, skip_special_tokens=True).strip()
        assert candidate.tokens == len(ids)
    many_ends = list(range(0, len(WORDS), 17))
    for module in (hf, by_generate):
        monkeypatch.setattr(module, "end_tokens", lambda *_: many_ends)
    monkeypatch.setattr(steppers, "COMPACT_BELOW", 0.99)
    sampled = replace(GREEDY, candidates=3, temperature=1.0, top_p=0.95)
    steps = [decode(model, WORDS, sources, config, seed=1) for config in (sampled, BEAM)]
    monkeypatch.setattr(hf, "can_step", lambda *_: False)
    for config, found in zip((sampled, BEAM), steps, strict=True):
        whole = decode(model, WORDS, sources, config, seed=1)
        assert [[c.text for c in group] for group in found] == [[c.text for c in group] for group in whole]
        assert [c.logprob for group in found for c in group] == pytest.approx(
            [c.logprob for group in whole for c in group], abs=1e-4
        )
    assert len({c.tokens for group in steps[0] for c in group}) > 3
    monkeypatch.undo()
    assert can_step(model, sampled) is (kind not in WITHOUT_STEPS)
    with caplog.at_level(logging.WARNING):
        hf_decoder(model, WORDS)
    said = [record.getMessage() for record in caplog.records if record.name == "common.generation.hf"]
    assert [line.partition(":")[0] for line in said] == [
        name for name in [WITHOUT_STEPS.get(kind)] if name is not None
    ]
