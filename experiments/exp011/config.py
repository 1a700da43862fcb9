"""Settings of exp011."""

from dataclasses import dataclass, replace

from common.core.ranges import DevRows, Seed
from common.generation.config import DecodingConfig
from common.models.config import SmallModelConfig, Vocabulary
from common.postprocess.rules import PostprocessConfig
from common.tokenization.config import LengthConfig
from common.training.config import TrainingConfig

TITLE = "small causal model, trained from scratch"
MODEL = "Qwen2 architecture, own byte-level BPE"
NEEDS = "cpu"


@dataclass(frozen=True)
class Config:
    """Settings of a small Qwen2 that reads the dialogue and a start token, and generates the summary."""

    seed: Seed = 11
    vocabulary: Vocabulary = 4000
    dev_rows: DevRows = 50
    """Number of dev dialogues, chosen by the seed, that are decoded at each evaluation."""
    lengths: LengthConfig = LengthConfig(max_source_tokens=512)
    model: SmallModelConfig = SmallModelConfig(width=128, layers=2, feed_forward=512, dropout=0.0)
    training: TrainingConfig = TrainingConfig(epochs=5, tokens_per_batch=2048, learning_rate=2e-3)
    decoding: DecodingConfig = DecodingConfig(candidates=4, beams=4, samples=4, max_new_tokens=96)
    postprocess: PostprocessConfig = PostprocessConfig()

    def require_consistent(self) -> None:
        """Raise UserError when the longest source or summary does not fit into the model."""
        self.model.require_room(self.lengths.max_source_tokens, self.decoding.max_new_tokens, together=True)


SMOKE = Config(
    vocabulary=400,
    dev_rows=4,
    model=SmallModelConfig(width=64, layers=1, feed_forward=64),
    training=replace(Config.training, epochs=1),
    decoding=DecodingConfig(candidates=2, beams=2, samples=2, max_new_tokens=8),
)
