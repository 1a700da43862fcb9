"""Define the limits of lengths. Never imports torch."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from common.core.errors import UserError
from common.core.messages import brief

MIN_DIALOGUE_TOKENS = 8  # less room than this for the dialogue means that the settings are wrong


@dataclass(frozen=True)
class LengthConfig:
    """Length limits."""

    max_source_tokens: Annotated[int, Ge(2 * MIN_DIALOGUE_TOKENS), Le(1_048_576)] = 512
    """Most tokens of a source, instruction included; longer dialogues lose whole turns from the middle."""


def unknown_language(language: str, model: str) -> UserError:
    """Return the error for a language token that a model's tokenizer does not have."""
    return UserError(
        f"language {brief(language)} is not a token of {brief(model)}; wanted a language token such as "
        "mBART's ko_KR. Change the language or the model."
    )
