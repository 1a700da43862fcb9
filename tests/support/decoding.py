"""Provide settings, sources and simple reference decoders for tests of decoding."""

import math
from collections.abc import Sequence

import torch
from transformers import GenerationConfig, PreTrainedModel

from common.generation.config import DecodingConfig
from common.tokenization import examples
from common.tokenization.config import LengthConfig
from common.tokenization.layout import InputTemplate
from tests.support import tiny

WORDS = tiny.tokenizer()
EOS, PAD = WORDS.eos_token_id, WORDS.pad_token_id
KINDS = ("bart", "qwen2")
TEMPLATES = {"bart": InputTemplate(suffix=(EOS,)), "qwen2": InputTemplate(suffix=(WORDS.bos_token_id,))}
GREEDY = DecodingConfig(candidates=1, beams=1, max_new_tokens=24)
BEAM = DecodingConfig(candidates=3, beams=4, max_new_tokens=24)
SAMPLED = DecodingConfig(candidates=3, beams=1, temperature=1.3, top_p=0.9, max_new_tokens=12)


def sources_of(kind: str, count: int = 7, seed: int = 5) -> dict[str, list[int]]:
    return examples.sources(tiny.rows(count, "test", seed), WORDS, LengthConfig(120), TEMPLATES[kind])


def until_end(ids: list[int]) -> list[int]:
    return ids[: ids.index(EOS) + 1] if EOS in ids else ids


@torch.no_grad()
def plain(model: PreTrainedModel, source: Sequence[int], config: DecodingConfig) -> list[list[int]]:
    """Return the result of `model.generate` for one source alone, without padding."""
    causal = not model.config.is_encoder_decoder
    out = model.generate(
        input_ids=torch.tensor([source]),
        attention_mask=torch.ones(1, len(source), dtype=torch.long),
        generation_config=GenerationConfig(
            max_new_tokens=config.max_new_tokens,
            num_beams=config.beams,
            num_return_sequences=config.candidates,
            do_sample=False,
            early_stopping=config.beams > 1,
            length_penalty=config.length_penalty,
            eos_token_id=EOS,
            pad_token_id=PAD,
            decoder_start_token_id=None if causal else WORDS.bos_token_id,
        ),
    )
    return [until_end(row[len(source) if causal else 1 :]) for row in out.tolist()]


@torch.no_grad()
def next_logits(model: PreTrainedModel, source: Sequence[int], generated: Sequence[int]) -> torch.Tensor:
    """Return the logits of the token after `generated`, from a full forward pass without padding or cache."""
    if model.config.is_encoder_decoder:
        start = [model.config.decoder_start_token_id, *generated]
        return model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([start])).logits[0, -1]
    return model(input_ids=torch.tensor([[*source, *generated]])).logits[0, -1]


def by_hand(model: PreTrainedModel, source: Sequence[int], target: Sequence[int]) -> float:
    """Return log p(target | source), summed over one forward pass per token."""
    return sum(
        float(next_logits(model, source, target[:i]).log_softmax(-1)[token]) for i, token in enumerate(target)
    )


def banned(generated: list[int], size: int) -> set[int]:
    """Return the tokens that would repeat an n-gram of the generated tokens."""
    last = generated[len(generated) - size + 1 :]
    if len(generated) < size - 1:
        return set()
    grams = [generated[i : i + size] for i in range(len(generated) - size + 1)]
    return {gram[-1] for gram in grams if gram[:-1] == last}


def greedy_by_hand(model: PreTrainedModel, source: Sequence[int], size: int, most: int) -> list[int]:
    generated: list[int] = []
    while len(generated) < most and EOS not in generated:
        logits = next_logits(model, source, generated)
        logits[list(banned(generated, size))] = -math.inf
        generated.append(int(logits.argmax()))
    return generated
