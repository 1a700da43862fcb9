"""Settings of exp004."""

from dataclasses import dataclass, replace

from common.core.ranges import DevRows, Seed, Text
from common.generation.config import DecodingConfig
from common.models.config import LoRAConfig, PretrainedConfig
from common.postprocess.rules import PostprocessConfig
from common.tokenization.config import LengthConfig
from common.training.config import TrainingConfig

TITLE = "mBART-50 with LoRA"
MODEL = "facebook/mbart-large-50"
NEEDS = "gpu, hub"


@dataclass(frozen=True)
class Config:
    """LoRA adapters on a multilingual encoder-decoder with 610 million weights."""

    seed: Seed = 4
    dev_rows: DevRows = 200
    """Number of dev dialogues, chosen by the seed, that are decoded at each evaluation."""
    language: Text = "ko_KR"
    """mBART's token of the language of dialogues and summaries."""
    lengths: LengthConfig = LengthConfig(max_source_tokens=768)
    base: PretrainedConfig = PretrainedConfig(model="facebook/mbart-large-50")
    lora: LoRAConfig = LoRAConfig(rank=32, alpha=64, targets=("all",))
    training: TrainingConfig = TrainingConfig(
        epochs=5,
        tokens_per_batch=8192,
        accumulation=2,
        learning_rate=5e-4,
        weight_decay=0.0,
        label_smoothing=0.1,
        patience=2,
    )
    decoding: DecodingConfig = DecodingConfig(candidates=4, beams=4, samples=4)
    postprocess: PostprocessConfig = PostprocessConfig()


SMOKE = Config(
    dev_rows=4,
    base=PretrainedConfig(model="tiny:mbart"),
    lora=replace(Config.lora, rank=2),
    training=replace(Config.training, epochs=1, accumulation=1),
    decoding=DecodingConfig(candidates=2, beams=2, samples=1, max_new_tokens=8),
)
