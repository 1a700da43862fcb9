"""Define the methods and their settings. Heavy or networked methods are imported only on use."""

from dataclasses import dataclass, field
from typing import Any

from common.augment.guards import GuardConfig
from common.augment.local import SentenceDropConfig, SpeakerSwapConfig, TurnDropConfig
from common.augment.translation import BackTranslationConfig
from common.core.errors import UserError
from common.core.messages import brief

LOCAL = ("speaker_swap", "turn_drop", "sentence_drop")
AUGMENT_METHODS = ("paraphrase", "back_translation", *LOCAL)
# These methods change few letters, so their products are meant to be close to the parent.
_NEAR = GuardConfig(lowest_similarity=0.3, highest_similarity=1.0)


@dataclass(frozen=True)
class AugmentConfig:
    """Settings of a method and of its guards."""

    method: Any
    """Settings of the method itself."""
    seed: int = 42
    """Seed for the sample of parents and for all random choices of a method."""
    folds: int = 5
    """Number of cross-validation folds; a new row belongs to its parent's fold."""
    guards: GuardConfig = field(default_factory=GuardConfig)


def settings(method: str) -> AugmentConfig:
    """Return the default settings of a method. Raises UserError for an unknown method."""
    if method == "speaker_swap":
        return AugmentConfig(SpeakerSwapConfig(), guards=_NEAR)
    if method == "turn_drop":
        return AugmentConfig(TurnDropConfig(), guards=_NEAR)
    if method == "sentence_drop":
        return AugmentConfig(SentenceDropConfig(), guards=_NEAR)
    if method == "back_translation":
        return AugmentConfig(BackTranslationConfig())
    if method == "paraphrase":
        from common.augment.paraphrase import ParaphraseConfig

        return AugmentConfig(ParaphraseConfig())
    raise UserError(
        f"method {brief(method)} is not one of {', '.join(AUGMENT_METHODS)}. For example: make augment method=turn_drop"
    )
