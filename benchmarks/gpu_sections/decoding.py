"""Sections `decoding`, `compiled` and `card24`: speed of decoding beside transformers' own, and what fits on a card of 24 GB."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from operator import eq
from typing import Any
from unittest.mock import patch

import torch

from common.generation import fixed_steps
from common.generation.config import DecodingConfig
from common.generation.hf import hf_decoder
from common.models.config import PretrainedConfig
from common.models.pretrained import load_pretrained
from common.training.losses import cross_entropy
from gpu_sections.loops import fitted, fresh_precision
from gpu_sections.parts import (
    GIB,
    Bench,
    bandwidth,
    causal_config,
    device,
    free_memory,
    qlora,
    random_model,
    rows,
    seconds,
    tokenizer,
)
from gpu_sections.training import ANSWER, PROMPT

CARD_GIB = 23.5
"""Memory of a card of 24 GB without what the driver keeps for itself."""
FILE_ORDER = 8
"""Rows of a batch in the loop that tutorials show."""
Sources = Sequence[Sequence[int]]


def decoding(bench: Bench) -> None:
    """Decode with a 7B in bf16: `hf_decoder` at several numbers of rows, `generate` in file order, `generate_batch`."""
    tokens = tokenizer()
    config = causal_config("tiny" if bench.tiny else "qwen2.5-7b", tokens)
    longest = 6 if bench.tiny else 64
    sizes = (2, 4, 6) if bench.tiny else (24, 192, 512)
    model = random_model(config)
    rate = bandwidth(bench.tiny)
    every = [
        row["source"] for row in rows(2 * sizes[-1], 20 if bench.tiny else PROMPT, 10, config.vocab_size)
    ]
    decoder = hf_decoder(model, tokens)
    greedy = DecodingConfig(candidates=1, beams=1, max_new_tokens=longest)
    for size in sizes:
        with bench.case(f"hf_decoder, {size} rows") as found:
            part = neighbours(every, size)
            found |= _speed(partial(_decoded, decoder, part, greedy), longest, model, part, rate)
    with bench.case(f"generate in file order, {FILE_ORDER} rows") as found:
        part = every[: 4 if bench.tiny else 6 * FILE_ORDER]
        found |= _speed(partial(_in_file_order, model, tokens, part), longest, model, part[:FILE_ORDER], rate)
    with bench.case(f"hf_decoder, {sizes[1]} rows, samples") as found:
        sampled = DecodingConfig(
            candidates=1, beams=1, samples=7, samples_temperature=0.7, max_new_tokens=longest
        )
        part = neighbours(every, max(1, sizes[1] // 8))
        found |= _speed(
            partial(_decoded, decoder, part, sampled),
            longest,
            model,
            [s for s in part for _ in range(8)],
            rate,
        )
    for size in sizes[1:]:
        with bench.case(f"generate_batch, {size} rows") as found:
            part = neighbours(every, size)
            found |= _speed(partial(_paged, model, tokens, part), longest, model, part, rate)


def compiled(bench: Bench) -> None:
    """Decode with a 7B in bf16 as section `decoding` does, with the step compiled and replayed as a CUDA graph.

    With tiny models the step has its fixed shape, but is not compiled: a CPU takes minutes to compile it.
    """
    tokens = tokenizer()
    config = causal_config("tiny" if bench.tiny else "qwen2.5-7b", tokens)
    longest = 6 if bench.tiny else 64
    sizes = (2, 4) if bench.tiny else (24, 192)
    model = random_model(config)
    rate = bandwidth(bench.tiny)
    every = [
        row["source"] for row in rows(2 * sizes[-1], 20 if bench.tiny else PROMPT, 10, config.vocab_size)
    ]
    decoder = hf_decoder(model, tokens)
    plain = DecodingConfig(candidates=1, beams=1, max_new_tokens=longest)
    wanted = replace(plain, compiled=True)
    uncompiled = patch.object(fixed_steps, "compiled", fixed_steps.step_of)
    with uncompiled if bench.tiny else nullcontext():
        with bench.case("first batch, with compiling") as found:
            part = neighbours(every, sizes[0])
            found |= {"seconds": round(seconds(lambda: _decoded(decoder, part, wanted, longest)), 1)}
        for size in sizes:
            part = neighbours(every, size)
            with bench.case(f"hf_decoder, compiled, {size} rows") as found:
                found |= _speed(partial(_decoded, decoder, part, wanted), longest, model, part, rate)
                texts, others = (
                    [group[0].text for group in decoder(part, settings, 0)] for settings in (wanted, plain)
                )
                found |= {"equal_texts": sum(map(eq, texts, others))}


def neighbours(sources: Sources, size: int) -> Sources:
    """Return so many sources that follow each other by length, as decoding groups them, of about the mean length of all."""
    ordered = sorted(sources, key=len, reverse=True)
    mean = sum(map(len, ordered)) / len(ordered)
    starts = range(len(ordered) - size + 1)
    start = min(starts, key=lambda i: abs(sum(map(len, ordered[i : i + size])) / size - mean))
    return ordered[start : start + size]


def _speed(run: Any, longest: int, model: Any, sources: Sources, bytes_per_second: float) -> dict[str, Any]:
    """Return tokens per second with the reading of prompts, and the time of a step beside what the memory bandwidth allows.

    `run`: most new tokens of a row → tokens generated. `sources`: the rows of one step.
    """
    run(2)
    first = seconds(lambda: run(1))
    counts: list[int] = []
    taken = seconds(lambda: counts.append(run(longest)))
    batches = max(1, round(counts[0] / longest / len(sources)))
    step = max(taken - first, 0.0) / (longest - 1) / batches
    limit = _step_bytes(model, sources, longest) / bytes_per_second
    return {
        "rows": len(sources), "tokens": counts[0], "tokens_per_second": round(counts[0] / taken),
        "prompt_seconds": round(first, 3), "ms_a_step": round(1000 * step, 2), "limit_ms": round(1000 * limit, 2),
        "times_limit": round(step / limit, 2),
    }  # fmt: skip


def _step_bytes(model: Any, sources: Sources, longest: int) -> float:
    """Return what a step has to read from memory: all weights except the input embeddings, and the KV cache."""
    config = model.config
    whole = sum(p.numel() * p.element_size() for p in model.parameters())
    embeddings = model.get_input_embeddings().weight
    per_token = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * 2
    context = sum(map(len, sources)) + len(sources) * longest / 2
    return float(whole - embeddings.numel() * embeddings.element_size() + context * per_token)


def _decoded(decoder: Any, sources: Sources, config: DecodingConfig, longest: int) -> int:
    found = decoder(sources, replace(config, max_new_tokens=longest), 0)
    return sum(candidate.tokens for candidates in found for candidate in candidates)


@torch.inference_mode()
def _in_file_order(model: Any, tokens: Any, sources: Sources, longest: int) -> int:
    """Decode as tutorials do: batches of `FILE_ORDER` rows in file order, padded on the left."""
    tokens.padding_side = "left"
    count = 0
    for start in range(0, len(sources), FILE_ORDER):
        ids = [list(source) for source in sources[start : start + FILE_ORDER]]
        batch = tokens.pad({"input_ids": ids}, return_tensors="pt").to(device())
        out = model.generate(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], max_new_tokens=longest, do_sample=False,
            eos_token_id=tokens.eos_token_id, pad_token_id=tokens.pad_token_id,
        )  # fmt: skip
        new = out[:, batch["input_ids"].shape[1] :]
        ended = (new == tokens.eos_token_id).cumsum(1)
        count += int((ended == 0).sum()) + int((ended[:, -1] > 0).sum())
    return count


def _paged(model: Any, tokens: Any, sources: Sources, longest: int) -> int:
    """Decode with transformers' paged `generate_batch`."""
    from transformers import GenerationConfig

    settings = GenerationConfig(
        max_new_tokens=longest, do_sample=False, eos_token_id=tokens.eos_token_id, pad_token_id=tokens.pad_token_id
    )  # fmt: skip
    limits: dict[str, Any] = {}
    if not torch.cuda.is_available():  # by default the cache takes all memory, which a CPU spends minutes on
        from transformers import ContinuousBatchingConfig

        limits["continuous_batching_config"] = ContinuousBatchingConfig(num_blocks=16, max_batch_tokens=256)
    found = model.generate_batch([list(source) for source in sources], generation_config=settings, **limits)
    missing = len(sources) - sum(not one.error for one in found.values())
    if missing:
        raise RuntimeError(f"generate_batch gave no answer to {missing} of {len(sources)} rows")
    return sum(len(one.generated_tokens) for one in found.values())


def card24(bench: Bench) -> None:
    """Load, train and decode 14B models in nf4 within the memory of a card of 24 GB."""
    tokens = tokenizer()
    if torch.cuda.is_available():
        whole = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, CARD_GIB * GIB / whole))
    try:
        with bench.case("load qwen3-14b from disk, 2 layers") as found:
            found |= _loaded(bench, tokens)
        for shape in ("qwen3-14b", "qwen2.5-14b"):
            _trains_and_decodes(bench, shape, tokens)
    finally:
        if torch.cuda.is_available():
            torch.cuda.set_per_process_memory_fraction(1.0)


def _loaded(bench: Bench, tokens: Any) -> dict[str, Any]:
    """Load a shortened model with `load_pretrained`; loading may take more memory than the loaded model."""
    config = causal_config("tiny" if bench.tiny else "qwen3-14b", tokens, layers=2)
    folder = bench.folder / "model"
    model = random_model(config)
    model.save_pretrained(folder)
    tokens.save_pretrained(folder)
    del model
    free_memory()
    kept: list[Any] = []
    wanted = PretrainedConfig(model=str(folder), quantization="nf4")
    taken = seconds(lambda: kept.append(load_pretrained(wanted, "causal", frozen=True, together=False)[0]))
    resident = round(torch.cuda.memory_allocated() / GIB, 2) if torch.cuda.is_available() else None
    return {"seconds": round(taken, 1), "resident_gib": resident}


def _trains_and_decodes(bench: Bench, shape: str, tokens: Any) -> None:
    config = causal_config("tiny" if bench.tiny else shape, tokens)
    budget = 2048 if bench.tiny else 4096
    examples = rows(12 if bench.tiny else 120, PROMPT, ANSWER, config.vocab_size)
    for name, loss in (
        ("train", cross_entropy),
        ("train, also on prompts", partial(cross_entropy, source=0.2)),
    ):
        with bench.case(f"{shape}: {name}, {budget} tokens") as found:
            fresh_precision()
            model = partial(qlora, config, tokens, checkpointing=True)
            found |= fitted(model(), examples, tokens.pad_token_id, budget, loss=loss, most_steps=6)
    with bench.case(f"{shape}: decode, 24 rows") as found:
        sources = [row["source"] for row in examples][: 2 if bench.tiny else 24]
        decoder = hf_decoder(qlora(config, tokens, checkpointing=False).eval(), tokens)
        longest = 4 if bench.tiny else 64
        counts: list[int] = []
        settings = DecodingConfig(candidates=1, beams=1)
        taken = seconds(lambda: counts.append(_decoded(decoder, sources, settings, longest)))
        found |= {"rows": len(sources), "tokens": counts[0], "tokens_per_second": round(counts[0] / taken)}
