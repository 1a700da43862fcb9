"""Refuse sources and summaries that are longer than a model's context."""

from transformers import PreTrainedConfig

from common.core.errors import UserError


def require_context(model: PreTrainedConfig, source: int, summary: int) -> None:
    """Raise UserError when the longest source and summary (for a causal model, their sum) exceed the model's context."""
    context = getattr(model.get_text_config(decoder=True), "max_position_embeddings", None)
    longest = max(source, summary) if model.is_encoder_decoder else source + summary
    if context and longest > context:
        raise UserError(
            f"this model's context is {context} tokens, which --max-source-tokens {source} "
            f"{'or' if model.is_encoder_decoder else 'and'} --max-new-tokens {summary} exceed; lower them (a trained run "
            "needs restart=1 for the former). Longer dialogues then lose whole turns from the middle."
        )
