"""Decode causal models with vLLM on GPUs: all weights, or LoRA adapters on their base.

This uses vLLM's documented Python API (0.11 and later: LLM, SamplingParams, TokensPrompt, LoRARequest).
vLLM needs older packages than training does and therefore its own virtual environment; the files it writes are the same.
Its logits depend slightly on the other rows in the batch, so two runs may differ in some tokens.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedTokenizerFast

from common.core import distributed
from common.core.errors import UserError
from common.core.files import read_json, shown
from common.generation.config import DecodingConfig
from common.generation.decoder import Decoder, batch_seed, candidates_of, end_tokens, with_samples
from common.models import storage
from common.models.config import PretrainedConfig
from common.models.storage import ADAPTER, generation_config
from common.runs.candidates import Candidate
from common.tokenization.tokenizer import load_tokenizer

INSTALL = (
    "python3.11 -m venv .venv-vllm && .venv-vllm/bin/pip install -c constraints-vllm.txt -e '.[train,vllm]', then "
    ".venv-vllm/bin/python -m common infer EXPERIMENT --engine vllm"
)
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # the values that vLLM accepts as max_lora_rank


def decoder(folder: Path, decoding: DecodingConfig) -> tuple[Decoder, PreTrainedTokenizerFast]:
    """Return a decoder (greedy or sampling) that runs the model saved in a folder, and the model's tokenizer.

    Log-probabilities are those before temperature and top-p.
    Raises UserError without vLLM or a GPU, and for an encoder-decoder, beam search, n-gram blocking, adapters with
    trained embedding rows, or int8 weights.
    """
    package = _package()
    _require_one_process()
    _require_supported(decoding)
    tokenizer = load_tokenizer(folder)
    weights, base = storage.weights(folder)
    _require_causal(weights)
    ends = end_tokens(generation_config(folder, weights), tokenizer)
    adapter, rank = _adapter(folder)
    model = package.LLM(**_arguments(weights, base, rank, decoding.vllm_gpus))
    prompt = import_module("vllm.inputs").TokensPrompt

    @with_samples
    def run(sources: Sequence[Sequence[int]], config: DecodingConfig, seed: int) -> list[list[Candidate]]:
        _require_supported(config)
        seed = batch_seed(seed, sources)
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
    """Import vLLM. Raises UserError when it or a GPU is missing."""
    other = "use --engine hf, or --engine ctranslate2 for BART and mBART on a CPU"
    if not torch.cuda.is_available():
        raise UserError(f"--engine vllm needs a CUDA GPU, and this machine has none; {other}.")
    try:
        return import_module("vllm")
    except ImportError as error:
        raise UserError(f"--engine vllm: {error}; run: {INSTALL} (or {other}).") from None


def _require_one_process() -> None:
    if distributed.count() > 1:
        raise UserError(
            "--engine vllm uses several GPUs from one process; start it without gpus=N and with "
            f"--vllm-gpus {distributed.count()}."
        )


def _require_supported(config: DecodingConfig) -> None:
    config.require_consistent()
    if not config.temperature and config.beams > 1:
        raise UserError(
            f"--engine vllm does not support --beams {config.beams}, because vLLM's length penalty counts the prompt too. "
            "Use --beams 1 --candidates 1 with --samples, or --temperature above 0, or --engine hf."
        )
    if config.no_repeat_ngram:
        raise UserError("--engine vllm cannot block n-grams; use --no-repeat-ngram 0 or --engine hf.")


def _require_causal(weights: Path) -> None:
    config = AutoConfig.from_pretrained(weights, trust_remote_code=False)
    if config.is_encoder_decoder:
        raise UserError(
            f"--engine vllm only decodes causal models, but {shown(weights)} is an encoder-decoder "
            f"({config.model_type}): use --engine ctranslate2 (BART, mBART) or --engine hf."
        )


def _adapter(folder: Path) -> tuple[Any, int]:
    """Return vLLM's request for the folder's adapters and their rank; None and 0 when it has none."""
    if not (folder / ADAPTER).exists():
        return None, 0
    config = read_json(folder / ADAPTER)
    if config.get("trainable_token_indices") or config.get("modules_to_save"):
        raise UserError(
            f"{shown(folder)} has trained embedding rows (--added-tags), which vLLM cannot load: use --engine hf."
        )
    if config["r"] > RANKS[-1]:
        raise UserError(
            f"{shown(folder)} has adapters of rank {config['r']}, but vLLM supports at most {RANKS[-1]}: use --engine hf."
        )
    return import_module("vllm.lora.request").LoRARequest("best", 1, str(folder)), config["r"]


def _arguments(weights: Path, base: PretrainedConfig | None, rank: int, gpus: int) -> dict[str, Any]:
    """Return the arguments of vLLM's LLM. Raises UserError for a quantization that vLLM does not have."""
    settings: dict[str, Any] = {
        "model": str(weights),
        "skip_tokenizer_init": True,  # we pass token ids; vLLM might load the tokenizer differently
        "tensor_parallel_size": gpus,
        "logprobs_mode": "raw_logprobs",  # before temperature and top-p
        "dtype": "float32" if base is None else base.dtype,
        "seed": 0,
    }
    if rank:
        settings |= {"enable_lora": True, "max_lora_rank": min(size for size in RANKS if size >= rank)}
    if base is not None and base.quantization == "int8":
        raise UserError(
            "--engine vllm cannot load weights with --quantization int8, as this run uses them: use --engine hf."
        )
    if base is not None and base.quantization == "nf4":
        settings["quantization"] = "bitsandbytes"  # quantizes while loading: nf4, double
    return settings


def _sampling(package: Any, config: DecodingConfig, seed: int, number: int, ends: Sequence[int]) -> Any:
    """Return the sampling parameters of one prompt; every sample of every prompt has a different seed."""
    return package.SamplingParams(
        n=config.candidates,
        temperature=config.temperature,
        top_p=config.top_p if config.temperature else 1.0,
        repetition_penalty=config.repetition_penalty,
        max_tokens=config.max_new_tokens,
        seed=seed % 2**62 + number * config.candidates,  # vLLM adds i for sample i
        ignore_eos=True,  # only the tokens of `decoder.end_tokens` end a summary
        stop_token_ids=list(ends),
        logprobs=0,  # 0: only those of the chosen tokens
        detokenize=False,
    )


def _logprob(output: Any) -> float:
    steps = zip(output.token_ids, output.logprobs, strict=True)
    return float(sum(step[token].logprob for token, step in steps))
