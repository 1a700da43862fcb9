"""What can be set for each method, and which methods there are. Heavy or networked ones are imported when asked for."""

from dataclasses import dataclass, field
from typing import Any

from common.augment.guards import GuardConfig
from common.augment.local import SentenceDropConfig, SpeakerSwapConfig, TurnDropConfig
from common.augment.translation import BackTranslationConfig
from common.errors import UserError

LOCAL = ("speaker_swap", "turn_drop", "sentence_drop")
METHODS = ("paraphrase", "back_translation", *LOCAL)
# Without letters changed, or with little else than small talk gone, a row is nearly its parent: that is the method.
_NEAR = GuardConfig(lowest_similarity=0.3, highest_similarity=1.0)


@dataclass(frozen=True)
class AugmentConfig:
    """How rows are made and judged."""

    method: Any
    """The method's own settings."""
    seed: int = 42
    """Draws the parents and everything a method leaves to chance."""
    folds: int = 5
    """Cross-validation folds; a new row is in its parent's."""
    guards: GuardConfig = field(default_factory=GuardConfig)


def settings(method: str) -> AugmentConfig:
    """The method's settings as they are unless changed. Raises UserError for an unknown method, listing those there are."""
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
        f"method {method!r} is not one of {', '.join(METHODS)}. For example: make augment method=turn_drop"
    )
