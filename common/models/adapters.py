"""Add LoRA adapters: choose the layers to adapt in each architecture, and train tokens for speaker tags."""

import re
from collections.abc import Sequence

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from tokenizers import AddedToken
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from transformers.pytorch_utils import Conv1D
from transformers.utils import logging

from common.core.errors import UserError, first_line
from common.core.provenance import installed_version
from common.models.config import LoRAConfig
from common.models.text_parts import expert_parameters, text_modules


def linear_layers(model: PreTrainedModel) -> list[str]:
    """Return the full names of all linear layers that text goes through, except the output layer; quantized ones included."""
    return [name for name, module in text_modules(model) if isinstance(module, nn.Linear | Conv1D)]


def lora_targets(model: PreTrainedModel, wanted: Sequence[str]) -> list[str]:
    """Return the full names of the layers and expert weights in this architecture that `wanted` stands for, sorted.

    Raises UserError, which lists the layers, when an item of `wanted` matches none.
    """
    layers = linear_layers(model)
    present = [*layers, *expert_parameters(model)]
    chosen: set[str] = set()
    for want in wanted:
        if want == "all":
            names = present
        elif want == "attention":
            names = [name for name in layers if _in_attention(name)]
        else:
            names = [name for name in present if f".{name}".endswith(f".{want}")]
        if not names:
            listed = sorted({name.rsplit(".", 1)[-1] for name in present})
            raise UserError(
                f"--targets {want}: no layer of {type(model).__name__} matches; "
                f"wanted attention, all, or names among {', '.join(listed)}."
            )
        chosen |= set(names)
    return sorted(chosen)


def _in_attention(name: str) -> bool:
    """Return whether a layer belongs to an attention block, such as self_attn, EncDecAttention or linear_attn."""
    parent = name.lower().split(".")[-2:-1]
    return any("attn" in part or "attention" in part for part in parent)


def _pattern(names: Sequence[str]) -> str:
    """Return a regular expression for full names, in which layers differ only in their number.

    Last parts of names are not enough: those of a vision tower are often the same.
    """
    return "|".join(sorted({re.sub(r"(?<=\.)\d+(?=\\?\.)", r"\\d+", re.escape(name)) for name in names}))


def add_tags(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, tags: Sequence[str]) -> list[int]:
    """Make each tag one token in the tokenizer and the embeddings; return the ids of the new tokens.

    They are normal tokens, because special ones would be skipped when a summary is decoded.
    Raises UserError for a model whose embeddings cannot be enlarged, because its encoder and decoder have their own.
    """
    if {"encoder", "decoder"} & set(model.config.sub_configs):
        raise UserError(
            f"--added-tags true: the embeddings of {type(model).__name__} cannot be enlarged; leave --added-tags out."
        )
    new = [tag for tag in tags if tag not in tokenizer.get_vocab()]
    pieces = [tokenizer.encode(tag, add_special_tokens=False) for tag in new]
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in new])
    grow_embeddings(model, tokenizer)
    rows = [tokenizer.convert_tokens_to_ids(tag) for tag in new]
    # A model's unused embedding rows were never trained and may be equal, so that it could not tell tags apart.
    with torch.no_grad():
        for matrix in (model.get_input_embeddings().weight, model.get_output_embeddings().weight):
            for row, parts in zip(rows, pieces, strict=True):
                matrix[row] = matrix[parts].mean(0)
    return rows


def grow_embeddings(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """Enlarge the embeddings to the size of the tokenizer; many models already have more rows than tokens."""
    before = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) <= before:
        return
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # it tells how the new rows begin; `add_tags` and the adapter's file set them
    try:
        # Without weights (on the meta device) there is no mean.
        model.resize_token_embeddings(len(tokenizer), mean_resizing=model.device.type != "meta")
    finally:
        logging.set_verbosity(verbosity)
    main = [layer.weight for layer in (model.get_input_embeddings(), model.get_output_embeddings())]
    for module in model.modules():
        # Gemma 4 has more embeddings, one for each layer. Their new rows are random and not saved with an adapter.
        if (
            isinstance(module, nn.Embedding)
            and len(module.weight) == len(tokenizer)
            and not any(module.weight is weight for weight in main)
        ):
            with torch.no_grad():
                module.weight[before:] = module.weight[:before].mean(0)


def _trained_rows(model: PreTrainedModel, rows: list[int]) -> list[int] | dict[str, list[int]] | None:
    """Return PEFT's `trainable_token_indices`, with the output layer when it is not tied to the embeddings."""
    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    if not rows or inputs.weight is outputs.weight:
        return rows or None
    names = [name for name, module in model.named_modules() if module is inputs or module is outputs]
    return {name.rsplit(".", 1)[-1]: rows for name in names}


def add_lora(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    config: LoRAConfig,
    tags: Sequence[str] = (),
) -> PeftModel:
    """Return the model with new adapters; only these and the embedding rows of added tags are trainable.

    Raises UserError when no layer matches `config.targets`, or `config.added_tags` is set without any `tags`.
    """
    if config.added_tags and not tags:
        raise UserError(
            "--added-tags true: there are no tags to add; this competition's competition.toml has none under [tags], "
            "or this experiment's train.py does not pass run.competition.tags to add_lora. Leave --added-tags out."
        )
    targets = lora_targets(model, config.targets)
    experts = sorted(set(targets) & set(expert_parameters(model)))
    layers = sorted(set(targets) - set(experts))
    if experts and config.dropout:
        raise UserError(
            f"--dropout {config.dropout}: adapters of the experts of {type(model).__name__} cannot use dropout; "
            "use --dropout 0, or leave the experts out with --targets attention."
        )
    transposed = any(isinstance(model.get_submodule(name), Conv1D) for name in layers)
    rows = add_tags(model, tokenizer, tags) if config.added_tags else []
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    task = TaskType.SEQ_2_SEQ_LM if model.config.is_encoder_decoder else TaskType.CAUSAL_LM
    settings = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=_pattern(layers) if layers else [],
        target_parameters=experts or None,
        fan_in_fan_out=transposed,
        trainable_token_indices=_trained_rows(model, rows),
        task_type=task,
    )
    try:
        adapted = get_peft_model(model, settings)
    except ValueError as error:  # such as a layer of Mamba whose kernel does not call it
        raise UserError(
            f"--targets {','.join(config.targets)}: peft {installed_version('peft')} cannot adapt these layers of "
            f"{type(model).__name__} ({first_line(error)}). Choose other layers, such as --targets attention."
        ) from error
    _require_adapted(adapted, targets)
    return adapted


def _require_adapted(model: PeftModel, targets: Sequence[str]) -> None:
    """Raise UserError unless PEFT adapted exactly the layers and expert weights named.

    For some mixture-of-experts models it takes the layers outside the experts for the experts of older releases.
    """
    found = {*model.base_model.targeted_module_names, *model.base_model.targeted_parameter_names}
    if wrong := sorted(found ^ set(targets)):
        raise UserError(
            f"--targets: peft {installed_version('peft')} cannot adapt {len(wrong)} of the chosen layers of "
            f"{type(model.get_base_model()).__name__}, such as {wrong[0]}; use --targets attention."
        )
