"""Train tiny models briefly, to decode them with several engines."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from common.core import verified_folder
from common.generation.config import DecodingConfig
from common.models.config import PretrainedConfig
from common.models.storage import save_model
from common.tokenization import examples
from common.tokenization.batches import collate_causal, collate_seq2seq
from common.tokenization.config import LengthConfig
from common.tokenization.layout import InputTemplate, seq2seq_template
from common.training.losses import cross_entropy
from tests.support import tiny

WORDS = tiny.tokenizer()
GREEDY = DecodingConfig(candidates=1, beams=1, max_new_tokens=24)
BEAM = DecodingConfig(candidates=3, beams=4, max_new_tokens=24)
SAMPLED = DecodingConfig(candidates=4, beams=1, temperature=1.3, top_p=0.9, max_new_tokens=12)
ROWS = 24
MBART = PretrainedConfig(model="tiny:mbart", dtype="float32")


def ct2_of(config: DecodingConfig, weights: Any = "float32") -> DecodingConfig:
    return replace(config, engine="ctranslate2", ct2_weights=weights)


def template_of(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, language: str | None = None
) -> InputTemplate:
    if model.config.is_encoder_decoder:
        return (
            seq2seq_template(tokenizer, language)
            if language
            else InputTemplate(suffix=(tokenizer.eos_token_id,))
        )
    return InputTemplate(suffix=(tokenizer.bos_token_id,))


def sources_of(
    tokenizer: PreTrainedTokenizerFast, template: InputTemplate, count: int = ROWS
) -> list[list[int]]:
    return list(
        examples.sources(tiny.rows(count, "test", 5), tokenizer, LengthConfig(120), template).values()
    )


def taught(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, template: InputTemplate, steps: int = 25
) -> PreTrainedModel:
    """Train the model for a few steps, so that summaries end and no two tokens have almost equal logits."""
    rows = tiny.rows(ROWS)
    sources = examples.sources(rows, tokenizer, LengthConfig(120), template)
    batch = [
        tiny.example(
            sources[r.id],
            [*template.target_prefix, *tokenizer.encode(r.summaries[0]), tokenizer.eos_token_id],
        )
        for r in rows
    ]
    collate = collate_seq2seq if model.config.is_encoder_decoder else collate_causal
    tensors = collate(batch, pad=tokenizer.pad_token_id)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        (cross_entropy(model, tensors, 0.1) / 300).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval()


def saved(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    base: PretrainedConfig | None = None,
) -> Path:
    verified_folder.save(folder, lambda staging: save_model(model, tokenizer, staging, base))
    return folder
