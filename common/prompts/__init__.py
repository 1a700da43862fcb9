"""Write what a language model is asked: chat templates and few-shot examples; tidy what it answers."""

from common.prompts.shots import Selection, ShotIndex, shot_index
from common.prompts.templates import (
    PLACEHOLDER,
    Message,
    Prompt,
    PromptConfig,
    Styles,
    prompt,
    require_only_styles,
    require_styles,
    safe,
    split,
    style_hash,
    styles,
)

__all__ = [
    "PLACEHOLDER",
    "Message",
    "Prompt",
    "PromptConfig",
    "Selection",
    "ShotIndex",
    "Styles",
    "prompt",
    "require_only_styles",
    "require_styles",
    "safe",
    "shot_index",
    "split",
    "style_hash",
    "styles",
]
