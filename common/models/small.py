"""Build small models with random weights, for training from scratch."""

from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from common.models.config import SmallModelConfig


def small_bart(size: SmallModelConfig, tokenizer: PreTrainedTokenizerFast) -> BartForConditionalGeneration:
    """Return a BART (Lewis et al. 2020) with tied embeddings, initialised from torch's global random state."""
    config = BartConfig(
        vocab_size=len(tokenizer),
        d_model=size.width,
        encoder_layers=size.layers,
        decoder_layers=size.layers,
        encoder_attention_heads=size.width // 64,
        decoder_attention_heads=size.width // 64,
        encoder_ffn_dim=size.feed_forward,
        decoder_ffn_dim=size.feed_forward,
        dropout=size.dropout,
        attention_dropout=size.dropout,
        activation_dropout=0.0,
        max_position_embeddings=size.positions,
        scale_embedding=True,
        # The default 0.02 suits a width of 1,024; in a narrow model it keeps attention flat for epochs.
        init_std=size.width**-0.5,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.bos_token_id,
        forced_eos_token_id=None,
    )
    return BartForConditionalGeneration(config)


def small_qwen2(size: SmallModelConfig, tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    """Return a Qwen2 (Yang et al. 2024) with tied embeddings, initialised from torch's global random state."""
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.width // 64,
        num_key_value_heads=size.width // 64,
        intermediate_size=size.feed_forward,
        attention_dropout=size.dropout,
        max_position_embeddings=size.positions,
        initializer_range=size.width**-0.5,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return Qwen2ForCausalLM(config)
