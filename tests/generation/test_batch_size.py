"""The token budget of a batch: from a GPU's free memory and the bytes of a token; a CPU's stays as it was."""

import json
import logging
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, Qwen2Config

from common.generation import batch_size, resumable
from common.generation.batch_size import Footprint, budget, footprint, tokens_at_once
from common.generation.config import MOST_ROWS, DecodingConfig
from common.generation.cut import note_cut
from common.generation.decoder import budget_of
from common.generation.hf import decode, hf_decoder
from common.generation.merging import merges, weight_count
from common.models import storage
from common.runs.candidates import Candidate, read, write
from tests.generation.test_kv_cache import loud
from tests.support.decoding import GREEDY, WORDS, sources_of

AUTO = DecodingConfig(candidates=1, beams=1, samples=7, max_new_tokens=128)


def test_a_footprint_is_the_bytes_of_the_cache(taught_models: dict[str, PreTrainedModel]) -> None:
    """By the formula for grouped-query attention, and in an encoder-decoder that of one half of the cache."""
    logits = batch_size._LOGITS * len(WORDS)
    config = Qwen2Config(vocab_size=len(WORDS), hidden_size=64, intermediate_size=64, num_hidden_layers=3,
                         num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=300)  # fmt: skip
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    assert footprint(model) == Footprint(token=3 * 2 * 2 * 16 * 2, row=logits, read=0.0)
    bart = taught_models["bart"]  # in float64: 8 bytes
    assert footprint(bart) == Footprint(token=bart.config.decoder_layers * 2 * 64 * 8, row=logits, read=0.0)


def test_states_that_do_not_grow_count_for_each_row() -> None:
    model = loud("recurrent")
    found = footprint(model)
    linear = model.config.layer_types.count("linear_attention")
    recurrent = 4 * 16 * 16  # heads × key size × value size
    assert found.row > batch_size._LOGITS * len(WORDS) + linear * recurrent * 4
    assert found.token == (len(model.config.layer_types) - linear) * 2 * 32 * 8
    assert found.each(replace(AUTO, max_new_tokens=64)) > found.each(AUTO) > found.token


def test_activations_are_what_grows_with_the_tokens_read(
    taught_models: dict[str, PreTrainedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = taught_models["qwen2"]
    cache = footprint(model).token
    monkeypatch.setattr(batch_size, "_peak", lambda _, ids: 10**9 + ids.numel() * 5000)
    assert footprint(model) == replace(footprint(model), token=cache, read=5000 - cache)


def test_the_budget_of_a_7b_on_24_gb() -> None:
    """Qwen2.5-7B in bf16 holds 57,344 bytes a token: 6 GB hold about 70,000 tokens, 100 rows."""
    cost = Footprint(token=57_344, row=16 * 152_064, read=0.0).each(replace(AUTO, max_new_tokens=128))
    assert 50_000 < budget(6 * 10**9, cost) < 75_000
    assert budget(0, cost) == 1
    activations = Footprint(token=57_344, row=0, read=130_000)
    assert activations.each(AUTO) == 57_344 + 130_000 / 8  # all copies read the source once


def test_a_cpu_keeps_its_budget_and_a_number_is_a_number(taught_models: dict[str, PreTrainedModel]) -> None:
    model = taught_models["qwen2"]
    assert tokens_at_once(model, AUTO) == 16384
    decoder = hf_decoder(model, WORDS)
    assert budget_of(decoder, AUTO) == 16384
    assert budget_of(decoder, replace(AUTO, tokens_at_once=700)) == 700
    lengths = [random.Random(i).randint(1, 900) for i in range(300)]
    assert resumable.batches(lengths, AUTO) == resumable.batches(lengths, replace(AUTO, tokens_at_once=16384))


@pytest.mark.parametrize("width", [1, 8, 600])
def test_a_large_budget_gives_at_most_512_rows(width: int) -> None:
    config = replace(AUTO, samples=width - 1)
    lengths = [random.Random(i).randint(1, 900) for i in range(2000)]
    found = resumable.batches(lengths, config, 10**6)
    assert sorted(i for batch in found for i in batch) == list(range(2000))
    assert 500 < max(len(batch) for batch in found) * width <= max(width, MOST_ROWS)
    for batch in found:
        cost = len(batch) * (max(lengths[i] for i in batch) + 128) * width
        assert cost <= 10**6 or len(batch) == 1


def test_the_budget_changes_no_candidate(
    taught_models: dict[str, PreTrainedModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU with little and with much memory, also for samples; the memory is asked once for each setting."""
    config = replace(GREEDY, samples=3, samples_temperature=1.3)
    found, asked, given = [], [], []
    for number, tokens in enumerate((300, 10**6)):

        def ask(_: Any, settings: DecodingConfig, tokens: int = tokens) -> int:
            asked.append(settings)
            return tokens

        monkeypatch.setattr("common.generation.hf.tokens_at_once", ask)
        decoder = hf_decoder(taught_models["qwen2"], WORDS)

        def watched(sources: Any, *rest: Any, decoder: Any = decoder) -> Any:
            given.append(len(sources))
            return decoder(sources, *rest)

        watched.tokens_at_once = decoder.tokens_at_once  # type: ignore[attr-defined]
        path = tmp_path / f"{number}.jsonl"
        found.append(resumable.generate(watched, sources_of("qwen2", 8), config, path, key="k", seed=1))
        budget_of(decoder, config)
    assert given == [1] * 8 + [8] and len(asked) == 2
    for ours, theirs in zip(*(one.values() for one in found), strict=True):
        assert [c.text for c in ours] == [c.text for c in theirs]


def test_cut_summaries_are_counted_kept_and_warned_of(
    taught_models: dict[str, PreTrainedModel], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sources = sources_of("qwen2", 9)
    decoder = hf_decoder(taught_models["qwen2"], WORDS)
    whole = decoder(list(sources.values()), GREEDY, 1)
    limit = sorted(group[0].tokens for group in whole)[4]  # of one at least, exactly its length
    assert limit < 24
    for config in (GREEDY, replace(GREEDY, samples=2), replace(GREEDY, candidates=2, beams=2)):
        config = replace(config, max_new_tokens=limit)
        found = dict(zip(sources, decoder(list(sources.values()), config, 1), strict=True))
        if config.beams == 1:
            cut = [group[0].cut for group in found.values()]
            assert cut == [group[0].tokens > limit for group in whole] and len(set(cut)) == 2
        assert all(one.tokens == limit for group in found.values() for one in group if one.cut)
        assert all(one.cut or one.tokens <= limit for group in found.values() for one in group)
        assert len({one.cut for group in found.values() for one in group}) == 2
        write(tmp_path / "dev.jsonl", found)
        assert read(tmp_path / "dev.jsonl") == found
    old = [Candidate("비가 온다.", -1.5, 4)]
    write(tmp_path / "old.jsonl", {"a": old})
    line = json.loads((tmp_path / "old.jsonl").read_text(encoding="utf-8"))
    assert line["candidates"] == [
        {"text": "비가 온다.", "logprob": -1.5, "tokens": 4}
    ]  # as before there was a `cut`

    run = SimpleNamespace(notes={}, smoke=False)
    config = replace(GREEDY, max_new_tokens=11)
    few = {str(i): [Candidate("a", 0.0, 11, cut=i == 0)] for i in range(100)}
    with caplog.at_level(logging.WARNING, "common.generation.cut"):
        note_cut(run, "dev", few, config)  # type: ignore[arg-type]
    assert run.notes == {"cut": {"dev": {"cut": 1, "summaries": 100}}} and not caplog.records
    few["1"] = [Candidate("a", 0.0, 11, cut=True)]
    with caplog.at_level(logging.WARNING, "common.generation.cut"):
        note_cut(run, "test", few, config)  # type: ignore[arg-type]
    assert [record.getMessage() for record in caplog.records] == [
        "test: 2 of 100 summaries (2.0 %) were cut off at 11 tokens; run this again with --max-new-tokens 17 or more."
    ]
    assert run.notes["cut"]["test"] == {"cut": 2, "summaries": 100}


def test_adapters_are_merged_by_themselves_where_a_gpu_holds_the_weights(
    adapted: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place
    weights, _ = storage.weights(adapted)
    count = weight_count(weights)
    model, _ = storage.load_model(adapted)
    base = model.get_base_model()
    shares = {name: p.numel() for name, p in base.named_parameters() if "lora" not in name}
    assert count == sum(shares.values()) + base.final_logits_bias.numel()
    assert not merges(adapted, DecodingConfig())  # on a CPU
    monkeypatch.setattr("common.generation.merging.device", lambda: torch.device("cuda", 0))
    monkeypatch.setattr("common.generation.merging.computes_in_bf16", lambda: True)
    for total, expected in ((count * 6, True), (count * 5, False)):  # 4 bytes each: --dtype float32
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, total=total: (total // 3, total))
        assert merges(adapted, DecodingConfig()) is expected
        assert merges(adapted, DecodingConfig(merge=True)) and not merges(
            adapted, DecodingConfig(merge=False)
        )


def test_flash_attention_makes_room_for_sdpa_while_decoding(
    taught_models: dict[str, PreTrainedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only meanwhile. The package flash-attn needs a GPU, so transformers is not asked for it here."""
    model = taught_models["qwen2"]
    sources = list(sources_of("qwen2", 4).values())
    expected = decode(model, WORDS, sources, GREEDY)
    used: list[str] = []
    hook = model.register_forward_pre_hook(lambda *_: used.append(model.config._attn_implementation))
    monkeypatch.setattr(model, "_check_and_adjust_attn_implementation", lambda name, **_: name)
    try:
        for given, wanted in (("flash_attention_2", "sdpa"), ("eager", "eager"), ("sdpa", "sdpa")):
            model.set_attn_implementation(given)
            used.clear()
            found = hf_decoder(model, WORDS)(sources, GREEDY, 1)
            assert [[c.text for c in group] for group in found] == [
                [c.text for c in group] for group in expected
            ]
            assert set(used) == {wanted} and model.config._attn_implementation == given
    finally:
        hook.remove()
