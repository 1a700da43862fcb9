"""Logits of the tokens that count, and of no others."""

from typing import Any

import torch

from common.models.averaging import Averaged, mean_log_probabilities
from common.tokenization import IGNORE


def target_logits(
    model: torch.nn.Module, batch: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (t, vocabulary) of the batch's t target tokens, row after row, and those tokens (t,).

    Only their positions go through the output layer: of a prompt, and of padding, no logits are ever made.
    """
    inner = getattr(model, "module", model)  # the model itself, not what spreads it over processes
    if isinstance(inner, Averaged):
        found = [target_logits(one, batch) for one in inner.models]
        return mean_log_probabilities([logits for logits, _ in found]), found[0][1]
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    labels = batch["labels"]
    wanted = labels != IGNORE
    if inner.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = _shifted(labels, inner.config)
    hook = inner.get_output_embeddings().register_forward_pre_hook(
        lambda _, hidden: (hidden[0][wanted].unsqueeze(0),)
    )
    try:
        logits = model(**inputs, use_cache=False).logits
    finally:
        hook.remove()
    return logits.squeeze(0), labels[wanted]


def _shifted(labels: torch.Tensor, config: Any) -> torch.Tensor:
    """What the decoder reads to predict the labels: the start token, then each label but the last.

    transformers' own shift for mBART begins with each row's last token, which is the start only if the row has ended.
    """
    shifted = torch.full_like(labels, config.decoder_start_token_id)
    shifted[:, 1:] = labels[:, :-1]
    return shifted.masked_fill(shifted == IGNORE, config.pad_token_id)
