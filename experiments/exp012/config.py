"""exp012's settings."""

from dataclasses import dataclass, replace

from common.decoding import DecodingConfig
from common.errors import UserError
from common.models import LoRAConfig, PretrainedConfig
from common.postprocess import PostprocessConfig
from common.prompts import PromptConfig
from common.tokenization import LengthConfig
from common.training import TrainingConfig
from common.training.reward import RewardConfig

TITLE = "the flagship: Qwen2.5 QLoRA, several GPUs, every option a setting"
MODEL = "Qwen/Qwen2.5-7B-Instruct, nf4"
NEEDS = "gpu, hub"


@dataclass(frozen=True)
class Config:
    """A large Qwen2.5, with everything that helped elsewhere at hand."""

    seed: int = 12
    dev_rows: int = 200
    """Dev dialogues decoded at each evaluation; the GPUs share them."""
    r_drop: float = 0.0
    """Weight of the divergence between two passes with other dropout; 0 leaves it out."""
    source_loss: float = 0.0
    """Weight of the prompt's own tokens in the loss, a summary's being 1 (exp010's idea); not together with r_drop."""
    own_scores: bool = False
    """Draw summaries of training dialogues and learn from their scores (exp013's idea); --model is then a trained one."""
    adapter: bool = True
    """Train adapters; false trains every weight (--quantization none, --sharding fsdp for what does not fit)."""
    lengths: LengthConfig = LengthConfig(max_source_tokens=2048)
    base: PretrainedConfig = PretrainedConfig(
        model="Qwen/Qwen2.5-7B-Instruct",
        quantization="nf4",
        gradient_checkpointing=True,
        gpu_memory=15,
    )
    prompt: PromptConfig = PromptConfig()
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

    def __post_init__(self) -> None:
        """Raises UserError for settings that do not go together."""
        if self.r_drop and self.source_loss:
            raise UserError(
                "--r-drop and --source-loss: one of them; R-Drop compares what is said of summaries."
            )
        if self.own_scores and (self.r_drop or self.source_loss):
            raise UserError("--own-scores has a loss of its own: leave --r-drop and --source-loss at 0.")
        if self.own_scores and self.training.sharding == "fsdp":
            raise UserError("--own-scores draws from whole models: leave --sharding at none.")


SMOKE = Config(
    dev_rows=4,
    base=replace(Config.base, model="tiny:qwen2", gpu_memory=0),
    prompt=PromptConfig(shots=1),
    lora=replace(Config.lora, rank=2),
    training=replace(Config.training, epochs=1, evaluate_every=1.0),
    decoding=DecodingConfig(candidates=1, beams=1, samples=1, max_new_tokens=8),
)
