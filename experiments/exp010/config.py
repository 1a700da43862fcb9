"""Settings of exp010."""

from dataclasses import dataclass, replace
from typing import Annotated

from annotated_types import Ge, Le

from common.core.ranges import DevRows, Seed
from common.generation.config import DecodingConfig
from common.models.config import LoRAConfig, PretrainedConfig
from common.postprocess.rules import PostprocessConfig
from common.tokenization.config import LengthConfig
from common.training.config import TrainingConfig

TITLE = "Gemma 3 270M with LoRA: pretrained weights, trained on a CPU"
MODEL = "google/gemma-3-270m (extra offline-model)"
NEEDS = "cpu"
ASK = "\n요약:\n"
"""The text between the dialogue and its summary."""


@dataclass(frozen=True)
class Config:
    """LoRA adapters on all linear layers of a small pretrained causal model."""

    seed: Seed = 10
    dev_rows: DevRows = 60
    """Number of dev dialogues, chosen by the seed, that are decoded at each evaluation."""
    source_loss: Annotated[float, Ge(0), Le(100)] = 0.2
    """Weight of the dialogue's tokens in the loss, where a summary's tokens have weight 1; 0: the loss ignores them."""
    lengths: LengthConfig = LengthConfig(max_source_tokens=640)
    base: PretrainedConfig = PretrainedConfig(model="offline:gemma-3-270m")
    lora: LoRAConfig = LoRAConfig(rank=16, alpha=32, dropout=0.0, targets=("all",))
    training: TrainingConfig = TrainingConfig(
        epochs=1,
        tokens_per_batch=2048,
        learning_rate=1e-3,
        weight_decay=0.0,
        label_smoothing=0.0,
        evaluate_every=0.5,
    )
    decoding: DecodingConfig = DecodingConfig(
        candidates=1, beams=1, samples=7, top_p=1.0, merge=True, tokens_at_once=49152
    )
    postprocess: PostprocessConfig = PostprocessConfig()


SMOKE = Config(
    dev_rows=4,
    base=PretrainedConfig(model="tiny:gemma3"),
    lora=replace(Config.lora, rank=2),
    training=replace(Config.training, epochs=1, evaluate_every=1.0),
    decoding=DecodingConfig(candidates=1, beams=1, samples=1, max_new_tokens=8, merge=True),
)
