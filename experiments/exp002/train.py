"""exp002, train: train a BPE tokenizer and a small BART only on the training rows."""

import torch

from common.data.dialogue import clean
from common.models.small import small_bart
from common.runs import Run, main
from common.tokenization.layout import InputTemplate, TemplateOf
from common.tokenization.tokenizer import train_bpe
from common.tokenization.topics import guessed_topics, with_topics
from common.training.fitting import fit
from experiments.exp002.config import SMOKE, Config


def train(run: Run[Config]) -> None:
    """Train the tokenizer, then the model; keep the checkpoint with the best ROUGE of decoded dev summaries."""
    config = run.config
    train_rows = run.split("train").rows
    texts = [clean(text) for row in train_rows for text in (row.dialogue, *row.summaries)]
    tokenizer = train_bpe(texts, config.vocabulary, run.competition.tags)
    torch.manual_seed(config.seed)
    model = small_bart(config.model, tokenizer)
    template: InputTemplate | TemplateOf = InputTemplate(suffix=(tokenizer.eos_token_id,))
    if config.topic:
        template = with_topics(template, tokenizer, guessed_topics(train_rows, run.split("dev").rows))
    fit(run, model, tokenizer, template)


if __name__ == "__main__":
    main("train", __file__, Config(), SMOKE, train)
