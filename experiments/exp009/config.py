"""Settings of exp009."""

from dataclasses import dataclass, replace
from typing import Annotated

from annotated_types import Ge, Le

from common.core.ranges import DevRows, Seed
from common.generation.config import DecodingConfig, GridConfig
from common.models.config import PretrainedConfig
from common.postprocess.rules import PostprocessConfig
from common.tokenization.config import LengthConfig
from common.training.config import TrainingConfig

TITLE = "KoBART tuned: R-Drop, label smoothing, moving average, decoding grid"
MODEL = "digit82/kobart-summarization"
NEEDS = "gpu, hub"


@dataclass(frozen=True)
class Config:
    """exp003 with more regularisation, a longer schedule, and decoding settings chosen on dev."""

    seed: Seed = 9
    dev_rows: DevRows = 499
    """Number of dev dialogues, chosen by the seed, that are decoded at each evaluation."""
    r_drop: Annotated[float, Ge(0), Le(100)] = 1.0
    """Weight of the divergence between two passes with different dropout; 0 turns R-Drop off."""
    lengths: LengthConfig = LengthConfig(max_source_tokens=768)
    base: PretrainedConfig = PretrainedConfig(model="digit82/kobart-summarization")
    training: TrainingConfig = TrainingConfig(
        epochs=20,
        tokens_per_batch=8192,
        accumulation=2,
        learning_rate=5e-5,
        weight_decay=0.01,
        label_smoothing=0.1,
        ema=0.999,
        patience=5,
    )
    decoding: DecodingConfig = DecodingConfig(candidates=4, beams=4, samples=4)
    grid: GridConfig = GridConfig(beams=(4, 8), length_penalties=(0.6, 1.0, 1.4), no_repeat_ngrams=(0, 4))
    postprocess: PostprocessConfig = PostprocessConfig()


SMOKE = Config(
    dev_rows=4,
    base=PretrainedConfig(model="tiny:bart"),
    training=replace(Config.training, epochs=1, accumulation=1),
    decoding=DecodingConfig(candidates=2, beams=2, samples=1, max_new_tokens=8),
    grid=GridConfig(beams=(2,), length_penalties=(0.6, 1.0), no_repeat_ngrams=(0,)),
)
