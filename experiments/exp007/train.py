"""exp007, train: adapters on a 4-bit Qwen2.5 learn the answer to one instruction, the loss on the answer only."""

import torch

from common import models, prompts, stages, tokenization, tracking
from experiments.exp007.config import SMOKE, Config


def train(run: tracking.Run[Config]) -> None:
    """4-bit weights → adapters → the best checkpoint by ROUGE of decoded dev summaries."""
    config = run.config
    model, tokenizer = models.pretrained(config.base, "causal", frozen=True)
    torch.manual_seed(config.seed)
    model = models.add_lora(model, tokenizer, config.lora, run.competition.tags)
    frame = tokenization.chat_frame(tokenizer, prompts.prompt(config=config.prompt))
    stages.fit(run, model, tokenizer, frame, base=config.base)


if __name__ == "__main__":
    tracking.main("train", __file__, Config(), SMOKE, train)
