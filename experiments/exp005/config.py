"""Settings of exp005."""

from dataclasses import dataclass

from common.core.ranges import Seed
from common.generation.config import DecodingConfig
from common.models.config import PretrainedConfig
from common.postprocess.rules import PostprocessConfig
from common.prompts import PromptConfig, Styles, require_only_styles
from common.tokenization.config import LengthConfig

TITLE = "Qwen2.5-7B-Instruct, few-shot, not trained"
MODEL = "Qwen/Qwen2.5-7B-Instruct"
NEEDS = "gpu, hub"


@dataclass(frozen=True)
class Config:
    """An instruct model gets similar solved dialogues before the one to summarize."""

    seed: Seed = 5
    styles: Styles = ("summarize", "outcome")
    """Prompts (common/prompts/styles). Each gives candidates; the best of the first prompt is the prediction."""
    lengths: LengthConfig = LengthConfig(max_source_tokens=4096)
    base: PretrainedConfig = PretrainedConfig(model="Qwen/Qwen2.5-7B-Instruct", gpu_memory=20)
    prompt: PromptConfig = PromptConfig(shots=4)
    decoding: DecodingConfig = DecodingConfig(candidates=1, beams=1, samples=3, samples_temperature=0.7)
    postprocess: PostprocessConfig = PostprocessConfig()

    def require_consistent(self) -> None:
        """Raise UserError for a style that does not exist or is named twice, and for --style, which nothing here uses."""
        require_only_styles(self.prompt, self.styles)


SMOKE = Config(
    base=PretrainedConfig(model="tiny:qwen2"),
    prompt=PromptConfig(shots=1),
    decoding=DecodingConfig(candidates=1, beams=1, samples=1, max_new_tokens=8),
)
