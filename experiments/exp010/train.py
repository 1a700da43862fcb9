"""exp010, train: LoRA adapters on a pretrained Gemma that writes the summary after the dialogue."""

from functools import partial

import torch

from common import models, stages, tokenization, tracking, training
from experiments.exp010.config import ASK, SMOKE, Config


def train(run: tracking.Run[Config]) -> None:
    """Train adapters; save the best checkpoint by ROUGE of decoded dev summaries."""
    config = run.config
    model, tokenizer = models.pretrained(config.base, "causal", frozen=True)
    torch.manual_seed(config.seed)
    model = models.add_lora(model, tokenizer, config.lora, run.competition.tags)
    frame = tokenization.text_frame(tokenizer, "", ASK)
    loss = partial(training.cross_entropy, source=config.source_loss)
    words_of = tokenization.texts_of(run.split("train").rows)
    stages.fit(run, model, tokenizer, frame, base=config.base, loss=loss, words_of=words_of)


if __name__ == "__main__":
    tracking.main("train", __file__, Config(), SMOKE, train)
