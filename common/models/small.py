"""Build small models with random weights, for training from scratch."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le, MultipleOf
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from common.core.errors import UserError
from common.core.ranges import Dropout

Vocabulary = Annotated[int, Ge(300), Le(100_000)]
"""Size of a vocabulary of our own: at least the 256 bytes, the special tokens and the speaker tags."""
MOST_WEIGHTS = 10**9
"""Largest small model; training it takes about 16 GB."""


@dataclass(frozen=True)
class SmallModelConfig:
    """Size of a transformer that is trained from scratch."""

    width: Annotated[int, Ge(64), Le(2048), MultipleOf(64)] = 128
    """Hidden size; a multiple of 64, the size of an attention head."""
    layers: Annotated[int, Ge(1), Le(48)] = 2
    """Number of layers; an encoder-decoder has this many in the encoder and in the decoder."""
    feed_forward: Annotated[int, Ge(1), Le(8192)] = 512
    """Inner size of the feed-forward blocks."""
    dropout: Dropout = 0.1
    """Share of activations dropped in training, from 0 to below 1."""
    positions: Annotated[int, Ge(16), Le(131_072)] = 1024
    """Longest sequence that the model can read, in tokens."""

    def require_consistent(self) -> None:
        """Raise UserError for more than MOST_WEIGHTS weights."""
        # An encoder's and a decoder's layer: three attentions of four matrices, two feed-forward blocks of two.
        weights = self.layers * (12 * self.width**2 + 4 * self.width * self.feed_forward)
        if weights > MOST_WEIGHTS:
            raise UserError(
                f"--width {self.width}, --layers {self.layers} and --feed-forward {self.feed_forward} make a model of "
                f"about {weights / 1e9:.1f} billion weights; wanted at most {MOST_WEIGHTS / 1e9:.0f} billion. Lower one "
                "of them."
            )

    def require_room(self, source: int, summary: int, *, together: bool) -> None:
        """Raise UserError when the longest source and summary (`together`: their sum) have more tokens than positions."""
        if (source + summary if together else max(source, summary)) > self.positions:
            raise UserError(
                f"--positions {self.positions}: too few for --max-source-tokens {source} {'and' if together else 'or'} "
                f"--max-new-tokens {summary}; raise the former, or lower one of the others."
            )


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
