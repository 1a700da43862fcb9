"""exp006's settings."""

from dataclasses import dataclass, replace

from common.llm import LLMConfig
from common.postprocess import PostprocessConfig
from common.prompts import PromptConfig

TITLE = "Solar API, few-shot, several samples"
MODEL = "solar-pro3"
NEEDS = "api"


@dataclass(frozen=True)
class Config:
    """A large model behind an API sees solved dialogues like the one it is asked about."""

    seed: int = 6
    styles: tuple[str, ...] = ("summarize", "outcome")
    """Prompts (common/prompts/styles); each is asked `samples` times, the first one's first answer is the prediction."""
    samples: int = 3
    """Answers to each prompt: consensus (`method = "mbr"` in a blend) wants several."""
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
