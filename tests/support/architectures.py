"""Build a tiny random model of every architecture that Korean teams use, from its config, in the hub's format."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PreTrainedModel

from tests.support import tiny

WORDS = tiny.tokenizer()
IDS = {
    "vocab_size": len(WORDS),
    "pad_token_id": WORDS.pad_token_id,
    "bos_token_id": WORDS.bos_token_id,
    "eos_token_id": WORDS.eos_token_id,
}
BART = {
    **IDS,
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 256,
    "decoder_start_token_id": WORDS.eos_token_id,
    "forced_eos_token_id": None,
}
T5 = {
    "vocab_size": len(WORDS),
    "d_model": 32,
    "d_kv": 16,
    "d_ff": 64,
    "num_layers": 1,
    "num_heads": 2,
    "pad_token_id": WORDS.pad_token_id,
    "eos_token_id": WORDS.eos_token_id,
    "decoder_start_token_id": WORDS.pad_token_id,
}
LLAMA = {
    **IDS,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
    "tie_word_embeddings": True,
}
QWEN3 = {**LLAMA, "head_dim": 32}
GEMMA = {**QWEN3, "query_pre_attn_scalar": 32, "sliding_window": 16}
GEMMA4 = {
    **QWEN3,
    "sliding_window": 16,
    "vocab_size_per_layer_input": len(WORDS),
    "hidden_size_per_layer_input": 8,
    "layer_types": ["sliding_attention", "full_attention"],
}
GEMMA3N = {
    **{k: v for k, v in GEMMA4.items() if k != "intermediate_size"},
    "intermediate_size": [128, 128],
    "laurel_rank": 4,
    "num_kv_shared_layers": 0,
    "activation_sparsity_pattern": [0.0, 0.0],
}
QWEN3_5 = {
    **QWEN3,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "layer_types": ["linear_attention", "full_attention"],
}
SIGHT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}


def _made(name: str, config: str, **settings: Any) -> Callable[[], PreTrainedModel]:
    """Return a function that builds the transformers class `name` from its config class `config`."""

    def build() -> PreTrainedModel:
        model: PreTrainedModel = getattr(transformers, name)(getattr(transformers, config)(**settings))
        return model

    return build


def _t5gemma() -> PreTrainedModel:
    part = transformers.T5GemmaModuleConfig
    config = transformers.T5GemmaConfig(encoder=part(**GEMMA), decoder=part(**GEMMA), vocab_size=len(WORDS))
    return transformers.T5GemmaForConditionalGeneration(config)


def _t5gemma2() -> PreTrainedModel:
    encoder = transformers.T5Gemma2EncoderConfig(
        text_config=transformers.T5Gemma2TextConfig(**GEMMA).to_dict(),
        vision_config=transformers.SiglipVisionConfig(**SIGHT).to_dict(),
        mm_tokens_per_image=1, image_token_index=5, boi_token_index=6, eoi_token_index=7,
    )  # fmt: skip
    decoder = transformers.T5Gemma2DecoderConfig(**GEMMA)
    config = transformers.T5Gemma2Config(
        encoder=encoder, decoder=decoder, image_token_index=5, eoi_token_index=7
    )
    return transformers.T5Gemma2ForConditionalGeneration(config)


def _gemma3_vision() -> PreTrainedModel:
    config = transformers.Gemma3Config(
        text_config=transformers.Gemma3TextConfig(**GEMMA),
        vision_config=transformers.SiglipVisionConfig(**SIGHT),
        mm_tokens_per_image=1, image_token_index=5, boi_token_index=6, eoi_token_index=7,
    )  # fmt: skip
    return transformers.Gemma3ForConditionalGeneration(config)


def _gemma4_vision() -> PreTrainedModel:
    sight = {k: v for k, v in SIGHT.items() if k not in ("image_size", "patch_size")}
    config = transformers.Gemma4Config(
        text_config=transformers.Gemma4TextConfig(**GEMMA4),
        vision_config=transformers.Gemma4VisionConfig(
            **sight, num_key_value_heads=2, head_dim=16, position_embedding_size=32
        ),
        audio_config=transformers.Gemma4AudioConfig(
            hidden_size=32, num_hidden_layers=1, num_attention_heads=2, output_proj_dims=32,
            subsampling_conv_channels=[8, 8],
        ),
        image_token_id=5, video_token_id=6, audio_token_id=7, boi_token_id=8, eoi_token_id=9,
    )  # fmt: skip
    return transformers.Gemma4ForConditionalGeneration(config)


def _qwen3_5_vision() -> PreTrainedModel:
    config = transformers.Qwen3_5Config(
        text_config=transformers.Qwen3_5TextConfig(**QWEN3_5).to_dict(),
        vision_config={
            "depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64,
            "num_position_embeddings": 16, "patch_size": 4,
        },
        image_token_id=5, video_token_id=6, vision_start_token_id=7, vision_end_token_id=8, tie_word_embeddings=True,
    )  # fmt: skip
    return transformers.Qwen3_5ForConditionalGeneration(config)


SHARED_EXPERTS = {
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
}
LATENT_ATTENTION = {
    "num_key_value_heads": 2,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 16,
    "qk_nope_head_dim": 16,
    "v_head_dim": 16,
}
_MOE = {"num_experts": 4, "moe_intermediate_size": 32}
BUILD: dict[str, Callable[[], PreTrainedModel]] = {
    "bart": _made("BartForConditionalGeneration", "BartConfig", **BART),
    "mbart": _made("MBartForConditionalGeneration", "MBartConfig", **BART),
    "t5": _made("T5ForConditionalGeneration", "T5Config", **T5),
    "mt5": _made("MT5ForConditionalGeneration", "MT5Config", **T5, feed_forward_proj="gated-gelu"),
    "t5gemma": _t5gemma,
    "t5gemma2": _t5gemma2,
    "gpt2": _made("GPT2LMHeadModel", "GPT2Config", **IDS, n_embd=64, n_layer=2, n_head=2, n_positions=256),
    "gpt_neox": _made("GPTNeoXForCausalLM", "GPTNeoXConfig", **{k: v for k, v in LLAMA.items() if k != "num_key_value_heads"}),
    "llama": _made("LlamaForCausalLM", "LlamaConfig", **LLAMA),
    "mistral": _made("MistralForCausalLM", "MistralConfig", **LLAMA, sliding_window=16),
    "phi3": _made("Phi3ForCausalLM", "Phi3Config", **LLAMA),
    "qwen2": _made("Qwen2ForCausalLM", "Qwen2Config", **LLAMA),
    "qwen3": _made("Qwen3ForCausalLM", "Qwen3Config", **QWEN3),
    "qwen3_moe": _made("Qwen3MoeForCausalLM", "Qwen3MoeConfig", **QWEN3, **_MOE, num_experts_per_tok=2),
    "gpt_oss": _made("GptOssForCausalLM", "GptOssConfig", **QWEN3, num_local_experts=4, num_experts_per_tok=2,
                     sliding_window=16),
    "deepseek_v3": _made("DeepseekV3ForCausalLM", "DeepseekV3Config", **{**LLAMA, **LATENT_ATTENTION}, **SHARED_EXPERTS),
    "solar_open": _made("SolarOpenForCausalLM", "SolarOpenConfig", **QWEN3, **SHARED_EXPERTS),
    "qwen3_5": _made("Qwen3_5ForCausalLM", "Qwen3_5TextConfig", **QWEN3_5),
    "qwen3_5_vision": _qwen3_5_vision,
    "lfm2": _made("Lfm2ForCausalLM", "Lfm2Config", **LLAMA, layer_types=["conv", "full_attention"],
                  block_auto_adjust_ff_dim=False),
    "gemma2": _made("Gemma2ForCausalLM", "Gemma2Config", **GEMMA),
    "gemma3": _made("Gemma3ForCausalLM", "Gemma3TextConfig", **GEMMA),
    "gemma3_vision": _gemma3_vision,
    "gemma3n": _made("Gemma3nForCausalLM", "Gemma3nTextConfig", **GEMMA3N),
    "gemma4": _made("Gemma4ForCausalLM", "Gemma4TextConfig", **GEMMA4),
    "gemma4_moe": _made("Gemma4ForCausalLM", "Gemma4TextConfig", **GEMMA4, **_MOE, enable_moe_block=True,
                        top_k_experts=2),
    "gemma4_vision": _gemma4_vision,
    "exaone4": _made("Exaone4ForCausalLM", "Exaone4Config", **LLAMA, sliding_window=16, sliding_window_pattern=2),
    "hyperclovax": _made("HyperCLOVAXForCausalLM", "HyperCLOVAXConfig", **LLAMA),
}  # fmt: skip
KINDS = tuple(kind for kind in BUILD if kind != "gemma3n")
"""Those that work; some linear layers of gemma3n take no part in the loss."""


def written(kind: str, folder: Path) -> Path:
    """Write the tiny model of an architecture and its tokenizer to a new folder, and return the folder.

    Its weights are larger than initial ones, so that adapters have an effect and logits differ clearly.
    """
    torch.manual_seed(0)
    model = BUILD[kind]()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model.save_pretrained(folder)
    WORDS.save_pretrained(folder)
    return folder
