"""Settings of exp014."""

from dataclasses import dataclass, replace

from common.core.ranges import DevRows, Seed
from common.generation.config import DecodingConfig
from common.models.config import LoRAConfig, PretrainedConfig
from common.postprocess.rules import PostprocessConfig
from common.prompts import PromptConfig
from common.tokenization.config import LengthConfig
from common.training.config import TrainingConfig

TITLE = "Qwen3-14B, QLoRA, without thinking"
MODEL = "Qwen/Qwen3-14B, nf4"
NEEDS = "gpu, hub"


@dataclass(frozen=True)
class Config:
    """QLoRA: adapters on all linear layers of a 4-bit Qwen3-14B, trained on prompts in its chat format."""

    seed: Seed = 14
    dev_rows: DevRows = 200
    """Number of dev dialogues, chosen by the seed, that are decoded at each evaluation."""
    lengths: LengthConfig = LengthConfig(max_source_tokens=2048)
    base: PretrainedConfig = PretrainedConfig(
        model="Qwen/Qwen3-14B",
        quantization="nf4",
        gradient_checkpointing=True,
        gpu_memory=22,
    )
    prompt: PromptConfig = PromptConfig(style="trained")
    lora: LoRAConfig = LoRAConfig(rank=32, alpha=64, dropout=0.0, targets=("all",))
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
    decoding: DecodingConfig = DecodingConfig(
        candidates=1, beams=1, samples=7, samples_temperature=0.7, max_new_tokens=150
    )
    postprocess: PostprocessConfig = PostprocessConfig()


SMOKE = Config(
    dev_rows=4,
    base=replace(Config.base, model="tiny:qwen3", gpu_memory=0),
    lora=replace(Config.lora, rank=2),
    training=replace(Config.training, epochs=1, evaluate_every=1.0),
    decoding=DecodingConfig(candidates=1, beams=1, samples=1, max_new_tokens=8),
)
