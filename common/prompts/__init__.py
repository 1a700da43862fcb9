"""Prompts for instruct models and the Solar API: templates, protection from prompt injection, few-shot selection."""

from common.prompts.shots import Selection, ShotIndex, shot_index
from common.prompts.templates import (
    PLACEHOLDER,
    Message,
    Prompt,
    PromptConfig,
    prompt,
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
    "prompt",
    "safe",
    "shot_index",
    "split",
    "style_hash",
    "styles",
]
