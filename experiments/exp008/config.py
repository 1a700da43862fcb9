"""exp008's settings."""

from dataclasses import dataclass, replace

from common.decoding import DecodingConfig
from common.models import PretrainedConfig
from common.postprocess import PostprocessConfig
from common.tokenization import LengthConfig
from common.training import TrainingConfig

TITLE = "KoBART on original and augmented rows"
MODEL = "digit82/kobart-summarization"
NEEDS = "gpu, hub"


@dataclass(frozen=True)
class MixConfig:
    """Which augmented rows are trained on beside the originals, and how many."""

    made: tuple[str, ...] = ("back_translation", "paraphrase")
    """Names of what `make augment` has made: folders of outputs/<competition>/augmented."""
    local: tuple[str, ...] = ()
    """Methods that take no time, made on the spot: speaker_swap, turn_drop, sentence_drop."""
    ratio: float = 1.0
    """At most so many augmented rows for each original one; 0 trains on the originals alone."""
    lowest_similarity: float = 0.0
    """Of a row to its parent (letters, 0 to 1): less similar ones are left out."""
    highest_similarity: float = 1.0
    """More similar ones are left out."""


@dataclass(frozen=True)
class Config:
    """exp003 with more rows: does a second telling of each dialogue help?"""

    seed: int = 8
    dev_rows: int = 499
    """Dev dialogues decoded at each evaluation."""
    mix: MixConfig = MixConfig()
    lengths: LengthConfig = LengthConfig(max_source_tokens=768)
    base: PretrainedConfig = PretrainedConfig(model="digit82/kobart-summarization")
    training: TrainingConfig = TrainingConfig(
        epochs=8,
        tokens_per_batch=16384,
        learning_rate=5e-5,
        weight_decay=0.01,
        label_smoothing=0.0,
        patience=3,
    )
    decoding: DecodingConfig = DecodingConfig(candidates=4, beams=4, samples=4)
    postprocess: PostprocessConfig = PostprocessConfig()


SMOKE = Config(
    dev_rows=4,
    mix=MixConfig(made=(), local=("speaker_swap",)),
    base=PretrainedConfig(model="tiny:bart"),
    training=replace(Config.training, epochs=1),
    decoding=DecodingConfig(candidates=2, beams=2, samples=1, max_new_tokens=8),
)
