"""Sections `kobart`, `qlora` and `trl`: speed and memory of `fit`, and of its peers at equal work."""

import importlib.util
from functools import partial
from typing import Any

import torch

from common.training.losses import r_drop
from gpu_sections.loops import budget_for, fitted, fresh_precision, seq2seq_trainer, sft_trainer
from gpu_sections.parts import GIB, Bench, causal_config, device, qlora, rows, seconds, tokenizer

PROMPT, ANSWER = 320, 62
"""Mean tokens of a dialogue with a short instruction, and of a summary, in the vocabulary of Qwen."""


def kobart(bench: Bench) -> None:
    """Train KoBART's shape with `fit`, with `fit` and R-Drop, and with Seq2SeqTrainer: same rows, rows per step and steps."""
    tokens = tokenizer()
    examples = rows(24 if bench.tiny else 3000, 155, 30, 400 if bench.tiny else 30000)
    size = 4 if bench.tiny else 32
    budget = budget_for(examples, size)
    for name, run in {
        "fit": partial(fitted, budget=budget, pad=tokens.pad_token_id),
        "fit, R-Drop": partial(fitted, budget=budget, pad=tokens.pad_token_id, loss=r_drop),
        "Seq2SeqTrainer": partial(seq2seq_trainer, tokens=tokens, rows=size),
    }.items():
        with bench.case(name) as found:
            fresh_precision()
            found |= run(_kobart(bench.tiny, tokens), examples)


def _kobart(tiny: bool, tokens: Any) -> Any:
    from transformers import BartConfig, BartForConditionalGeneration

    width, layers, heads = (32, 1, 2) if tiny else (768, 6, 16)
    config = BartConfig(
        vocab_size=512 if tiny else 30000, d_model=width, encoder_layers=layers, decoder_layers=layers,
        encoder_attention_heads=heads, decoder_attention_heads=heads, encoder_ffn_dim=4 * width, decoder_ffn_dim=4 * width,
        max_position_embeddings=1026, pad_token_id=tokens.pad_token_id, bos_token_id=tokens.bos_token_id,
        eos_token_id=tokens.eos_token_id, decoder_start_token_id=tokens.eos_token_id, forced_eos_token_id=None,
    )  # fmt: skip
    torch.manual_seed(0)
    return BartForConditionalGeneration(config).to(device())


def qlora_7b(bench: Bench) -> None:
    """Train a 7B in nf4 with adapters at two token budgets, with and without gradient checkpointing."""
    tokens = tokenizer()
    config = causal_config("tiny" if bench.tiny else "qwen2.5-7b", tokens)
    with bench.case("make and quantize the model") as found:
        kept: list[Any] = []
        found["seconds"] = round(seconds(lambda: kept.append(qlora(config, tokens, checkpointing=False))), 1)
        found["resident_gib"] = (
            round(torch.cuda.memory_allocated() / GIB, 2) if torch.cuda.is_available() else None
        )
        kept.clear()
    examples = rows(16 if bench.tiny else 400, PROMPT, ANSWER, config.vocab_size)
    for budget in (2048, 4096) if bench.tiny else (4096, 16384):
        for checkpointing in (True, False):
            with_or_without = "with" if checkpointing else "without"
            with bench.case(f"{budget} tokens, {with_or_without} checkpointing") as found:
                fresh_precision()
                model = partial(qlora, config, tokens, checkpointing=checkpointing)
                steps = 12 if budget == 4096 else 6
                found |= fitted(model(), examples, tokens.pad_token_id, budget, most_steps=steps)


def trl(bench: Bench) -> None:
    """Train a 7B in nf4 with `fit` and with SFTTrainer, with and without Liger: same rows, steps and adapters, no packing."""
    tokens = tokenizer()
    config = causal_config("tiny" if bench.tiny else "qwen2.5-7b", tokens)
    size = 2 if bench.tiny else 8
    examples = rows(8 if bench.tiny else 96, PROMPT, ANSWER, config.vocab_size)
    budget = budget_for(examples, size)
    for name, run, missing in (
        ("fit", partial(fitted, budget=budget, pad=tokens.pad_token_id), ""),
        ("SFTTrainer", partial(sft_trainer, tokens=tokens, rows=size, liger=False), _missing("trl")),
        (
            "SFTTrainer, Liger",
            partial(sft_trainer, tokens=tokens, rows=size, liger=True),
            _missing("trl", "liger_kernel"),
        ),
    ):
        with bench.case(name) as found:
            if missing:
                found["skipped"] = missing
                continue
            fresh_precision()
            found |= run(qlora(config, tokens, checkpointing=True), examples)


def _missing(*packages: str) -> str:
    """Return why a peer cannot run here; "" when it can."""
    absent = [name for name in packages if importlib.util.find_spec(name) is None]
    if absent:
        return f"{' and '.join(absent)} cannot be imported; name the folder that it is installed into with --trl FOLDER"
    if "liger_kernel" in packages and not torch.cuda.is_available():
        return "Liger's kernels need a GPU"
    return ""
