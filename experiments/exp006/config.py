"""Settings of exp006."""

from dataclasses import dataclass, replace
from typing import Annotated

from annotated_types import Ge, Le

from common.core.errors import UserError
from common.core.ranges import Seed
from common.llm import LLMConfig
from common.postprocess.rules import PostprocessConfig
from common.prompts import PromptConfig, Styles, require_only_styles

TITLE = "Solar API, few-shot, several samples"
MODEL = "solar-pro3"
NEEDS = "api"


@dataclass(frozen=True)
class Config:
    """A large model behind an API gets similar solved dialogues before the one to summarize."""

    seed: Seed = 6
    styles: Styles = ("summarize", "outcome")
    """Prompts (common/prompts/styles). Each is asked `samples` times; the first answer to the first is the prediction."""
    samples: Annotated[int, Ge(1), Le(256)] = 3
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

    def require_consistent(self) -> None:
        """Raise UserError for a style that does not exist or is named twice, for --style, and for settings of local models."""
        require_only_styles(self.prompt, self.styles)
        if self.prompt.thinking or self.prompt.date != PromptConfig.date:
            raise UserError(
                "--thinking and --date only apply to models on this machine; for an API use --extra, such as "
                """--extra '{"reasoning_effort": "low"}'."""
            )


SMOKE = Config(
    samples=2,
    prompt=PromptConfig(shots=1),
    llm=replace(Config.llm, base_url="loopback:", model="loopback", requests_per_minute=100_000),
)
