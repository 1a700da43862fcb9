"""exp004, train: LoRA adapters on mBART-50, with Korean as source and target language."""

import torch

from common import models, stages, tokenization, tracking
from experiments.exp004.config import SMOKE, Config


def train(run: tracking.Run[Config]) -> None:
    """Set the language and train adapters; save the best checkpoint by ROUGE of decoded dev summaries."""
    config = run.config
    model, tokenizer = models.pretrained(config.base, "seq2seq", frozen=True)
    frame = tokenization.seq2seq_frame(tokenizer, config.language)
    models.set_language(model, tokenizer, config.language)
    torch.manual_seed(config.seed)
    model = models.add_lora(model, tokenizer, config.lora, run.competition.tags)
    stages.fit(run, model, tokenizer, frame, base=config.base)


if __name__ == "__main__":
    tracking.main("train", __file__, Config(), SMOKE, train)
