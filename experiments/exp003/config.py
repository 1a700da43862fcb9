"""Settings of exp003."""

from dataclasses import dataclass, replace

from common.core.ranges import DevRows, Seed
from common.generation.config import DecodingConfig
from common.models.config import PretrainedConfig
from common.postprocess.rules import PostprocessConfig
from common.tokenization.config import LengthConfig
from common.training.config import TrainingConfig

TITLE = "KoBART, fully fine-tuned: the baseline"
MODEL = "digit82/kobart-summarization"
NEEDS = "gpu, hub"


@dataclass(frozen=True)
class Config:
    """Fine-tuning of a Korean BART, which was trained to summarize news, on dialogues."""

    seed: Seed = 3
    dev_rows: DevRows = 499
    """Number of dev dialogues, chosen by the seed, that are decoded at each evaluation."""
    lengths: LengthConfig = LengthConfig(max_source_tokens=768)
    base: PretrainedConfig = PretrainedConfig(model="digit82/kobart-summarization")
    training: TrainingConfig = TrainingConfig(
        epochs=10,
        tokens_per_batch=16384,
        learning_rate=5e-5,
        weight_decay=0.01,
        label_smoothing=0.0,
        patience=3,
    )
    decoding: DecodingConfig = DecodingConfig(candidates=4, beams=4, samples=4, no_repeat_ngram=0)
    postprocess: PostprocessConfig = PostprocessConfig()


SMOKE = Config(
    dev_rows=4,
    base=PretrainedConfig(model="tiny:bart"),
    training=replace(Config.training, epochs=1),
    decoding=DecodingConfig(candidates=2, beams=2, samples=1, max_new_tokens=8),
)
