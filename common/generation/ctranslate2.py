"""Decode BART and mBART with CTranslate2, on a CPU several times as fast as transformers' `generate`.

It differs from `generate` as follows, according to CTranslate2's source (decoding.cc, sampling.cc):
- n-gram blocking renormalises over the tokens still allowed, so --no-repeat-ngram may rank beams differently;
- a summary that reaches --max-new-tokens does not get the checkpoint's `forced_eos_token_id`;
- a repetition penalty changes the logits before they become log-probabilities, in a beam search too;
- with a length penalty far from 1, beam search stops at a slightly different step.
The formula of the length penalty, temperature before top-p, and the maximum length are the same.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from transformers import AutoConfig, PreTrainedModel, PreTrainedTokenizerFast

from common.core import verified_folder
from common.core.errors import UserError, first_line
from common.core.files import read_json, root, sha256_file, sha256_texts, shown, write_json
from common.core.progress import waiting
from common.core.provenance import code_hash
from common.generation.config import DecodingConfig
from common.generation.decoder import Decoder, batch_seed, candidates_of, with_samples
from common.generation.halving import Halving
from common.models import storage
from common.models.config import PretrainedConfig
from common.models.pretrained import load_pretrained
from common.models.storage import load_model, merge_adapters
from common.runs.candidates import Candidate
from common.tokenization.tokenizer import load_tokenizer

log = logging.getLogger(__name__)
INSTALL = ".venv/bin/pip install -c constraints.txt -e '.[ctranslate2]'"
STARTS = "starts.json"
_PRE_NORM = {"bart": False, "mbart": True}  # whether layer norm comes before attention
_TRANSLATING = {"mbart": True, "m2m_100": True}


def decoder(folder: Path, decoding: DecodingConfig) -> tuple[Decoder, PreTrainedTokenizerFast]:
    """Return a decoder that runs the model saved in a folder, converted on first use, and the model's tokenizer.

    Log-probabilities are those of the converted model, which with int8 weights differ slightly from the checkpoint's.
    Raises UserError when CTranslate2 is not installed or the model is neither BART nor mBART.
    """
    package = _package()
    tokenizer = load_tokenizer(folder)
    converted = convert(folder, decoding.ct2_weights)
    language = read_json(converted / STARTS)["forced_bos"]
    device = _device(package, converted, decoding.ct2_weights)
    translators: list[Any] = []  # at most one: the latest

    @with_samples
    def run(sources: Sequence[Sequence[int]], config: DecodingConfig, seed: int) -> list[list[Candidate]]:
        config.require_consistent()
        sampled = config.temperature > 0
        if sampled or not translators:
            # A seed only affects threads that start after it, so sampling needs a new translator.
            package.set_random_seed(batch_seed(seed, sources) % 2**32)
            translators[:] = [_translator(package, converted, decoding.ct2_weights, device)]
        tokens = [_names(source) for source in sources]
        results = translators[0].translate_batch(
            tokens,
            target_prefix=None if language is None else [_names([language])] * len(tokens),
            beam_size=1 if sampled else config.beams,
            num_hypotheses=config.candidates,
            length_penalty=config.length_penalty,
            no_repeat_ngram_size=config.no_repeat_ngram,
            repetition_penalty=config.repetition_penalty,
            max_decoding_length=config.max_new_tokens,
            max_input_length=0,
            return_end_token=True,
            **(_sampling(config) if sampled else {}),
        )
        generated = [[int(name) for name in names] for result in results for names in result.hypotheses]
        repeated = [source for source in tokens for _ in range(config.candidates)]
        scores = _logprobs(translators[0], repeated, generated, tokenizer.eos_token_id)
        return candidates_of(generated, scores, tokenizer, config, [tokenizer.eos_token_id])

    return Halving(run), tokenizer


def _sampling(config: DecodingConfig) -> dict[str, Any]:
    return {"sampling_topk": 0, "sampling_topp": config.top_p, "sampling_temperature": config.temperature}


def _names(ids: Sequence[int]) -> list[str]:
    """Return token names for CTranslate2: the ids as text, so that the spelling of a token never matters."""
    return [str(token) for token in ids]


def _logprobs(
    translator: Any, sources: list[list[str]], targets: Sequence[Sequence[int]], end: int
) -> list[float]:
    """Return log p(target | source) of each pair, in nats, with teacher forcing.

    An end token only counts if it was generated.
    """
    # Without end tokens, because score_batch appends one to every target.
    open_ended = [_names(target[:-1] if target[-1:] == [end] else target) for target in targets]
    results = translator.score_batch(sources, open_ended, max_input_length=0)
    return [sum(r.log_probs[: len(target)]) for r, target in zip(results, targets, strict=True)]


def _device(package: Any, converted: Path, weights: str) -> str:
    """Return "cuda" when a GPU is there and CTranslate2 can decode on it, else "cpu".

    CTranslate2 is built for one version of CUDA, whose libraries may be missing beside those of PyTorch. It loads them
    only when it computes, so a token is decoded.
    """
    if not package.get_cuda_device_count():
        return "cpu"
    try:
        _translator(package, converted, weights, "cuda").translate_batch([_names([0])], max_decoding_length=1)
    except (RuntimeError, ValueError) as error:
        log.warning("--engine ctranslate2 cannot use the GPU (%s); decoding on the CPU.", first_line(error))
        return "cpu"
    return "cuda"


def _translator(package: Any, converted: Path, weights: str, device: str) -> Any:
    return package.Translator(
        str(converted),
        device=device,
        device_index=int(os.environ.get("LOCAL_RANK", 0)) if device == "cuda" else 0,
        compute_type=weights,
        intra_threads=torch.get_num_threads(),
    )


def _package() -> Any:
    try:
        return import_module("ctranslate2")
    except ImportError:
        raise UserError(
            f"--engine ctranslate2: the package ctranslate2 is not installed; run: {INSTALL} (or use --engine hf)."
        ) from None


def convert(folder: Path, weights: str) -> Path:
    """Return the folder of the converted model with merged adapters, made once per checkpoint and type of weights.

    Raises UserError when the model is neither BART nor mBART.
    """
    package = _package()
    name = f"{verified_folder.fingerprint(folder)[:24]}-{weights}-{package.__version__}-{code_hash(Path(__file__))[:8]}"
    converted = root() / ".cache" / "ct2" / name
    with _converting(converted):
        if not converted.exists() or verified_folder.problem(converted):
            _require_supported(folder)
            # As with `--merge`, adapters that were trained on quantized weights are merged into unquantized ones.
            with waiting(f"convert {shown(folder)} for CTranslate2"):
                model, tokenizer = load_model(folder, together=False, dtype="float32", quantization="none")
                merged = merge_adapters(model).cpu()
                verified_folder.save(converted, lambda staging: _write(merged, tokenizer, weights, staging))
    return converted


@contextmanager
def _converting(converted: Path) -> Iterator[None]:
    """Let only one of several processes convert. Raises UserError when the folder cannot be written."""
    try:
        converted.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(str(converted) + ".lock").acquire()
    except OSError as error:
        raise UserError(
            f"{shown(converted.parent)}: converted models cannot be written there ({error.strerror}); make it writable "
            "or free some space, or use --engine hf."
        ) from error
    with lock:
        yield


def _require_supported(folder: Path) -> None:
    config = AutoConfig.from_pretrained(storage.weights(folder)[0], trust_remote_code=False)
    if not config.is_encoder_decoder:
        raise UserError(
            f"--engine ctranslate2 only decodes BART and mBART, but {shown(folder)} is a causal model "
            f"({config.model_type}): use --engine hf, or --engine vllm on a GPU."
        )
    if config.model_type not in _PRE_NORM:
        raise UserError(
            f"--engine ctranslate2 only decodes BART and mBART, but {shown(folder)} is {config.model_type}: "
            "use --engine hf."
        )


def _write(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, weights: str, folder: Path) -> None:
    """Write the model into a folder in CTranslate2's format.

    Only the part of CTranslate2's converter that maps weights is used: the rest loads the tokenizer with AutoTokenizer,
    which may give other ids. That part also reads `config.normalize_before`, which transformers 5 no longer has.
    """
    loaders = import_module("ctranslate2.converters.transformers")
    config = model.config
    config.normalize_before = (_PRE_NORM | _TRANSLATING)[config.model_type]
    names = {"bart": "BartLoader", "mbart": "MBartLoader", "m2m_100": "M2M100Loader"}
    loader = getattr(loaders, names[config.model_type])()
    if config.model_type == "m2m_100":
        for half in (model.model.encoder, model.model.decoder):
            # The loader assumes that the first position is 2, which is only true when the padding token is 1.
            half.embed_positions.offset = half.embed_positions.padding_idx + 1
    spec = loader.get_model_spec(model)
    vocabulary = _names(range(model.get_output_embeddings().weight.shape[0]))
    spec.register_source_vocabulary(vocabulary)
    spec.register_target_vocabulary(vocabulary)
    spec.config.bos_token = str(config.decoder_start_token_id)
    spec.config.eos_token = str(tokenizer.eos_token_id)
    # Never used, but it must be in the vocabulary: otherwise it would be added as another token.
    spec.config.unk_token = vocabulary[0]
    spec.config.decoder_start_token = str(config.decoder_start_token_id)
    spec.validate()
    spec.optimize(quantization=weights)
    spec.save(str(folder))
    write_json(folder / STARTS, {"forced_bos": model.generation_config.forced_bos_token_id})


def translation(
    folder: Path, weights: str
) -> Callable[[Sequence[Sequence[int]], int, int, int], list[list[int]]]:
    """Return a function that translates: (sources, target language's id, beams, most tokens) → token ids per source.

    `folder` holds a pretrained m2m100, NLLB or mBART-50 as the hub serves it, which is converted on first use. A
    translation begins with the language's id, and ends with the end token unless it was cut off.
    Raises UserError when CTranslate2 is not installed or the folder holds another kind of model.
    """
    package = _package()
    kind = read_json(folder / "config.json").get("model_type")
    if kind not in _TRANSLATING:
        raise UserError(
            f"--engine ctranslate2 only translates with m2m100, NLLB and mBART-50, but {shown(folder)} is {kind}: "
            "use --engine hf."
        )
    converted = _convert_pretrained(package, folder, weights)
    translator = _translator(package, converted, weights, _device(package, converted, weights))

    def run(sources: Sequence[Sequence[int]], target: int, beams: int, longest: int) -> list[list[int]]:
        results = translator.translate_batch(
            [_names(source) for source in sources],
            target_prefix=[_names([target])] * len(sources),
            beam_size=beams,
            max_decoding_length=longest,
            max_input_length=0,
            return_end_token=True,
        )
        return [[int(name) for name in result.hypotheses[0]] for result in results]

    return run


def _convert_pretrained(package: Any, folder: Path, weights: str) -> Path:
    """Return the folder of the converted weights, made once for each content of the pretrained folder."""
    content = sha256_texts(sha256_file(path) for path in sorted(folder.iterdir()) if path.is_file())
    name = f"{content[:24]}-{weights}-{package.__version__}-{code_hash(Path(__file__))[:8]}"
    converted = root() / ".cache" / "ct2" / name
    with _converting(converted):
        if not converted.exists() or verified_folder.problem(converted):
            config = PretrainedConfig(model=str(folder), dtype="float32")
            with waiting(f"convert {folder.name} for CTranslate2"):
                model, tokenizer = load_pretrained(config, "seq2seq", frozen=True)
                verified_folder.save(
                    converted, lambda staging: _write(model.cpu(), tokenizer, weights, staging)
                )
    return converted
