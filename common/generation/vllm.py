"""Decode causal models with vLLM on GPUs: all weights, or LoRA adapters on their base.

This uses vLLM's documented Python API (LLM, SamplingParams, TokensPrompt, LoRARequest); tests/generation/vllm_facts.json holds
what the pinned release accepts. vLLM needs older packages than training does and therefore its own virtual environment; the
files it writes are the same. Its logits depend slightly on the other rows in the batch, so two runs may differ in some tokens.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedConfig, PreTrainedTokenizerFast

from common.core import distributed, signals
from common.core.errors import UserError, first_line
from common.core.files import sha256_texts, shown
from common.core.progress import waiting
from common.core.signals import Interrupted
from common.core.vllm_release import USE, require_vllm
from common.generation import vllm_model
from common.generation.config import DecodingConfig
from common.generation.context import require_context
from common.generation.decoder import BatchingDecoder, candidates_of, end_tokens
from common.generation.vllm_model import Weights
from common.models import storage
from common.models.storage import generation_config
from common.runs.candidates import Candidate
from common.tokenization.config import LengthConfig
from common.tokenization.tokenizer import load_tokenizer

DIALOGUES = 512
"""Number of dialogues in a call: vLLM batches them itself, and the last ones of a call leave the GPU partly idle."""
WEIGHTS = {"none": "as stored (16 or 32 bits)", "nf4": "nf4"}
log = logging.getLogger(__name__)


def decoder(
    folder: Path, decoding: DecodingConfig, lengths: LengthConfig | None = None
) -> tuple[BatchingDecoder, PreTrainedTokenizerFast]:
    """Return a decoder (greedy or sampling) that runs the model saved in a folder, and the model's tokenizer.

    `lengths`: the limits of the sources that the decoder gets; without them vLLM keeps room for the longest context that fits.
    Each of several processes runs the model on GPUs of its own. Log-probabilities are those before temperature and top-p.
    Raises UserError without vLLM or a GPU; for an encoder-decoder, beam search and n-gram blocking; as `vllm_model.adapter`,
    `vllm_model.chosen_weights` and `require_context` do; and when vLLM cannot load the model.
    """
    package = _package()
    _require_supported(decoding)
    tokenizer = load_tokenizer(folder)
    with distributed.first_alone():  # which downloads
        place, base = storage.weights(folder)
    config = AutoConfig.from_pretrained(place, trust_remote_code=False)
    _require_causal(place, config)
    longest = None
    if lengths is not None:
        require_context(config, lengths.max_source_tokens, decoding.max_new_tokens)
        longest = lengths.max_source_tokens + decoding.max_new_tokens
    adapter = vllm_model.adapter(folder, config)
    gpus = vllm_model.gpus_of_process(decoding.vllm_gpus)
    weights = vllm_model.chosen_weights(decoding, base, place, vllm_model.memory_of(gpus))
    model = _load(
        package,
        gpus,
        vllm_model.arguments(
            place,
            config,
            decoding,
            dtype=vllm_model.dtype_of(base, adapted=adapter is not None),
            weights=weights,
            rank=adapter.rank if adapter else 0,
            longest=longest,
        ),
    )
    _log_weights(weights, base.quantization if base else "none")
    ends = end_tokens(generation_config(folder, place), tokenizer)
    prompt = import_module("vllm.inputs").TokensPrompt
    if adapter and distributed.rank() == 0:
        _warn_without_effect(package, model, prompt(prompt_token_ids=[ends[0]]), adapter.request)

    def run(sources: Sequence[Sequence[int]], config: DecodingConfig, seed: int) -> list[list[Candidate]]:
        _require_supported(config)
        _require_room(sources, config, longest)
        parts = _parts(config)
        prompts, params = [], []
        for source in sources:
            # The requests of one source follow each other, so that they share its KV cache.
            for number, part in enumerate(parts):
                prompts.append(prompt(prompt_token_ids=list(source)))
                params.append(_sampling(package, part, _seed(seed, number, source), ends))
        found = _generate(model, prompts, params, adapter.request if adapter else None)
        pooled: list[list[Candidate]] = [[] for _ in sources]
        for number, part in enumerate(parts):
            outputs = [output for request in found[number :: len(parts)] for output in request.outputs]
            generated = [list(output.token_ids) for output in outputs]
            groups = candidates_of(generated, [_logprob(output) for output in outputs], tokenizer, part, ends)
            pooled = [first + second for first, second in zip(pooled, groups, strict=True)]
        return pooled

    return BatchingDecoder(run, DIALOGUES, f"vllm, weights {weights}"), tokenizer


def _package() -> Any:
    """Import vLLM. Raises UserError when it or a GPU is missing."""
    other = "use --engine hf, or --engine ctranslate2 for BART and mBART on a CPU"
    if not torch.cuda.is_available():
        raise UserError(f"--engine vllm needs a CUDA GPU, and this machine has none; {other}.")
    require_vllm()
    for name, value in vllm_model.ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        return import_module("vllm")
    except ImportError as error:
        raise UserError(f"--engine vllm: {error}; run: {USE} (or {other}).") from None


def _require_supported(config: DecodingConfig) -> None:
    config.require_consistent()
    if not config.temperature and config.beams > 1:
        raise UserError(
            f"--engine vllm does not support --beams {config.beams}, because vLLM's length penalty counts the prompt too. "
            "Use --beams 1 --candidates 1 with --samples, or --temperature above 0, or --engine hf."
        )
    if config.no_repeat_ngram:
        raise UserError("--engine vllm cannot block n-grams; use --no-repeat-ngram 0 or --engine hf.")


def _require_causal(weights: Path, config: PreTrainedConfig) -> None:
    if config.is_encoder_decoder:
        raise UserError(
            f"--engine vllm only decodes causal models, but {shown(weights)} is an encoder-decoder "
            f"({config.model_type}): use --engine ctranslate2 (BART, mBART) or --engine hf."
        )


def _require_room(sources: Sequence[Sequence[int]], config: DecodingConfig, longest: int | None) -> None:
    most = max(map(len, sources), default=0)
    if longest is not None and most + config.max_new_tokens > longest:
        raise UserError(
            f"--engine vllm keeps room for {longest} tokens (--max-source-tokens and --max-new-tokens), but a source of "
            f"{most} tokens and its summary of up to {config.max_new_tokens} need {most + config.max_new_tokens}; "
            "raise one of the two."
        )


def _load(package: Any, gpus: list[int], arguments: dict[str, Any]) -> Any:
    """Return vLLM's LLM, whose own process sees only these GPUs. Raises UserError when vLLM refuses or fails."""
    name = Path(arguments["model"]).name
    try:
        with waiting(f"load {name} into vLLM"), vllm_model.own_gpus(gpus):
            return package.LLM(**arguments)
    except (
        Exception
    ) as error:  # vLLM raises many types, and its own process reports the cause on the terminal
        raise UserError(
            f"--engine vllm cannot load {name} ({type(error).__name__}: {first_line(error)}). If memory is short, use "
            "--vllm-quantization trained, or --vllm-gpus N to share the model among N GPUs; otherwise use --engine hf."
        ) from error


def _log_weights(weights: Weights, trained: str) -> None:
    if trained != "none" and distributed.rank() == 0:
        log.info(
            "vLLM decodes with weights %s; training held them as %s (--vllm-quantization).",
            WEIGHTS[weights],
            trained,
        )


def _warn_without_effect(package: Any, model: Any, prompt: Any, adapter: Any) -> None:
    """Warn when the adapters change nothing: vLLM ignores adapters of layers that it does not find."""
    params = package.SamplingParams(
        temperature=0.0, max_tokens=1, ignore_eos=True, logprobs=0, detokenize=False
    )
    adapted, bare = (_generate(model, [prompt], [params], one)[0].outputs[0] for one in (adapter, None))
    if list(adapted.token_ids) == list(bare.token_ids) and _logprob(adapted) == _logprob(bare):
        log.warning(
            "warning: the adapters change nothing in vLLM's answer to a test; compare a few summaries with --engine hf."
        )


def _parts(config: DecodingConfig) -> list[DecodingConfig]:
    """Return the settings of the requests for each source: its candidates, then its samples."""
    if not config.samples:
        return [config]
    sampling = replace(config, candidates=config.samples, temperature=config.samples_temperature)
    return [config, sampling]


def _seed(seed: int, number: int, source: Sequence[int]) -> int:
    """Return the seed of a request: it depends on nothing but the run's seed, the source and the request's number."""
    return int(sha256_texts([str(seed), str(number), *map(str, source)])[:15], 16)


def _sampling(package: Any, config: DecodingConfig, seed: int, ends: Sequence[int]) -> Any:
    """Return the sampling parameters of one request."""
    return package.SamplingParams(
        n=config.candidates,
        temperature=config.temperature,
        top_p=config.top_p if config.temperature else 1.0,
        repetition_penalty=config.repetition_penalty,
        max_tokens=config.max_new_tokens,
        seed=seed,  # vLLM adds i for sample i
        ignore_eos=True,  # only the tokens of `decoder.end_tokens` end a summary
        stop_token_ids=list(ends),
        logprobs=0,  # 0: only those of the chosen tokens
        detokenize=False,
    )


def _generate(model: Any, prompts: list[Any], params: list[Any], adapter: Any) -> list[Any]:
    """Return vLLM's answers in the order of the prompts. Raises UserError when vLLM fails."""
    try:
        found: list[Any] = model.generate(prompts, params, lora_request=adapter, use_tqdm=False)
    except (
        Exception
    ) as error:  # vLLM raises many types, and its own process reports the cause on the terminal
        number = signals.pending()
        if number is not None:  # Ctrl-C in a terminal also ends vLLM's own process
            raise Interrupted(number) from error
        raise UserError(
            f"--engine vllm stopped ({type(error).__name__}: {first_line(error)}); finished dialogues are kept. Run this "
            "again, or use --engine hf."
        ) from error
    return found


def _logprob(output: Any) -> float:
    steps = zip(output.token_ids, output.logprobs, strict=True)
    return float(sum(step[token].logprob for token, step in steps))
