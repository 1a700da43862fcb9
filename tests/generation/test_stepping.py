"""Decoding step by step: a source is read once, ended texts leave the batch, sampling draws from the nucleus."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import GenerationConfig, PreTrainedModel

from common.generation import hf, kv_cache, sampling, steppers, stepping
from common.generation.config import DecodingConfig
from common.generation.decoder import end_tokens
from common.generation.hf import decode, hf_decoder
from common.models.adapters import add_lora
from common.models.config import LoRAConfig, PretrainedConfig
from common.models.pretrained import load_pretrained
from tests.support.decoding import (
    EOS,
    GREEDY,
    KINDS,
    WORDS,
    banned,
    by_hand,
    next_logits,
    sources_of,
    until_end,
)


@pytest.mark.parametrize("kind", ["qwen2", "gemma3"])
def test_a_source_is_read_once_for_all_its_samples(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same samples as when every copy of it is read."""
    numbers = torch.rand(9, 12, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(sampling.Numbers, "at", lambda _, step: numbers[:, step])
    config = PretrainedConfig(model=f"tiny:{kind}", dtype="float32")
    model, tokenizer = load_pretrained(config, frozen=False)
    inputs = [list(range(5, 5 + length)) for length in (30, 90, 7)]
    read: list[int] = []

    def sample(sources: list[list[int]], copies: int) -> list[tuple[str, float]]:
        torch.manual_seed(0)
        hook = model.get_input_embeddings().register_forward_pre_hook(
            lambda _, ids: read.append(ids[0].numel())
        )
        wanted = DecodingConfig(candidates=copies, temperature=0.7, max_new_tokens=12)
        found = decode(model.eval(), tokenizer, sources, wanted)
        hook.remove()
        return [(c.text, round(c.logprob or 0.0, 3)) for group in found for c in group]

    once, first = sample(inputs, 3), list(read)
    read.clear()
    copied = sample([source for source in inputs for _ in range(3)], 1)
    assert [sorted(once[i : i + 3]) for i in (0, 3, 6)] == [sorted(copied[i : i + 3]) for i in (0, 3, 6)]
    assert first[:2] == [3 * 90, 9] and read[0] == 9 * 90


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_texts_that_have_ended_leave_the_batch(
    taught_models: dict[str, PreTrainedModel], temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, sources = taught_models["qwen2"], list(sources_of("qwen2", 12).values())
    config = replace(GREEDY, temperature=temperature, top_p=1.0)
    # Every text its own numbers, whichever rows are left.
    monkeypatch.setattr(sampling, "sample_indices", lambda weights, _: (weights.cumsum(-1) < 0.6).sum(-1))
    rows: list[int] = []
    hook = model.get_input_embeddings().register_forward_pre_hook(lambda _, ids: rows.append(len(ids[0])))
    found = decode(model, WORDS, sources, config)
    left = list(rows)
    rows.clear()
    monkeypatch.setattr(steppers, "COMPACT_BELOW", 0.0)
    whole = decode(model, WORDS, sources, config)
    hook.remove()
    for (one,), (other,) in zip(found, whole, strict=True):
        assert (one.text, one.tokens) == (other.text, other.tokens)
        assert one.logprob == pytest.approx(other.logprob, abs=1e-6)
    assert set(rows) == {12} and len(left) == len(rows)
    assert left == sorted(left, reverse=True) and left[-1] < 9


@pytest.mark.parametrize("kind", KINDS)
def test_the_greedy_summary_comes_first_and_its_samples_behind(
    taught_models: dict[str, PreTrainedModel], kind: str
) -> None:
    """And a causal model reads a source once for all of them."""
    model, sources = taught_models[kind], list(sources_of(kind).values())
    read: list[int] = []
    hook = model.get_input_embeddings().register_forward_pre_hook(lambda _, ids: read.append(ids[0].numel()))
    write = hf_decoder(model, WORDS)
    config = replace(GREEDY, samples=3, samples_temperature=1.3, top_p=0.9)
    found = write(sources, config, 4)
    reads, longest = list(read), max(map(len, sources))
    hook.remove()
    greedy = decode(model, WORDS, sources, GREEDY)
    assert [(group[0].text, group[0].tokens) for group in found] == [(g[0].text, g[0].tokens) for g in greedy]
    assert [group[0].logprob for group in found] == pytest.approx([g[0].logprob for g in greedy], abs=1e-6)
    for source, group in zip(sources, found, strict=True):
        assert len(group) == 4 and len({c.text for c in group[1:]}) > 1
        means = [(c.logprob or 0.0) / c.tokens for c in group[1:]]
        assert means == sorted(means, reverse=True)
        for candidate in group:
            ids = [*WORDS.encode(candidate.text, add_special_tokens=False)]
            if candidate.tokens == len(ids) + 1 < GREEDY.max_new_tokens:
                assert candidate.logprob == pytest.approx(by_hand(model, source, [*ids, EOS]), abs=1e-3)
    assert write(sources, config, 4) == found != write(sources, config, 5)
    if kind == "qwen2":
        assert [n for n in reads if n > 4 * len(sources)] == [longest * len(sources)]


@pytest.mark.parametrize("layers", ["merged", "adapters"])
@pytest.mark.parametrize("temperature", [0.0, 1.3])
def test_words_that_nobody_used_are_never_written(
    temperature: float, layers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when their logits were -inf in the model, whose output layer is whole again afterwards."""
    monkeypatch.setattr(
        sampling, "sample_indices", lambda w, _: (w.cumsum(-1) < 0.6 * w.sum(-1, keepdim=True)).sum(-1)
    )
    config = PretrainedConfig(model="tiny:gemma3", dtype="float32")
    model, tokenizer = load_pretrained(config, frozen=False)
    if layers == "adapters":
        torch.manual_seed(1)
        model = add_lora(model, tokenizer, LoRAConfig(rank=2, targets=("all",)), ())
    model = model.double().eval()
    inputs = [list(range(5, 5 + length)) for length in (6, 20, 3)]
    words = {40, 41, 43, 60, 61}
    size = model.get_output_embeddings().weight.shape[0]
    allowed = sorted({*words, *range(5, 25), *end_tokens(model.generation_config, tokenizer)})

    def write(**given: Any) -> list[tuple[str, float]]:
        torch.manual_seed(2)
        wanted = replace(GREEDY, candidates=1, temperature=temperature, top_p=0.9, no_repeat_ngram=2)
        found = decode(model, tokenizer, inputs, wanted, **given)
        return [(c.text, round(c.logprob or 0.0, 6)) for group in found for c in group]

    free = write()
    found = write(allowed_tokens=words)
    assert model.get_output_embeddings().weight.shape[0] == size and write() == free
    inner = model.get_base_model() if layers == "adapters" else model
    inner.lm_head.register_forward_hook(
        lambda _, __, logits: torch.full_like(logits, -math.inf).index_copy(
            -1, torch.tensor(allowed), logits[..., allowed]
        )
    )
    assert [text for text, _ in write()] == [text for text, _ in found] != [text for text, _ in free]
    assert [p for _, p in write()] == pytest.approx([p for _, p in found], abs=1e-5)


@pytest.mark.parametrize("kind", ["qwen2", "gemma3"])
def test_a_cache_with_room_gives_the_very_same_texts(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than the room, past Gemma's window, and with rows that leave."""
    config = PretrainedConfig(model=f"tiny:{kind}", dtype="float32")
    model, tokenizer = load_pretrained(config, frozen=False)
    window = getattr(model.config, "sliding_window", None) or 64
    assert window < 90
    monkeypatch.setattr(kv_cache, "ROOM", 7)
    monkeypatch.setattr(hf, "end_tokens", lambda *_: list(range(0, 400, 23)))  # many an end
    inputs = [list(range(5, 5 + length)) for length in (window - 20, 90, 7)]
    found = []
    for _ in range(2):
        torch.manual_seed(0)
        wanted = DecodingConfig(candidates=4, temperature=1.5, top_p=1.0, max_new_tokens=40)
        found.append(decode(model.double().eval(), tokenizer, inputs, wanted))
        monkeypatch.setattr(
            steppers, "repeat_with_room", lambda memory, copies: memory.batch_repeat_interleave(copies)
        )
    lengths = {c.tokens for group in found[0] for c in group}
    assert found[0] == found[1] and len(lengths) > 4


@pytest.mark.parametrize("config", [GREEDY, replace(GREEDY, samples=3, samples_temperature=1.3)])
def test_looking_for_ended_texts_less_often_changes_nothing(
    taught_models: dict[str, PreTrainedModel], config: DecodingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU: rows stay a few steps longer, and what they are given behind their end is left out."""
    sources = list(sources_of("qwen2", 12).values())
    steps: list[int] = []
    model = taught_models["qwen2"]
    found = []
    for every in (1, 4, 7):
        monkeypatch.setitem(stepping.CHECK_EVERY, "cpu", every)
        hook = model.register_forward_pre_hook(lambda *_: steps.append(1))
        found.append(hf_decoder(model, WORDS)(sources, config, 3))
        hook.remove()
        steps.append(0)
    for other in found[1:]:
        for ours, theirs in zip(found[0], other, strict=True):
            assert [(c.text, c.tokens, c.cut) for c in ours] == [(c.text, c.tokens, c.cut) for c in theirs]
            assert [c.logprob for c in ours] == pytest.approx([c.logprob for c in theirs], abs=1e-9)
    assert len({c.tokens for group in found[0] for c in group}) > 3


@pytest.mark.parametrize("limited", [False, True], ids=["all-tokens", "allowed-tokens"])
def test_a_penalty_on_repetition_is_that_of_generate(
    taught_models: dict[str, PreTrainedModel], limited: bool
) -> None:
    """Of a causal model, the prompt counts too, without its padding."""
    model, sources = taught_models["qwen2"], list(sources_of("qwen2", 9).values())
    config = replace(GREEDY, repetition_penalty=1.3)
    found = decode(model, WORDS, sources, config, allowed_tokens=range(len(WORDS)) if limited else ())
    free = decode(model, WORDS, sources, GREEDY)
    assert [group[0].text for group in found] != [group[0].text for group in free]
    for source, (candidate,) in zip(sources, found, strict=True):
        out = model.generate(
            input_ids=torch.tensor([source]),
            attention_mask=torch.ones(1, len(source), dtype=torch.long),
            generation_config=GenerationConfig(
                max_new_tokens=24, do_sample=False, eos_token_id=EOS, pad_token_id=WORDS.pad_token_id,
                repetition_penalty=1.3,
            ),
        )  # fmt: skip
        ids = until_end(out[0, len(source) :].tolist())
        assert candidate.text == WORDS.decode(ids, skip_special_tokens=True).strip()
        assert candidate.logprob == pytest.approx(by_hand(model, source, ids), abs=1e-3)
    sampled = replace(config, candidates=3, temperature=1.2)
    steps = decode(model, WORDS, sources, sampled, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hf, "can_step", lambda *_: False)
        assert [[c.text for c in group] for group in decode(model, WORDS, sources, sampled, seed=1)] == [
            [c.text for c in group] for group in steps
        ]


@pytest.mark.parametrize("size", [0, 1])
def test_a_penalty_leaves_the_start_token_of_an_encoder_decoder_alone(
    taught_models: dict[str, PreTrainedModel], size: int
) -> None:
    model, sources = taught_models["bart"], list(sources_of("bart", 5).values())
    config = replace(GREEDY, repetition_penalty=1.5, no_repeat_ngram=size)
    found = decode(model, WORDS, sources, config)
    for source, (candidate,) in zip(sources, found, strict=True):
        ids: list[int] = []
        while len(ids) < 24 and EOS not in ids:
            logits = next_logits(model, source, ids).clone()
            for token in set(ids):
                logits[token] *= 1.5 if logits[token] < 0 else 1 / 1.5
            logits[list(banned(ids, size) if size else ())] = -math.inf
            ids.append(int(logits.argmax()))
        assert candidate.text == WORDS.decode(ids, skip_special_tokens=True).strip()
        assert candidate.tokens == len(ids)
