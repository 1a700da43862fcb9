"""Choose the engine that decodes a saved model; each engine is imported only when it is chosen."""

from collections.abc import Iterable
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from common.generation.config import DecodingConfig
from common.generation.decoder import Decoder
from common.tokenization.config import LengthConfig
from common.tokenization.tokenizer import tokens_in


def decoder(
    folder: Path,
    decoding: DecodingConfig,
    lengths: LengthConfig | None = None,
    *,
    vocabulary_texts: Iterable[str] = (),
) -> tuple[Decoder, PreTrainedTokenizerFast]:
    """Return a decoder that runs the model saved in a folder with the configured engine, and the model's tokenizer.

    `lengths`: the limits of the sources that it will get; only the engine vllm uses them, to keep less memory for each.
    `vocabulary_texts`: when given, a causal model only generates tokens of these texts and of the dialogues in the batch. Most
    of a large vocabulary belongs to other languages, and computing its logits takes most of a decoding step on a CPU.
    Only the engine hf without beam search uses it.
    Raises UserError when the engine is not installed, lacks its hardware, or does not support the model or settings.
    """
    if decoding.engine == "ctranslate2":
        from common.generation import ctranslate2

        return ctranslate2.decoder(folder, decoding)
    if decoding.engine == "vllm":
        from common.generation import vllm

        return vllm.decoder(folder, decoding, lengths)
    from common.generation.fixed_steps import require_fixed
    from common.generation.hf import hf_decoder
    from common.generation.merging import merges
    from common.models.storage import load_merged, load_model

    merged = merges(folder, decoding)
    model, tokenizer = load_merged(folder) if merged else load_model(folder)
    texts = tokens_in(tokenizer, vocabulary_texts)
    if decoding.compiled:
        require_fixed(model, texts)
    made_with = "adapters merged into 16-bit weights" if merged and decoding.merge == "auto" else ""
    return hf_decoder(model, tokenizer, texts, made_with), tokenizer
