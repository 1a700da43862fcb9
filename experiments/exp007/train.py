"""exp007, train: QLoRA on Qwen2.5 with one instruction; the loss covers the answer only."""

import torch

from common import models, prompts, stages, tokenization, tracking
from experiments.exp007.config import SMOKE, Config


def train(run: tracking.Run[Config]) -> None:
    """Train adapters on 4-bit weights; save the best checkpoint by ROUGE of decoded dev summaries."""
    config = run.config
    model, tokenizer = models.pretrained(config.base, "causal", frozen=True)
    torch.manual_seed(config.seed)
    model = models.add_lora(model, tokenizer, config.lora, run.competition.tags)
    frame = tokenization.chat_frame(tokenizer, prompts.prompt(config=config.prompt))
    stages.fit(run, model, tokenizer, frame, base=config.base)


if __name__ == "__main__":
    tracking.main("train", __file__, Config(), SMOKE, train)
