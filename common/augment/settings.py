"""Define the methods and their settings. Heavy or networked methods are imported only on use."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

from annotated_types import Ge, Le

from common.augment.guards import GuardConfig
from common.augment.local import SentenceDropConfig, SpeakerSwapConfig, TurnDropConfig
from common.augment.translation import BackTranslationConfig
from common.core.errors import UserError
from common.core.messages import brief
from common.core.mistyped import did_you_mean
from common.core.ranges import Seed

LocalMethod = Literal["speaker_swap", "turn_drop", "sentence_drop"]
LOCAL: tuple[str, ...] = get_args(LocalMethod)
ABOUT: dict[str, tuple[str, str]] = {
    "paraphrase": ("having a language model rewrite the dialogue", "API key"),
    "back_translation": ("translating to another language and back", "translation model, better a GPU"),
    "speaker_swap": ("exchanging the first two speakers", "CPU, seconds"),
    "turn_drop": ("dropping short turns", "CPU, seconds"),
    "sentence_drop": ("dropping sentences that the summary does not use", "CPU, seconds"),
}
"""Method → how it makes rows, and what it needs."""
AUGMENT_METHODS = tuple(ABOUT)
# These methods change few letters, so their products are meant to be close to the parent.
_NEAR = GuardConfig(lowest_similarity=0.3, highest_similarity=1.0)


@dataclass(frozen=True)
class AugmentConfig:
    """Settings of a method and of its guards."""

    method: Any
    """Settings of the method itself."""
    seed: Seed = 42
    """Seed for the sample of parents and for all random choices of a method."""
    folds: Annotated[int, Ge(2), Le(1000)] = 5
    """Number of cross-validation folds; a new row belongs to its parent's fold."""
    guards: GuardConfig = field(default_factory=GuardConfig)

    def require_consistent(self) -> None:
        """Raise UserError when a guard's minimum is above its maximum."""
        for low, high in (("lowest_similarity", "highest_similarity"), ("shortest", "longest")):
            least, most = getattr(self.guards, low), getattr(self.guards, high)
            if least > most:
                names = [f"--guards.{name}".replace("_", "-") for name in (low, high)]
                raise UserError(
                    f"{names[0]} {least} is above {names[1]} {most}, so no row could pass; lower the former."
                )


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
        f"method {brief(method)} is not one of {', '.join(AUGMENT_METHODS)}.{did_you_mean(method, AUGMENT_METHODS)} "
        "To see what each does: make augment method=?"
    )
