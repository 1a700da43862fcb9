"""Compare an adapter that was trained elsewhere with its base: its tensors, its tokenizer and its chat template."""

import warnings
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, get_peft_model, get_peft_model_state_dict
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, PreTrainedTokenizerFast

from common.core.errors import UserError, first_line
from common.core.files import read_regular, shown, unreadable
from common.core.messages import brief, listed
from common.models.adapters import grow_embeddings
from common.models.architecture import architecture
from common.models.config import PretrainedConfig
from common.models.foreign_adapter import CONFIG, TASKS, WEIGHTS, ForeignAdapter
from common.models.pretrained import pretrained_tokenizer
from common.models.skeleton import without_weights

TOKENIZER, TEMPLATE = "tokenizer.json", "chat_template.jinja"


def tokenizer_of(
    folder: Path, bases: PreTrainedTokenizerFast
) -> tuple[PreTrainedTokenizerFast, dict[str, Any]]:
    """Return the tokenizer that was saved beside the adapter, else that of its base, and where it and its chat template are from."""
    own = (folder / TOKENIZER).is_file()
    try:
        tokenizer = pretrained_tokenizer(folder) if own else bases
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{shown(folder / TOKENIZER)}: cannot be loaded ({first_line(error)}); copy it again."
        ) from error
    before, where = bases.chat_template, "adapter" if own and tokenizer.chat_template else "base"
    if not own and (template := _template(folder / TEMPLATE)):
        tokenizer.chat_template, where = template, "adapter"
    if not tokenizer.chat_template:
        tokenizer.chat_template = before
    return tokenizer, {
        "tokenizer": "adapter" if own else "base",
        "chat_template": where,
        "same_chat_template": tokenizer.chat_template == before,
    }


def _template(path: Path) -> str:
    """Return the text of a chat template; "" when there is none."""
    try:
        return read_regular(path).decode("utf-8") if path.exists() else ""
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{shown(path)}: is not UTF-8 text; copy it again.") from error


def require_finite(adapter: ForeignAdapter) -> None:
    """Raise UserError when a weight is NaN or infinite, as after a training that diverged."""
    with safe_open(adapter.folder / WEIGHTS, framework="pt") as weights:
        for name in adapter.shapes:
            if not weights.get_tensor(name).isfinite().all():
                raise UserError(
                    f"{shown(adapter.folder / WEIGHTS)}: {brief(name, 100)} has a NaN or an infinite number, as after a training "
                    "that diverged; use an earlier checkpoint."
                )


def expected_tensors(
    adapter: ForeignAdapter, base: Path, config: PretrainedConfig, tokenizer: PreTrainedTokenizerFast
) -> tuple[int, dict[str, tuple[int, ...]]]:
    """Return the number of the base's embeddings, and the shape of each tensor that the adapter's config gives on the base."""
    loader = AutoModelForSeq2SeqLM if architecture(base) == "seq2seq" else AutoModelForCausalLM
    model = without_weights(loader, base, None)
    rows = int(model.get_input_embeddings().weight.shape[0])
    try:
        with warnings.catch_warnings(), torch.device("meta"):
            warnings.simplefilter("ignore")
            lora = PeftConfig.from_pretrained(adapter.folder)
            lora.init_lora_weights = False
            lora.task_type = TASKS[architecture(base)]
            if getattr(lora, "trainable_token_indices", None):
                grow_embeddings(model, tokenizer)
            state = get_peft_model_state_dict(get_peft_model(model, lora), save_embedding_layers=False)
    except Exception as error:  # whatever PEFT says of a config that does not suit the model
        raise UserError(
            f"{shown(adapter.folder / CONFIG)}: PEFT cannot put this adapter on base={brief(config.model)} "
            f"({first_line(error)}); use the base that it was trained on."
        ) from error
    return rows, {name: tuple(tensor.shape) for name, tensor in state.items()}


def require_vocabulary(
    adapter: ForeignAdapter, tokenizer: PreTrainedTokenizerFast, bases: PreTrainedTokenizerFast, rows: int
) -> None:
    """Raise UserError when the adapter's tokenizer gives other ids than its base's, or has tokens without an embedding."""
    own, wanted = tokenizer.get_vocab(), bases.get_vocab()
    where = shown(adapter.folder / TOKENIZER)
    for token, number in wanted.items():
        if own.get(token) != number:
            raise UserError(
                f"{where}: token {brief(token)} has the id {own.get(token)}, but {number} in the tokenizer of the base; use the "
                "base that the adapter was trained on."
            )
    beyond = sorted(
        (number, token) for token, number in own.items() if number >= rows and token not in wanted
    )
    if beyond and not adapter.config.get("trainable_token_indices"):
        raise UserError(
            f"{where}: {len(beyond)} added tokens ({listed([token for _, token in beyond], 3)}) have no embedding in the base, "
            f"which has {rows} rows; merge the adapter into its model where it was trained, and use that as --model."
        )
