"""exp011, train: a BPE tokenizer and a small Qwen2 learn from the training rows, the loss on summaries only."""

import torch

from common import models, stages, tokenization, tracking
from common.dialogue import clean
from experiments.exp011.config import SMOKE, Config


def train(run: tracking.Run[Config]) -> None:
    """Rows → tokenizer → model → the best checkpoint by ROUGE of decoded dev summaries."""
    config = run.config
    texts = [clean(text) for row in run.split("train").rows for text in (row.dialogue, *row.summaries)]
    tokenizer = tokenization.train_bpe(texts, config.vocabulary, run.competition.tags)
    torch.manual_seed(config.seed)
    model = models.small_qwen2(config.model, tokenizer)
    # After the dialogue the start token says: now summarize.
    stages.fit(run, model, tokenizer, tokenization.Frame(after=(tokenizer.bos_token_id,)))


if __name__ == "__main__":
    tracking.main("train", __file__, Config(), SMOKE, train)
