"""Create tiny random models for smoke runs, one for each architecture of the experiments, in the hub's format."""

from collections.abc import Callable
from pathlib import Path

import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    M2M100Config,
    M2M100ForConditionalGeneration,
    MBartConfig,
    MBartForConditionalGeneration,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers.utils.logging import disable_progress_bar

from common.core.paths import cache_folder
from common.core.verified_folder import build_once
from common.models.config import PREFIX, require_kind
from common.tokenization.tokenizer import train_bpe

_TEXTS = (
    "#Person1#: 내일 몇 시에 만날까요?\n#Person2#: 오후 세 시에 도서관 앞에서 만나요.",
    "#Person1#과 #Person2#는 내일 오후 세 시에 도서관 앞에서 만나기로 한다.",
    "다음 대화를 읽고 한국어로 요약하세요. 요약:",
)
_LANGUAGES = {
    "mbart": ["en_XX", "ko_KR"],
    "m2m100": ["__en__", "__ko__"],
    "nllb": ["eng_Latn", "kor_Hang"],
}
_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_THOUGHTLESS = (  # as Qwen3's: without enable_thinking=False, the model may begin a thought of its own
    "{% if add_generation_prompt and enable_thinking is defined and enable_thinking is false %}"
    "<think>\n\n</think>\n\n{% endif %}"
)
_ENCODER_DECODER = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 2048,
}
_DECODER = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}


def tiny(name: str) -> Path:
    """Return the folder of a tiny random model, which is created on first use.

    `name`: tiny:bart, tiny:mbart, tiny:m2m100, tiny:nllb, tiny:qwen2, tiny:qwen3 or tiny:gemma3.
    Raises UserError for any other name, and when the folder cannot be written.
    """
    kind = name.removeprefix(PREFIX)
    require_kind(name)
    make = _MODELS[kind]
    return build_once(cache_folder() / f"tiny-{kind}", lambda staging: _write(make, kind, staging))


def _write(make: Callable[[PreTrainedTokenizerFast], PreTrainedModel], kind: str, folder: Path) -> None:
    tokenizer = train_bpe(_TEXTS, 400, [])
    if kind in _LANGUAGES:
        tokenizer.add_tokens(_LANGUAGES[kind])
    if kind in ("qwen2", "qwen3"):
        tokenizer.add_tokens(["<|im_start|>", "<|im_end|>"])
        tokenizer.eos_token = "<|im_end|>"  # nosec B105: a token of the vocabulary
        tokenizer.chat_template = _CHATML
    if kind == "qwen3":
        tokenizer.add_tokens(["<think>", "</think>"])
        tokenizer.chat_template += _THOUGHTLESS
    state = torch.get_rng_state()
    torch.manual_seed(0)
    model = make(tokenizer)
    torch.set_rng_state(state)
    disable_progress_bar()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    return {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }


def _bart(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    start = tokenizer.eos_token_id
    config = BartConfig(
        **_ENCODER_DECODER, **_ids(tokenizer), decoder_start_token_id=start, forced_eos_token_id=None
    )
    return BartForConditionalGeneration(config)


def _mbart(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    return MBartForConditionalGeneration(MBartConfig(**_ENCODER_DECODER, **_ids(tokenizer), forced_eos_token_id=None,
                                                     decoder_start_token_id=tokenizer.eos_token_id))  # fmt: skip


def _m2m100(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    config = M2M100Config(
        **_ENCODER_DECODER, **_ids(tokenizer), decoder_start_token_id=tokenizer.eos_token_id
    )
    return M2M100ForConditionalGeneration(config)


def _qwen2(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    return Qwen2ForCausalLM(Qwen2Config(**_DECODER, **_ids(tokenizer)))


def _qwen3(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    sizes = _DECODER | {"head_dim": 32, "tie_word_embeddings": False}  # the 8B and larger ones are not tied
    return Qwen3ForCausalLM(Qwen3Config(**sizes, **_ids(tokenizer)))


def _gemma3(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    sizes = {"head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 64}
    return Gemma3ForCausalLM(Gemma3TextConfig(**_DECODER, **_ids(tokenizer), **sizes))


_MODELS = {
    "bart": _bart,
    "mbart": _mbart,
    "m2m100": _m2m100,
    "nllb": _m2m100,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "gemma3": _gemma3,
}
