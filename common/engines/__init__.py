"""Engines: the ways to decode a saved model, behind one function; each is imported only when it is chosen."""

from pathlib import Path

from transformers import PreTrainedTokenizerFast

from common.decoding import Decoder, DecodingConfig


def decoder(folder: Path, decoding: DecodingConfig) -> tuple[Decoder, PreTrainedTokenizerFast]:
    """The configured engine around the model saved in a folder, and that model's tokenizer.

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
    from common.decoding import hf_decoder

    if decoding.merge:
        model, tokenizer = models.load(folder, quantization="none")
        return hf_decoder(models.merged(model), tokenizer), tokenizer
    model, tokenizer = models.load(folder)
    return hf_decoder(model, tokenizer), tokenizer
