"""Saving a model for inference and loading it again: whole, or its adapter with the name of its base."""

import copy
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

from common import hub
from common.errors import UserError
from common.files import read_json, shown, write_json
from common.models.adapters import grow_embeddings
from common.models.pretrained import (
    PretrainedConfig,
    computes_in_bf16,
    device,
    locate,
    pretrained,
    pretrained_tokenizer,
    require_hardware,
    source_record,
)
from common.tokenization import load_tokenizer

BASE = "base.json"


def save(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    base: PretrainedConfig | None = None,
    weights: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write weights (safetensors), config and tokenizer into a folder that exists.

    Of a model with adapters only those are written, with `base` and the fingerprint of what they were trained on.
    `weights`: all of them, for a model that holds only a share.
    """
    disable_progress_bar()
    tokenizer.save_pretrained(folder)
    if not isinstance(model, PeftModel):
        model.save_pretrained(folder, state_dict=weights)
    elif base is None:
        raise ValueError("an adapter is of no use without the name of its base")
    else:
        # Rows of added tags are in the adapter.
        model.save_pretrained(folder, save_embedding_layers=False, state_dict=weights)
        model.generation_config.save_pretrained(folder)
        write_json(folder / BASE, {"config": asdict(base), "source": model.get_base_model().base_source})


def save_base(config: PretrainedConfig, kind: hub.Architecture, folder: Path) -> None:
    """Write only where pretrained weights are, for an experiment that trains none.

    Raises UserError when the hardware does not suffice, the weights are nowhere to be had, or they are not of this
    kind.
    """
    require_hardware(config)
    source = locate(config, kind)
    hub.require(source.folder, kind)
    pretrained_tokenizer(source.folder).save_pretrained(folder)
    write_json(folder / BASE, {"config": asdict(config), "source": source_record(source)})


def load(
    folder: Path, *, together: bool = True, **changes: Any
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The model saved in a folder, on the best device, in evaluation mode, and its tokenizer.

    `together`: every process calls this, so that one downloads and the others wait.
    `changes` replace settings of an adapter's base (another local copy of it, another precision).
    Raises UserError when the base is not the one the adapter was trained on, and OSError when nothing is there.
    """
    disable_progress_bar()
    tokenizer = load_tokenizer(folder)
    if (folder / BASE).exists():
        return _on_base(folder, tokenizer, together, changes), tokenizer
    config = AutoConfig.from_pretrained(folder)
    loader = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    model = loader.from_pretrained(folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False)
    return model.to(device()).eval(), tokenizer


def _on_base(
    folder: Path, tokenizer: PreTrainedTokenizerFast, together: bool, changes: dict[str, Any]
) -> PreTrainedModel:
    config, source = recorded_base(folder)
    config = replace(config, gradient_checkpointing=False)
    if device().type == "cpu" and config.quantization == "none":
        changes = {"dtype": "float32"} | changes  # adapters merge in these; `lighter` decides on 16 bits
    if "model" in changes:
        changes = {"revision": None} | changes  # the recorded one is of the other place
    model, _ = pretrained(replace(config, **changes), frozen=True, together=together)
    require_same_base(folder, source, model.base_source)
    grow_embeddings(model, tokenizer)
    if (folder / GENERATION_CONFIG_NAME).exists():  # which token a summary begins with
        model.generation_config = GenerationConfig.from_pretrained(folder)
    if not (folder / "adapter_config.json").exists():
        return model.eval()
    return PeftModel.from_pretrained(model, folder, is_trainable=False).eval()


def recorded_base(folder: Path) -> tuple[PretrainedConfig, dict[str, str | None]]:
    """An adapter's base as it was trained on: how to load it, at the recorded commit, and its `source_record`."""
    saved = read_json(folder / BASE)
    config = PretrainedConfig(**saved["config"])
    # A folder that was put in the hub's place since has no commits; `require_same_base` compares what is in it.
    revision = None if hub.is_local(config.model) else saved["source"]["commit"] or config.revision
    return replace(config, revision=revision), saved["source"]


def require_same_base(folder: Path, wanted: dict[str, str | None], found: dict[str, str | None]) -> None:
    """Raises UserError when the weights found are not those that the folder's adapter was trained on.

    Records from before the weights were looked at have the sha256 of config.json alone.
    """
    for part, key in (("config.json", "config_sha256"), ("weights", "weights_sha256")):
        before, now = wanted.get(key), found.get(key)
        if before and now and before != now:
            raise UserError(
                f"{shown(folder)} is an adapter for {wanted['model']} ({part} {before[:12]}), and {found['model']} is "
                f"another model ({now[:12]}). Put the former back, or train anew with restart=1."
            )


def merged(model: PreTrainedModel) -> PreTrainedModel:
    """The base with its adapters added into the weights, which must be 16- or 32-bit; score it anew.

    A model without adapters is returned as it is.
    Raises UserError for a quantized base: merging into 4 bits loses what was learnt.
    """
    if not isinstance(model, PeftModel):
        return model
    base = model.get_base_model()
    if getattr(base, "is_quantized", False) or getattr(base, "hf_quantizer", None) is not None:
        raise UserError(
            "adapters merge into 16-bit weights only; load the run with --quantization none first."
        )
    return model.merge_and_unload()


def whole(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """`load`, with adapters merged, as it decodes fastest. Raises UserError as `load` does."""
    model, tokenizer = load(folder, quantization="none")
    return lighter(merged(model)), tokenizer


def for_evaluation(model: PreTrainedModel) -> PreTrainedModel:
    """A copy of a model that is being trained, as `whole` would load it; the model itself where a copy does not pay.

    Of a causal model on a CPU alone: single steps through adapters take several times as long as without them there.
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
        return lighter(merged(copied)).eval()


def lighter(model: PreTrainedModel) -> PreTrainedModel:
    """A model that is only going to decode, in bfloat16 where this process's CPU computes in it; elsewhere as it is.

    A causal one alone, which took half the time so. Merge adapters before: what they add is rounded once then.
    """
    if device().type == "cpu" and computes_in_bf16() and not model.config.is_encoder_decoder:
        # Not model.to: it would round the rotary frequencies as well, by which distant tokens are far off.
        for parameter in model.parameters():
            parameter.data = parameter.data.to(torch.bfloat16)
    return model
