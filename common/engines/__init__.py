"""Engines that decode a saved model, behind one function; each is imported only when it is chosen."""

from collections.abc import Iterable
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from common.decoding import Decoder, DecodingConfig
from common.tokenization import words_in


def decoder(
    folder: Path, decoding: DecodingConfig, *, words_of: Iterable[str] = ()
) -> tuple[Decoder, PreTrainedTokenizerFast]:
    """Return a decoder that runs the model saved in a folder with the configured engine, and the model's tokenizer.

    `words_of`: when given, a causal model only generates tokens of these texts and of the dialogues in the batch. Most
    of a large vocabulary belongs to other languages, and computing its logits takes most of a decoding step on a CPU.
    Only the engine hf without beam search uses it.
    Raises UserError when the engine is not installed, lacks its hardware, or does not support the model or settings.
    """
    if decoding.average_with:
        from common.engines import averaged

        return averaged.decoder(folder, decoding)
    if decoding.engine == "ctranslate2":
        from common.engines import ct2

        return ct2.decoder(folder, decoding)
    if decoding.engine == "vllm":
        from common.engines import vllm

        return vllm.decoder(folder, decoding)
    from common import models
    from common.engines.hf import hf_decoder

    model, tokenizer = models.whole(folder) if decoding.merge else models.load(folder)
    return hf_decoder(model, tokenizer, words_in(tokenizer, words_of)), tokenizer
