"""LoRA adapters: where they go in each architecture, added tags, merging."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from tokenizers import AddedToken
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from common.errors import UserError

_ATTENTION = (
    {"q_proj", "k_proj", "v_proj", "o_proj", "out_proj"}  # Llama, Qwen, Gemma; BART says out_proj
    | {"q", "k", "v", "o"}  # T5
    | {"query_key_value", "qkv_proj", "c_attn", "dense"}  # fused: GPT-NeoX, Phi-3, GPT-2
)


@dataclass(frozen=True)
class LoRAConfig:
    """Low-rank adapters (Hu et al. 2021)."""

    rank: int = 16
    """Inner size of an adapter."""
    alpha: int = 32
    """Adapters are scaled by alpha / rank."""
    dropout: float = 0.05
    """Share of an adapter's inputs dropped in training, 0 to 1."""
    targets: tuple[str, ...] = ("attention",)
    """attention: its four projections; all: every linear layer but the output; or names of layers."""
    added_tags: bool = False
    """Give every speaker tag a token and a trained embedding row of its own."""


def linear_layers(model: PreTrainedModel) -> list[str]:
    """Last names of the linear layers, quantized ones too, without the output layer; sorted."""
    head = model.get_output_embeddings()
    return sorted(
        {
            name.rsplit(".", 1)[-1]
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and module is not head
        }
    )


def lora_targets(model: PreTrainedModel, wanted: Sequence[str]) -> list[str]:
    """The layer names that `wanted` means in this architecture.

    Raises UserError, listing the linear layers there are, when one of them means none.
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
                f"wanted attention, all, or some of {', '.join(present)}."
            )
        chosen |= names
    return sorted(chosen)


def add_tags(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, tags: Sequence[str]) -> list[int]:
    """Give the tags tokens of their own, in the tokenizer and as embedding rows; the ids of those that are new.

    As normal tokens: special ones would vanish when a summary is decoded.
    """
    new = [tag for tag in tags if tag not in tokenizer.get_vocab()]
    pieces = [tokenizer.encode(tag, add_special_tokens=False) for tag in new]
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in new])
    grow_embeddings(model, tokenizer)
    rows = [tokenizer.convert_tokens_to_ids(tag) for tag in new]
    # Spare rows of a model were never trained and are all alike: two tags would be one to it.
    with torch.no_grad():
        for matrix in (model.get_input_embeddings().weight, model.get_output_embeddings().weight):
            for row, parts in zip(rows, pieces, strict=True):
                matrix[row] = matrix[parts].mean(0)
    return rows


def grow_embeddings(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """Make room for every token; models often have more rows than tokens already."""
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=True)


def _trained_rows(model: PreTrainedModel, rows: list[int]) -> list[int] | dict[str, list[int]] | None:
    """The rows as PEFT takes them; in the output layer too, where it is not tied to the embedding."""
    read, written = model.get_input_embeddings(), model.get_output_embeddings()
    if not rows or read.weight is written.weight:
        return rows or None
    names = [name for name, module in model.named_modules() if module is read or module is written]
    return {name.rsplit(".", 1)[-1]: rows for name in names}


def add_lora(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    config: LoRAConfig,
    tags: Sequence[str] = (),
) -> PeftModel:
    """The model with fresh adapters, which alone (and the rows of added tags) are trainable.

    Raises UserError when no layer matches `config.targets`, and when tags are to be added and there are none.
    """
    if config.added_tags and not tags:
        raise UserError(
            "--added-tags true: there are no tags to add; this competition's competition.toml names none under [tags], "
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
