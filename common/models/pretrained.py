"""Load pretrained weights with the precision, attention and quantization that suit the settings and the hardware."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.utils import is_flash_attn_2_available
from transformers.utils.logging import disable_progress_bar

from common.core import distributed
from common.core.distributed import first_alone
from common.core.errors import UserError, first_line
from common.core.files import read_json, sha256_file, shown
from common.core.memory import advise_when_out_of_memory
from common.core.progress import waiting
from common.models import architecture, hub
from common.models.architecture import Architecture, require_architecture
from common.models.config import PREFIX, PretrainedConfig
from common.models.hardware import require_bfloat16, require_memory
from common.models.hub import PINNED, ModelSource
from common.models.known import require_no_revision
from common.models.skeleton import (
    refuse_other_shapes,
    require_all_weights,
    require_embeddings,
    require_known_ids,
    require_settings,
    without_weights,
)
from common.models.text_parts import freeze_other_parts
from common.models.tiny import tiny
from common.models.weight_files import weights_sha256
from common.tokenization.tokenizer import load_tokenizer


def load_pretrained(
    config: PretrainedConfig,
    kind: Architecture | None = None,
    *,
    frozen: bool,
    sharded: bool = False,
    together: bool = True,
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Load a pretrained model onto this process's device; return it with its tokenizer.

    `kind`: the required architecture; None accepts both.
    `frozen`: only adapters will be trained, so the weights may have 16, 8 or 4 bits.
    `sharded`: training will shard the weights over GPUs that cannot hold them all. The first process keeps them on the
    CPU, the others get a model on the meta device, without weights.
    `together`: every process makes this call, so the first one downloads and the others wait.
    `model.base_source` is the `source_record` of the weights.
    Raises UserError before any work when the hardware is insufficient, the weights cannot be found, they have another
    architecture, or the model does not support the settings or the tokenizer's ids; later when memory runs out.
    """
    require_hardware(config)
    if config.quantization != "none" and not frozen:
        raise UserError(
            f"--quantization {config.quantization} gives weights that cannot be trained; add LoRA adapters."
        )
    with first_alone() if together else nullcontext():
        source = locate(config, kind)
    if kind:
        require_architecture(source.folder, kind)
    tokenizer = pretrained_tokenizer(source.folder)
    loader, dtype, attention = require_supported(config, source.folder, tokenizer, frozen=frozen)
    settings: dict[str, Any] = {"attn_implementation": attention}
    if config.quantization == "nf4":
        settings["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    elif config.quantization == "int8":
        settings["quantization_config"] = BitsAndBytesConfig(load_in_8bit=True)
    disable_progress_bar()
    smaller = (
        "load the weights in 4 bits with --quantization nf4, or "
        if config.quantization == "none" and frozen
        else ""
    )
    with (
        waiting(f"load {source.name}"),
        advise_when_out_of_memory(f"{smaller}choose a smaller --model (now {config.model})."),
        refuse_other_shapes(source.folder),
    ):
        if sharded and distributed.rank() and config.quantization == "none":
            model = without_weights(loader, source.folder, attention, dtype)
        else:
            model, report = loader.from_pretrained(
                source.folder,
                dtype=dtype,
                device_map={"": "cpu" if sharded else device()},
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                **settings,
            )
            require_all_weights(model, report["missing_keys"], source.folder)
    keep_gradients_on_cpu(model)
    set_start_token(model)
    drop_decoding_defaults(model)
    if not frozen:
        freeze_other_parts(model)
    if config.gradient_checkpointing:
        # The new name where transformers has it, which warns of the old one.
        getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)(
            {"use_reentrant": False}
        )
    model.base_source = source_record(source)
    return model, tokenizer


def require_supported(
    config: PretrainedConfig, folder: Path, tokenizer: PreTrainedTokenizerFast, *, frozen: bool
) -> tuple[Any, torch.dtype, str | None]:
    """Return how to load the weights: transformers' loader, their type, and the attention implementation.

    Raises UserError when the model does not support the settings or the tokenizer's ids, without reading the weights.
    """
    loader, dtype = _loader(folder), _dtype(config, frozen)
    model, attention = require_settings(folder, loader, config, _attention(config.attention, dtype))
    require_embeddings(model, tokenizer, folder)
    require_known_ids(model, folder)
    return loader, dtype, attention


def _loader(folder: Path) -> Any:
    return AutoModelForSeq2SeqLM if architecture.architecture(folder) == "seq2seq" else AutoModelForCausalLM


def source_record(source: ModelSource) -> dict[str, str | None]:
    """Return what identifies the weights: name, commit, the sha256 of config.json and `weights_sha256`."""
    return {
        "model": source.name,
        "commit": source.commit,
        "config_sha256": sha256_file(source.folder / "config.json"),
        "weights_sha256": weights_sha256(source.folder),
    }


def set_language(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, language: str) -> None:
    """Make a multilingual encoder-decoder (mBART) start every summary with the token of a language such as ko_KR."""
    model.generation_config.forced_bos_token_id = tokenizer.convert_tokens_to_ids(language)


def locate(config: PretrainedConfig, kind: Architecture | None = None) -> ModelSource:
    """Return where the weights are, after downloading or creating them if necessary.

    `kind`: download only a model of this architecture.
    Raises UserError as `hub.locate` does, for a revision of a model that does not come from the hub, and before weights
    are downloaded that do not support the settings.
    """
    require_no_revision(config.model, config.revision)
    if config.model.startswith(PREFIX):
        return ModelSource(tiny(config.model), config.model, None)

    def check(folder: Path) -> None:
        require_settings(folder, _loader(folder), config, _attention(config.attention, torch.bfloat16))

    return hub.locate(config.model, config.revision or PINNED.get(config.model), kind, check)


def pretrained_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Load the tokenizer of a pretrained model; without a padding token, it pads with its unknown or end token.

    A tokenizer without an end token gets the one that config.json names (KoGPT2). Raises UserError when that has none either,
    and when the tokenizer cannot be read.
    """
    # AutoTokenizer goes by the model type: with a BART config it loads a Korean tokenizer as an English one, which
    # silently drops all Hangul. It is only needed without a tokenizer.json, to convert sentencepiece.
    converted = (folder / "tokenizer.json").exists()
    try:
        tokenizer = (
            load_tokenizer(folder)
            if converted
            else AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        )
    except Exception as error:  # its libraries raise many types for files that they cannot read
        raise UserError(
            f"{shown(folder)}: transformers cannot read the tokenizer ({first_line(error)}). Copy its files again, or "
            "choose another --model."
        ) from error
    if tokenizer.eos_token is None and (folder / "config.json").is_file():
        config = read_json(folder / "config.json")
        end = config.get("eos_token_id", config.get("text_config", {}).get("eos_token_id"))
        end = end[0] if isinstance(end, list) and end else end
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(end) if isinstance(end, int) else None
    if tokenizer.eos_token is None:
        raise UserError(
            f"the tokenizer in {folder} has no eos_token, so summaries would never end; "
            "set it in its tokenizer_config.json."
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    return tokenizer


def device() -> torch.device:
    """Return this process's GPU, or the CPU without GPUs. Raises UserError when there are fewer GPUs than processes."""
    number = distributed.gpu()
    return torch.device("cpu") if number is None else torch.device("cuda", number)


def use_tf32() -> None:
    """Let GPUs multiply float32 matrices as TF32 (10 bits of precision), which is several times as fast."""
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high")


def require_hardware(config: PretrainedConfig) -> None:
    """Raise UserError when the settings need a GPU, or a larger or newer one than this machine has."""
    if not config.gpu_memory:
        return
    found = 0.0
    if torch.cuda.is_available():
        found = torch.cuda.get_device_properties(device()).total_memory / 2**30
    if found:
        require_bfloat16(config, supported=torch.cuda.is_bf16_supported(including_emulation=False))
    require_memory(config, found)


def _dtype(config: PretrainedConfig, frozen: bool) -> torch.dtype:
    if config.dtype != "auto":
        chosen: torch.dtype = getattr(torch, config.dtype)
        return chosen
    return torch.bfloat16 if frozen and computes_in_bf16() else torch.float32


def computes_in_bf16() -> bool:
    """Return whether this process's device multiplies bfloat16 matrices faster than float32 ones."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _attention(choice: str, dtype: torch.dtype) -> str | None:
    """Return the attention implementation to ask for; None lets transformers choose: sdpa where the model supports it."""
    if choice != "auto":
        return choice
    if dtype == torch.float32 or not torch.cuda.is_available() or not is_flash_attn_2_available():
        return None
    # FlashAttention 2 needs 16-bit weights and an Ampere GPU or newer.
    return "flash_attention_2" if torch.cuda.get_device_capability(device())[0] >= 8 else None


def set_start_token(model: PreTrainedModel) -> None:
    """Name the token that a summary starts with in the config of an encoder-decoder that lacks it (T5Gemma).

    Its own loss starts with the decoder's bos_token_id. Raises UserError when there is none either.
    """
    config = model.config
    if not config.is_encoder_decoder or getattr(config, "decoder_start_token_id", None) is not None:
        return
    start = getattr(getattr(config, "decoder", None), "bos_token_id", None)
    start = getattr(config, "bos_token_id", None) if start is None else start
    if start is None:
        raise UserError(
            f"{shown(Path(config.name_or_path) / 'config.json')}: no decoder_start_token_id and no bos_token_id, so "
            "a summary cannot start; set one of them."
        )
    config.decoder_start_token_id = model.generation_config.decoder_start_token_id = start


def drop_decoding_defaults(model: PreTrainedModel) -> None:
    """Remove the decoding settings that come with the weights, such as a repetition penalty or a minimum length.

    `generate` would use them wherever our settings are at their defaults. Start and end tokens stay.
    """
    original = model.generation_config
    model.generation_config = GenerationConfig(
        decoder_start_token_id=original.decoder_start_token_id,
        forced_bos_token_id=original.forced_bos_token_id,
        eos_token_id=original.eos_token_id,
    )


def keep_gradients_on_cpu(model: PreTrainedModel) -> None:
    """Keep bitsandbytes from packing 4-bit weights on a CPU.

    A forward pass without gradients packs them in place, after which training silently gets no gradients
    (bitsandbytes 0.50 on processors with AVX512-BF16).
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
