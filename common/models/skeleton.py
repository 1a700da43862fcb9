"""Check what a model supports before its weights are read, and that the weights are complete."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import GENERATION_CONFIG_NAME, logging

from common.core.errors import UserError, first_line
from common.core.files import shown
from common.core.messages import brief, size_text
from common.models.config import PretrainedConfig
from common.models.text_parts import expert_parameters, text_modules


def require_settings(
    folder: Path, loader: Any, config: PretrainedConfig, attention: str | None
) -> tuple[PreTrainedModel, str | None]:
    """Return the model without weights, and the attention implementation to load it with; None lets transformers choose.

    `folder`: only its config.json is read.
    `attention`: the preferred one. It is replaced by None when config.attention is auto and the model does not support it.
    Raises UserError for an attention implementation or a quantization that the model does not support.
    """
    try:
        model = without_weights(loader, folder, attention)
    except UserError:
        raise
    except Exception as error:  # a model's layers raise many types for values that do not suit each other
        if attention is None:
            raise UserError(
                f"{shown(folder / 'config.json')}: transformers cannot build the model ({first_line(error)}). Fix it, or "
                "choose another --model."
            ) from error
        if config.attention != "auto":
            raise UserError(
                f"--attention {config.attention}: not possible with {brief(config.model)} here ({first_line(error)}). "
                "Use --attention auto."
            ) from error
        return require_settings(folder, loader, config, None)
    _require_quantizable(model, config)
    return model, attention


def without_weights(
    loader: Any, folder: Path, attention: str | None, dtype: torch.dtype = torch.float32
) -> PreTrainedModel:
    """Return what `from_pretrained` returns, but on the meta device: shapes of weights without values or memory."""
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    with torch.device("meta"):
        model: PreTrainedModel = loader.from_config(
            config, dtype=dtype, attn_implementation=attention, trust_remote_code=False
        )
    if (path := folder / GENERATION_CONFIG_NAME).exists():
        try:
            model.generation_config = GenerationConfig.from_pretrained(folder)
        except Exception as error:  # it checks its values, and raises many types
            raise UserError(
                f"{shown(path)}: transformers cannot read it ({first_line(error)}). Fix it, delete it, or choose another "
                "--model."
            ) from error
    return model.eval()


def _require_quantizable(model: PreTrainedModel, config: PretrainedConfig) -> None:
    """Raise UserError when most weights of a model would stay in 16 bits, because they belong to experts."""
    experts = expert_parameters(model) if config.quantization != "none" else []
    if experts:
        inside = sum(model.get_parameter(name).numel() for name in experts)
        whole = sum(parameter.numel() for parameter in model.parameters())
        raise UserError(
            f"--quantization {config.quantization}: bitsandbytes cannot quantize the experts of {type(model).__name__}, "
            f"{inside / whole:.0%} of its weights. Use --quantization none, which needs {size_text(2 * whole)} for the "
            "weights, or a --model without experts."
        )


def require_embeddings(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Raise UserError when the tokenizer has ids that the model has no embeddings for.

    Special tokens that nothing here writes are allowed: Gemma 3's tokenizer has one for images, its text models do not.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) <= rows:
        return
    written = {
        *tokenizer.encode("가"),
        tokenizer.pad_token_id,
        tokenizer.eos_token_id,
        tokenizer.bos_token_id,
    }
    template = str(tokenizer.chat_template or "")
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    for token, number in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1]):
        if number >= rows and (number not in special or number in written or token in template):
            raise UserError(
                f"{shown(folder)}: the tokenizer has {len(tokenizer)} tokens, but the model has embeddings for {rows} (token "
                f"{brief(token)} has id {number}). Copy tokenizer and weights from the same model, or enlarge the "
                "embeddings with resize_token_embeddings and save the model again."
            )


def require_known_ids(model: PreTrainedModel, folder: Path) -> None:
    """Raise UserError when the model's files name a start or end token of a summary that the model does not have.

    On a GPU such an id ends the process inside a kernel, without a word about the cause.
    """
    generation, output = model.generation_config, model.get_output_embeddings()
    count = model.config.get_text_config(decoder=True).vocab_size if output is None else len(output.weight)
    file = GENERATION_CONFIG_NAME if (folder / GENERATION_CONFIG_NAME).exists() else "config.json"
    named = [(file, "eos_token_id", generation.eos_token_id)]
    if model.config.is_encoder_decoder:
        start = getattr(model.config, "decoder_start_token_id", None)
        named += [
            ("config.json", "decoder_start_token_id", start),
            (file, "forced_bos_token_id", generation.forced_bos_token_id),
        ]
    for where, name, value in named:
        for number in value if isinstance(value, list) else [value]:
            if number is not None and not (isinstance(number, int) and 0 <= number < count):
                raise UserError(
                    f"{shown(folder / where)}: {name} is {brief(number)}; wanted the id of a token, from 0 to {count - 1}. "
                    "Correct it, or choose another --model."
                )


@contextmanager
def refuse_other_shapes(folder: Path) -> Iterator[None]:
    """Raise UserError when transformers finds weights of other shapes than config.json says inside this context.

    transformers reports what does not match in a table; that table is not shown, since our own checks name what matters.
    """
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    except RuntimeError as error:
        if "ignore_mismatched_sizes" not in str(error):
            raise
        raise UserError(
            f"{shown(folder)}: the weights have other shapes than config.json says. Copy both from the same model."
        ) from error
    finally:
        logging.set_verbosity(verbosity)


def require_all_weights(model: PreTrainedModel, missing: Collection[str], folder: Path) -> None:
    """Raise UserError when weights that text needs are missing, because transformers makes them up at random.

    `missing`: names of the missing tensors.
    """
    used = {
        f"{name}.{own}"
        for name, module in text_modules(model)
        for own, _ in module.named_parameters(recurse=False)
    }
    head = model.get_output_embeddings()
    used |= {
        name for name, parameter in model.named_parameters() if head is not None and parameter is head.weight
    }
    if lacking := sorted(used & set(missing)):
        raise UserError(
            f"{shown(folder)}: {type(model).__name__} has weights that are missing here, such as {lacking[0]}. Copy "
            "the folder again, or choose another --model."
        )
