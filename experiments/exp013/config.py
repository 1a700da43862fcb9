"""Settings of exp013."""

from dataclasses import dataclass, replace

from common.core.files import shown
from common.core.paths import merged_folder
from common.core.ranges import DevRows, Seed
from common.data.competition import Competition
from common.generation.config import DecodingConfig
from common.models.config import LoRAConfig, PretrainedConfig
from common.models.known import require_findable
from common.postprocess.rules import PostprocessConfig
from common.tokenization.config import LengthConfig
from common.training.config import RewardConfig, TrainingConfig

TITLE = "exp010 trained further on the scores of its own summaries"
MODEL = "exp010, merged (make merge run=exp010)"
NEEDS = "cpu"
ASK = "\n요약:\n"
"""The text between the dialogue and its summary, as in exp010."""


@dataclass(frozen=True)
class Config:
    """New adapters on a trained causal model, which learn from the scores of its own summaries."""

    seed: Seed = 13
    dev_rows: DevRows = 200
    """Number of dev dialogues, chosen by the seed, that are decoded at each evaluation."""
    lengths: LengthConfig = LengthConfig(max_source_tokens=640)
    base: PretrainedConfig = PretrainedConfig(attention="sdpa")
    """The model to continue; without --model, the merged exp010 of the same competition."""
    lora: LoRAConfig = LoRAConfig(rank=16, alpha=32, dropout=0.0, targets=("all",))
    reward: RewardConfig = RewardConfig()
    training: TrainingConfig = TrainingConfig(
        epochs=1,
        tokens_per_batch=2048,
        accumulation=2,
        learning_rate=3e-4,
        weight_decay=0.0,
        label_smoothing=0.0,
        evaluate_every=1.0,
    )
    decoding: DecodingConfig = DecodingConfig(
        candidates=1,
        beams=1,
        samples=12,
        samples_temperature=0.6,
        top_p=1.0,
        merge=True,
        tokens_at_once=98304,
    )
    postprocess: PostprocessConfig = PostprocessConfig()

    def start_model(self, competition: Competition) -> str:
        """Return the model to continue."""
        return self.base.model or shown(merged_folder(competition.name, "exp010"))

    def require_ready(self, competition: Competition) -> None:
        """Raise UserError when the model to continue cannot be loaded, as far as this machine knows."""
        require_findable(self.start_model(competition), self.base.revision)


SMOKE = Config(
    dev_rows=4,
    base=PretrainedConfig(model="tiny:gemma3", attention="sdpa"),
    lora=replace(Config.lora, rank=2),
    reward=RewardConfig(dialogues=24, sampled=3, sampled_temperature=1.0),
    training=replace(Config.training, epochs=1, evaluate_every=1.0),
    decoding=DecodingConfig(candidates=1, beams=1, samples=1, max_new_tokens=8, merge=True),
)
