"""Save a model for inference, find its files, and load it: all weights, or an adapter with a reference to its base."""

import copy
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch.distributed.fsdp import FSDPModule
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.utils import GENERATION_CONFIG_NAME
from transformers.utils.logging import disable_progress_bar

from common.core.errors import UserError
from common.core.files import read_json, shown, write_json
from common.models.adapters import grow_embeddings
from common.models.architecture import Architecture, require_architecture
from common.models.config import PretrainedConfig
from common.models.hub import is_local
from common.models.pretrained import (
    computes_in_bf16,
    device,
    load_pretrained,
    locate,
    pretrained_tokenizer,
    require_hardware,
    require_supported,
    set_start_token,
    source_record,
    use_tf32,
)
from common.tokenization.tokenizer import load_tokenizer

BASE = "base.json"
ADAPTER = "adapter_config.json"


def save_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    base: PretrainedConfig | None = None,
    weights: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write weights (safetensors), config and tokenizer into an existing folder.

    For a model with adapters, this writes only the adapters, `base` and the `source_record` of the base's weights.
    `weights`: the full weights of a sharded model.
    Raises ValueError for a model with adapters and no `base`.
    """
    disable_progress_bar()
    save_tokenizer(tokenizer, folder)
    if not isinstance(model, PeftModel):
        model.save_pretrained(folder, state_dict=weights)
    elif base is None:
        raise ValueError("saving an adapter needs `base`, without which it cannot be loaded")
    else:
        # Without the embedding layers: the adapter contains the rows of added tags.
        model.save_pretrained(folder, save_embedding_layers=False, state_dict=weights)
        model.generation_config.save_pretrained(folder)
        adapter = read_json(folder / ADAPTER)
        # peft keeps sets, whose order differs from run to run
        lists = {
            key: sorted(adapter[key])
            for key in ("target_modules", "target_parameters")
            if isinstance(adapter.get(key), list)
        }
        write_json(folder / ADAPTER, adapter | lists)
        write_json(folder / BASE, {"config": asdict(base), "source": model.get_base_model().base_source})


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a tokenizer without the options with which it was loaded, so that the same training writes the same files."""
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    settings = read_json(path)
    write_json(path, {k: v for k, v in settings.items() if k not in ("is_local", "local_files_only")})


def save_base(config: PretrainedConfig, kind: Architecture, folder: Path) -> None:
    """Write a reference to pretrained weights and their tokenizer, for an experiment that does not train.

    Raises UserError when the hardware is insufficient, the weights cannot be found, they have another architecture, or the
    model does not support the settings or the tokenizer's ids.
    """
    require_hardware(config)
    source = locate(config, kind)
    require_architecture(source.folder, kind)
    tokenizer = pretrained_tokenizer(source.folder)
    require_supported(config, source.folder, tokenizer, frozen=True)
    save_tokenizer(tokenizer, folder)
    write_json(folder / BASE, {"config": asdict(config), "source": source_record(source)})


def load_model(
    folder: Path, *, together: bool = True, **changes: Any
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Load the model saved in a folder, in evaluation mode on this process's device; return it with its tokenizer.

    `together`: every process makes this call, so the first one downloads and the others wait.
    `changes`: settings of an adapter's base to override (another local copy of it, another precision).
    Raises UserError when the base is not the one that the adapter was trained on, and OSError when there is no model.
    """
    disable_progress_bar()
    use_tf32()
    tokenizer = load_tokenizer(folder)
    if (folder / BASE).exists():
        return _on_base(folder, tokenizer, together, changes), tokenizer
    config = AutoConfig.from_pretrained(folder)
    loader = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    dtype = decoding_dtype(device(), causal=not config.is_encoder_decoder)
    model = loader.from_pretrained(folder, dtype=dtype, use_safetensors=True, trust_remote_code=False)
    set_start_token(model)
    return model.to(device()).eval(), tokenizer


def decoding_dtype(where: torch.device, *, causal: bool) -> torch.dtype:
    """Return the type of fully trained weights that will only decode on a device.

    bfloat16 for a causal model on a GPU that computes in it: half the memory, and decoding is faster. On a CPU
    `to_bfloat16_on_cpu` converts later.
    """
    return torch.bfloat16 if causal and where.type == "cuda" and computes_in_bf16() else torch.float32


def load_merged(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Load the model saved in a folder with merged adapters, in the precision that decodes fastest.

    Raises UserError as `load_model` and `merge_adapters` do.
    """
    model, tokenizer = load_model(folder, quantization="none")
    return to_bfloat16_on_cpu(merge_adapters(model)), tokenizer


def weights(folder: Path) -> tuple[Path, PretrainedConfig | None]:
    """Return the folder of the weights, downloaded if necessary, and the settings of the base if they belong to one.

    Raises UserError when the base cannot be found or is not the one that the adapter was trained on.
    """
    if not (folder / BASE).exists():
        return folder, None
    config, wanted = recorded_base(folder)
    source = locate(config)
    require_same_base(folder, wanted, source_record(source))
    return source.folder, config


def generation_config(folder: Path, weights: Path) -> GenerationConfig:
    """Load the generation config of a saved model (start and end tokens), from its folder or else from its weights."""
    for place in (folder, weights):
        if (place / GENERATION_CONFIG_NAME).exists():
            return GenerationConfig.from_pretrained(place)
    return GenerationConfig.from_model_config(AutoConfig.from_pretrained(weights, trust_remote_code=False))


def recorded_base(folder: Path) -> tuple[PretrainedConfig, dict[str, str | None]]:
    """Return the base of a saved adapter: the settings to load it at the recorded commit, and its `source_record`."""
    saved = read_json(folder / BASE)
    config = PretrainedConfig(**saved["config"])
    # A local folder that now has the hub id's name has no commits; `require_same_base` compares its content instead.
    revision = None if is_local(config.model) else saved["source"]["commit"] or config.revision
    return replace(config, revision=revision), saved["source"]


def require_same_base(folder: Path, wanted: dict[str, str | None], found: dict[str, str | None]) -> None:
    """Raise UserError when the weights found are not the ones that the folder's adapter was trained on.

    Old records only contain the sha256 of config.json, so only that is compared.
    """
    for part, key in (("config.json", "config_sha256"), ("weights", "weights_sha256")):
        before, now = wanted.get(key), found.get(key)
        if before and now and before != now:
            raise UserError(
                f"{shown(folder)} is an adapter for {wanted['model']} ({part} {before[:12]}), but {found['model']} is "
                f"another model ({now[:12]}). Restore the former, or train again with restart=1."
            )


def merge_adapters(model: PreTrainedModel) -> PreTrainedModel:
    """Return the base with its adapters merged into the weights; a model without adapters is returned unchanged.

    The merged model's scores differ slightly, so evaluate it again.
    Raises UserError for a quantized base, because merging into few bits loses what the adapters learned.
    """
    if not isinstance(model, PeftModel):
        return model
    base = model.get_base_model()
    if getattr(base, "is_quantized", False) or getattr(base, "hf_quantizer", None) is not None:
        raise UserError(
            "adapters can only be merged into 16-bit or 32-bit weights; load the run with --quantization none first."
        )
    tied = base.config.tie_word_embeddings
    with warnings.catch_warnings():
        # peft compares the output layer with the encoder's embeddings, but T5Gemma's is tied to the decoder's.
        warnings.filterwarnings("ignore", "Input and output embeddings are no longer tied")
        merged = model.merge_and_unload()
    merged.config.tie_word_embeddings = tied and _shares_output(merged)
    return merged


def _shares_output(model: PreTrainedModel) -> bool:
    """Return whether the output layer has the same weights as another layer."""
    output = model.get_output_embeddings().weight
    return sum(parameter is output for _, parameter in model.named_parameters(remove_duplicate=False)) > 1


def for_evaluation(model: PreTrainedModel) -> PreTrainedModel:
    """Return a copy of a model in training, as `load_merged` would load it, or the model itself.

    Only a causal model with adapters on a CPU is copied: a decoding step takes several times as long with adapters there.
    """
    if not isinstance(model, PeftModel) or isinstance(model, FSDPModule):
        return model
    base = model.get_base_model()
    if base.device.type != "cpu" or base.config.is_encoder_decoder or getattr(base, "is_quantized", False):
        return model
    copied = copy.deepcopy(model)
    for parameter in copied.parameters():
        parameter.data = parameter.data.float()
    with torch.autocast("cpu", enabled=False):
        return to_bfloat16_on_cpu(merge_adapters(copied)).eval()


def to_bfloat16_on_cpu(model: PreTrainedModel) -> PreTrainedModel:
    """Convert a causal model that will only decode to bfloat16, in place, if this process's CPU computes in it; return it.

    This halved the decoding time. Other models are returned unchanged. Merge adapters first, so that the sum of weights
    and adapters is rounded only once.
    """
    if device().type == "cpu" and computes_in_bf16() and not model.config.is_encoder_decoder:
        # Not model.to: it also rounds the rotary frequencies, which makes large errors at distant positions.
        for parameter in model.parameters():
            parameter.data = parameter.data.to(torch.bfloat16)
    return model


def _on_base(
    folder: Path, tokenizer: PreTrainedTokenizerFast, together: bool, changes: dict[str, Any]
) -> PreTrainedModel:
    config, source = recorded_base(folder)
    config = replace(config, gradient_checkpointing=False)
    if device().type == "cpu" and config.quantization == "none":
        changes = {"dtype": "float32"} | changes  # for merging adapters; `to_bfloat16_on_cpu` converts later
    if "model" in changes:
        changes = {"revision": None} | changes  # the recorded revision belongs to the recorded model
    model, _ = load_pretrained(replace(config, **changes), frozen=True, together=together)
    require_same_base(folder, source, model.base_source)
    if (folder / ADAPTER).exists() and read_json(folder / ADAPTER).get("trainable_token_indices"):
        grow_embeddings(model, tokenizer)  # for added tags
    if (folder / GENERATION_CONFIG_NAME).exists():  # it has the start token of a summary
        model.generation_config = GenerationConfig.from_pretrained(folder)
    if not (folder / ADAPTER).exists():
        return model.eval()
    with warnings.catch_warnings():
        # The layers of GPT-2 are transposed in 16 bits and not in 4 bits; peft notices, and does what is right for both.
        warnings.filterwarnings("ignore", "fan_in_fan_out")
        return PeftModel.from_pretrained(model, folder, is_trainable=False).eval()
