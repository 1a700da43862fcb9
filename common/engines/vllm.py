"""Decoding by vLLM: causal models on GPUs, whole or as LoRA adapters on their base.

Written against vLLM's documented Python API (0.11 and later: LLM, SamplingParams, TokensPrompt, LoRARequest).
It wants older packages than training does, hence a virtual environment of its own: what it writes are files like any.
Its numbers depend a little on what else is in the batch, so two runs need not agree to the last token.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedTokenizerFast

from common import processes
from common.candidates import Candidate
from common.decoding import Decoder, DecodingConfig, candidates_of, end_tokens, require_beams, with_samples
from common.engines import saved
from common.errors import UserError
from common.files import read_json, shown
from common.models import PretrainedConfig
from common.tokenization import load_tokenizer

INSTALL = (
    "python3.11 -m venv .venv-vllm && .venv-vllm/bin/pip install -c constraints-vllm.txt -e '.[train,vllm]', then "
    ".venv-vllm/bin/python -m common infer EXPERIMENT --engine vllm"
)
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # what --max-lora-rank may be


def decoder(folder: Path, decoding: DecodingConfig) -> tuple[Decoder, PreTrainedTokenizerFast]:
    """A decoder around the model saved in a folder, and its tokenizer; greedy decoding and sampling.

    Log-probabilities are the model's own: before temperature and top-p. Raises UserError without vLLM or a GPU, for
    an encoder-decoder, beams, n-gram blocking, adapters with trained token rows, and int8 weights.
    """
    package = _package()
    _require_alone()
    _require_no_search(decoding)
    tokenizer = load_tokenizer(folder)
    weights, base = saved.weights(folder)
    _require_causal(weights)
    ends = end_tokens(saved.generation_config(folder, weights), tokenizer)
    adapter, rank = _adapter(folder)
    model = package.LLM(**_arguments(weights, base, rank, decoding.vllm_gpus))
    prompt = import_module("vllm.inputs").TokensPrompt

    @with_samples
    def run(sources: Sequence[Sequence[int]], config: DecodingConfig, seed: int) -> list[list[Candidate]]:
        _require_no_search(config)
        found = model.generate(
            [prompt(prompt_token_ids=list(source)) for source in sources],
            [_sampling(package, config, seed, number, ends) for number in range(len(sources))],
            lora_request=adapter,
            use_tqdm=False,
        )
        outputs = [output for request in found for output in request.outputs]
        generated = [list(output.token_ids) for output in outputs]
        return candidates_of(generated, [_logprob(output) for output in outputs], tokenizer, config, ends)

    return run, tokenizer


def _package() -> Any:
    """vLLM, which is large: imported only here. Raises UserError when it or a GPU is missing."""
    other = "decode with --engine hf, or on a CPU a BART or mBART with --engine ctranslate2"
    if not torch.cuda.is_available():
        raise UserError(f"--engine vllm needs a CUDA GPU and this machine has none; {other}.")
    try:
        return import_module("vllm")
    except ImportError as error:
        raise UserError(f"--engine vllm: {error}; run: {INSTALL} (or {other}).") from None


def _require_alone() -> None:
    if processes.count() > 1:
        raise UserError(
            f"--engine vllm spreads over GPUs by itself; start one process, with --vllm-gpus {processes.count()}."
        )


def _require_no_search(config: DecodingConfig) -> None:
    require_beams(config)
    if not config.temperature and config.beams > 1:
        raise UserError(
            f"--engine vllm does not search with --beams {config.beams}: its length penalty counts the prompt too. "
            "Use --beams 1 --candidates 1 with --samples, --temperature above 0, or --engine hf."
        )
    if config.no_repeat_ngram:
        raise UserError("--engine vllm cannot block n-grams; set --no-repeat-ngram 0, or use --engine hf.")


def _require_causal(weights: Path) -> None:
    config = AutoConfig.from_pretrained(weights, trust_remote_code=False)
    if config.is_encoder_decoder:
        raise UserError(
            f"--engine vllm decodes causal models, and {shown(weights)} is an encoder-decoder ({config.model_type}): "
            "use --engine ctranslate2 (BART, mBART) or --engine hf."
        )


def _adapter(folder: Path) -> tuple[Any, int]:
    """The request for the folder's adapters and their rank; None and 0 when it has none."""
    if not (folder / saved.ADAPTER).exists():
        return None, 0
    config = read_json(folder / saved.ADAPTER)
    if config.get("trainable_token_indices") or config.get("modules_to_save"):
        raise UserError(
            f"{shown(folder)} holds trained token rows (--added-tags), which vLLM cannot load: use --engine hf."
        )
    if config["r"] > RANKS[-1]:
        raise UserError(
            f"{shown(folder)} has adapters of rank {config['r']}; vLLM takes {RANKS[-1]}: use --engine hf."
        )
    return import_module("vllm.lora.request").LoRARequest("best", 1, str(folder)), config["r"]


def _arguments(weights: Path, base: PretrainedConfig | None, rank: int, gpus: int) -> dict[str, Any]:
    """What vLLM's LLM is given. Raises UserError for weights that it cannot quantize as the recipe does."""
    settings: dict[str, Any] = {
        "model": str(weights),
        "skip_tokenizer_init": True,  # prompts and summaries are token ids; it might read the tokenizer otherwise
        "tensor_parallel_size": gpus,
        "logprobs_mode": "raw_logprobs",  # before temperature and top-p
        "dtype": "float32" if base is None else base.dtype,
        "seed": 0,
    }
    if rank:
        settings |= {"enable_lora": True, "max_lora_rank": min(size for size in RANKS if size >= rank)}
    if base is not None and base.quantization == "int8":
        raise UserError(
            "--engine vllm does not quantize to int8 as --quantization int8 does: use --engine hf."
        )
    if base is not None and base.quantization == "nf4":
        settings["quantization"] = "bitsandbytes"  # quantizes while loading: nf4, double
    return settings


def _sampling(package: Any, config: DecodingConfig, seed: int, number: int, ends: Sequence[int]) -> Any:
    """The settings of the prompt with this number; every sample of every prompt draws with a seed of its own."""
    return package.SamplingParams(
        n=config.candidates,
        temperature=config.temperature,
        top_p=config.top_p if config.temperature else 1.0,
        max_tokens=config.max_new_tokens,
        seed=seed % 2**62 + number * config.candidates,  # sample i adds i
        ignore_eos=True,  # the end tokens that count are those of `decoding.end_tokens`
        stop_token_ids=list(ends),
        logprobs=0,  # only of the tokens chosen
        detokenize=False,
    )


def _logprob(output: Any) -> float:
    steps = zip(output.token_ids, output.logprobs, strict=True)
    return float(sum(step[token].logprob for token, step in steps))
