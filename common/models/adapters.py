"""Add LoRA adapters: choose the layers to adapt in each architecture, and train tokens for speaker tags."""

from collections.abc import Sequence

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from tokenizers import AddedToken
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from common.core.errors import UserError
from common.models.config import LoRAConfig

_ATTENTION = (
    {"q_proj", "k_proj", "v_proj", "o_proj", "out_proj"}  # Llama, Qwen, Gemma; out_proj is BART's
    | {"q", "k", "v", "o"}  # T5
    | {"query_key_value", "qkv_proj", "c_attn", "dense"}  # fused: GPT-NeoX, Phi-3, GPT-2
)


def linear_layers(model: PreTrainedModel) -> list[str]:
    """Return the last parts of the names of all linear layers except the output layer, sorted; quantized ones included."""
    head = model.get_output_embeddings()
    return sorted(
        {
            name.rsplit(".", 1)[-1]
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and module is not head
        }
    )


def lora_targets(model: PreTrainedModel, wanted: Sequence[str]) -> list[str]:
    """Return the layer names in this architecture that `wanted` stands for, sorted.

    Raises UserError, which lists the linear layers, when an item of `wanted` matches none.
    """
    present = linear_layers(model)
    chosen: set[str] = set()
    for want in wanted:
        names = {
            "all": set(present),
            "attention": _ATTENTION & set(present),
        }.get(want, {want} & set(present))
        if not names:
            raise UserError(
                f"--targets {want}: no layer of {type(model).__name__} matches; "
                f"wanted attention, all, or names among {', '.join(present)}."
            )
        chosen |= names
    return sorted(chosen)


def add_tags(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, tags: Sequence[str]) -> list[int]:
    """Make each tag one token in the tokenizer and the embeddings; return the ids of the new tokens.

    They are normal tokens, because special ones would be skipped when a summary is decoded.
    """
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
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        # Without weights (on the meta device) there is no mean.
        model.resize_token_embeddings(len(tokenizer), mean_resizing=model.device.type != "meta")


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
    rows = add_tags(model, tokenizer, tags) if config.added_tags else []
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    task = TaskType.SEQ_2_SEQ_LM if model.config.is_encoder_decoder else TaskType.CAUSAL_LM
    return get_peft_model(
        model,
        LoraConfig(
            r=config.rank,
            lora_alpha=config.alpha,
            lora_dropout=config.dropout,
            target_modules=targets,
            trainable_token_indices=_trained_rows(model, rows),
            task_type=task,
        ),
    )
