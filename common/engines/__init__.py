"""Engines: the ways to decode a saved model, behind one function; each is imported only when it is chosen."""

from collections.abc import Iterable
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from common.decoding import Decoder, DecodingConfig
from common.tokenization import words_in


def decoder(
    folder: Path, decoding: DecodingConfig, *, words_of: Iterable[str] = ()
) -> tuple[Decoder, PreTrainedTokenizerFast]:
    """The configured engine around the model saved in a folder, and that model's tokenizer.

    `words_of`: when given, the tokens of these texts and of the dialogues at hand are all that a causal model writes,
    where the engine is hf and does not search: of a large vocabulary most belongs to other languages, and on a CPU it
    takes most of a step.
    Raises UserError when the engine is not installed, lacks its hardware or cannot run this model or these settings.
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
