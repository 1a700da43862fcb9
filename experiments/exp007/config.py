"""Settings of exp007."""

from dataclasses import dataclass, replace

from common.core.ranges import DevRows, Seed
from common.generation.config import DecodingConfig
from common.models.config import LoRAConfig, PretrainedConfig
from common.postprocess.rules import PostprocessConfig
from common.prompts import PromptConfig
from common.tokenization.config import LengthConfig
from common.training.config import TrainingConfig

TITLE = "Qwen2.5-7B-Instruct, QLoRA"
MODEL = "Qwen/Qwen2.5-7B-Instruct, nf4"
NEEDS = "gpu, hub"


@dataclass(frozen=True)
class Config:
    """QLoRA: adapters on the attention layers of a 4-bit Qwen2.5, trained on prompts in its chat format."""

    seed: Seed = 7
    dev_rows: DevRows = 100
    """Number of dev dialogues, chosen by the seed, that are decoded at each evaluation."""
    lengths: LengthConfig = LengthConfig(max_source_tokens=1536)
    base: PretrainedConfig = PretrainedConfig(
        model="Qwen/Qwen2.5-7B-Instruct",
        quantization="nf4",
        gradient_checkpointing=True,
        gpu_memory=15,
    )
    prompt: PromptConfig = PromptConfig(style="trained")
    lora: LoRAConfig = LoRAConfig(rank=16, alpha=32, targets=("q_proj", "k_proj", "v_proj", "o_proj"))
    training: TrainingConfig = TrainingConfig(
        epochs=2,
        tokens_per_batch=4096,
        accumulation=4,
        learning_rate=2e-4,
        weight_decay=0.0,
        label_smoothing=0.0,
        evaluate_every=0.5,
        patience=3,
    )
    decoding: DecodingConfig = DecodingConfig(candidates=1, beams=1, samples=7, samples_temperature=0.7)
    postprocess: PostprocessConfig = PostprocessConfig()


SMOKE = Config(
    dev_rows=4,
    base=replace(Config.base, model="tiny:qwen2", gpu_memory=0),
    lora=replace(Config.lora, rank=2),
    training=replace(Config.training, epochs=1, evaluate_every=1.0),
    decoding=DecodingConfig(candidates=1, beams=1, samples=1, max_new_tokens=8),
)
