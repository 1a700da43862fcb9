"""Settings of exp012."""

from dataclasses import dataclass, replace
from typing import Annotated

from annotated_types import Ge, Le, Len

from common.core.errors import UserError
from common.core.ranges import DevRows, Seed, Text
from common.generation.config import DecodingConfig
from common.models.config import LoRAConfig, PretrainedConfig
from common.postprocess.rules import PostprocessConfig
from common.prompts import PromptConfig, require_styles
from common.tokenization.config import LengthConfig
from common.training.config import RewardConfig, TrainingConfig

TITLE = "the flagship: Qwen2.5 QLoRA, several GPUs, every option a setting"
MODEL = "Qwen/Qwen2.5-7B-Instruct, nf4"
NEEDS = "gpu, hub"


@dataclass(frozen=True)
class Config:
    """A large Qwen2.5, with every method that helped in other experiments as a setting."""

    seed: Seed = 12
    dev_rows: DevRows = 200
    """Number of dev dialogues, chosen by the seed, that are decoded at each evaluation; the GPUs share them."""
    r_drop: Annotated[float, Ge(0), Le(100)] = 0.0
    """Weight of the divergence between two passes with different dropout; 0 turns R-Drop off."""
    source_loss: Annotated[float, Ge(0), Le(100)] = 0.0
    """Weight of the prompt's tokens in the loss, where a summary's tokens have weight 1 (as exp010); not with r_drop."""
    own_scores: bool = False
    """Learn from the scores of the model's own summaries of training dialogues (as exp013); needs a trained --model."""
    adapter: bool = True
    """Train adapters; false: train all weights (with --quantization none, and --sharding fsdp for large models)."""
    lengths: LengthConfig = LengthConfig(max_source_tokens=2048)
    base: PretrainedConfig = PretrainedConfig(
        model="Qwen/Qwen2.5-7B-Instruct",
        quantization="nf4",
        gradient_checkpointing=True,
        gpu_memory=15,
    )
    prompt: PromptConfig = PromptConfig(style="trained")
    styles: Annotated[tuple[Text, ...], Len(0, 20)] = ()
    """Prompts (common/prompts/styles) at inference; none: the one of training. Each gives candidates; the best of the first
    prompt is the prediction."""
    topic: bool = False
    """Whether a line before each dialogue shows a guess of its topic; needs a train file with topics."""
    lora: LoRAConfig = LoRAConfig(rank=32, alpha=64, targets=("all",))
    reward: RewardConfig = RewardConfig()
    training: TrainingConfig = TrainingConfig(
        epochs=3,
        tokens_per_batch=4096,
        accumulation=2,
        learning_rate=1e-4,
        weight_decay=0.0,
        label_smoothing=0.0,
        evaluate_every=0.5,
        patience=3,
    )
    decoding: DecodingConfig = DecodingConfig(candidates=1, beams=1, samples=7, samples_temperature=0.7)
    postprocess: PostprocessConfig = PostprocessConfig()

    def require_consistent(self) -> None:
        """Raise UserError for settings that cannot be combined, and for a style that does not exist or is named twice."""
        require_styles(self.styles)
        if self.r_drop and self.source_loss:
            raise UserError(
                "--r-drop and --source-loss cannot be combined, because R-Drop only covers summary tokens: "
                "set one of them to 0."
            )
        if self.own_scores and (self.r_drop or self.source_loss):
            raise UserError(
                "--own-scores has its own loss and cannot be combined with --r-drop or --source-loss: leave both at 0."
            )
        if self.own_scores and self.training.sharding == "fsdp":
            raise UserError("--own-scores cannot sample from a sharded model: leave --sharding at none.")


SMOKE = Config(
    dev_rows=4,
    base=replace(Config.base, model="tiny:qwen2", gpu_memory=0),
    prompt=replace(Config.prompt, shots=1),
    lora=replace(Config.lora, rank=2),
    training=replace(Config.training, epochs=1, evaluate_every=1.0),
    decoding=DecodingConfig(candidates=1, beams=1, samples=1, max_new_tokens=8),
)
