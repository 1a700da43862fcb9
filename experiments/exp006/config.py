"""Settings of exp006."""

from dataclasses import dataclass, replace

from common.llm import LLMConfig
from common.postprocess.rules import PostprocessConfig
from common.prompts import PromptConfig

TITLE = "Solar API, few-shot, several samples"
MODEL = "solar-pro3"
NEEDS = "api"


@dataclass(frozen=True)
class Config:
    """A large model behind an API gets similar solved dialogues before the one to summarize."""

    seed: int = 6
    styles: tuple[str, ...] = ("summarize", "outcome")
    """Prompts (common/prompts/styles). Each is asked `samples` times; the first answer to the first is the prediction."""
    samples: int = 3
    """Number of answers to each prompt; a consensus (`method = "mbr"` in a blend) needs several."""
    prompt: PromptConfig = PromptConfig(shots=4)
    llm: LLMConfig = LLMConfig(
        model="solar-pro3-260323",
        temperature=0.3,
        frequency_penalty=0.0,
        max_tokens=300,
        price_prompt=0.25,
        price_completion=0.25,
    )
    postprocess: PostprocessConfig = PostprocessConfig()


SMOKE = Config(
    samples=2,
    prompt=PromptConfig(shots=1),
    llm=replace(Config.llm, base_url="loopback:", model="loopback", requests_per_minute=100_000),
)
