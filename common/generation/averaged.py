"""Decoding by several runs' models at once: transformers' `generate` over the mean of their log-probabilities."""

from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from common.core.errors import UserError
from common.core.paths import RUN_NAME
from common.generation.config import DecodingConfig
from common.generation.decoder import Decoder, end_tokens
from common.generation.hf import hf_decoder
from common.models.averaging import Averaged
from common.models.storage import load_merged, load_model
from common.runs.record import require_trained
from common.tokenization import same_vocabulary

Loaded = tuple[PreTrainedModel, PreTrainedTokenizerFast]


def others(run: Path, names: Sequence[str]) -> list[Path]:
    """The folders of the runs that a run decodes together with.

    Raises UserError for a name that is no other run's, is there twice, or has not been trained.
    """
    if len({run.name, *names}) != len(names) + 1:
        raise UserError(f"--average-with {','.join(names)}: wanted other runs than {run.name}, each once.")
    folders = []
    for name in names:
        if not RUN_NAME.fullmatch(name):
            raise UserError(f"--average-with {name}: wanted a run, as in exp002-b.")
        folder = run.with_name(name)
        require_trained(folder, f"--average-with {name}: ")
        folders.append(folder)
    return folders


def decoder(folder: Path, decoding: DecodingConfig) -> tuple[Decoder, PreTrainedTokenizerFast]:
    """A decoder by the mean of the models saved in a run's folder and in those of `decoding.average_with`.

    Its tokenizer is the run's own. All models are in memory at once, and a step takes as long as all of theirs.
    Raises UserError when a run is not there or its model is of another kind, vocabulary or beginning.
    """
    if decoding.engine != "hf":
        raise UserError(f"--average-with works with --engine hf alone, not with {decoding.engine}.")
    places = [folder, *(other / folder.name for other in others(folder.parent, decoding.average_with))]
    found = [load_merged(place) if decoding.merge else load_model(place) for place in places]
    for name, other in zip(decoding.average_with, found[1:], strict=True):
        if differs := _difference(found[0], other):
            raise UserError(f"--average-with {name}: its model has {differs}; leave {name} out.")
    tokenizer = found[0][1]
    return hf_decoder(Averaged([model for model, _ in found]), tokenizer), tokenizer


def _difference(one: Loaded, other: Loaded) -> str | None:
    """What forbids a mean of the two models' words; None if nothing does."""
    (mine, words), (theirs, others_words) = one, other
    if mine.config.is_encoder_decoder != theirs.config.is_encoder_decoder:
        kinds = ("a causal model", "an encoder-decoder")
        return f"{kinds[theirs.config.is_encoder_decoder]}, not {kinds[mine.config.is_encoder_decoder]}"
    if differs := same_vocabulary.difference(words, others_words):
        return differs
    sizes = [model.get_output_embeddings().weight.shape[0] for model in (mine, theirs)]
    if sizes[0] != sizes[1]:
        return f"an output layer of {sizes[1]} words, {sizes[0]} wanted"
    starts = [
        (getattr(m.config, "decoder_start_token_id", None), m.generation_config.forced_bos_token_id)
        for m in (mine, theirs)
    ]
    ends = [set(end_tokens(model.generation_config, words)) for model in (mine, theirs)]
    if starts[0] != starts[1] or ends[0] != ends[1]:
        return "other tokens at a summary's beginning or end"
    return None
