"""exp010, train: LoRA adapters on a pretrained Gemma that writes the summary after the dialogue."""

from functools import partial

import torch

from common.models.adapters import add_lora
from common.models.pretrained import load_pretrained
from common.runs import Run, main
from common.tokenization.layout import text_template
from common.tokenization.tokenizer import texts_of_rows
from common.training.fitting import fit
from common.training.losses import cross_entropy
from experiments.exp010.config import ASK, SMOKE, Config


def train(run: Run[Config]) -> None:
    """Train adapters; save the best checkpoint by ROUGE of decoded dev summaries."""
    config = run.config
    model, tokenizer = load_pretrained(config.base, "causal", frozen=True)
    torch.manual_seed(config.seed)
    model = add_lora(model, tokenizer, config.lora, run.competition.tags)
    template = text_template(tokenizer, "", ASK)
    loss = partial(cross_entropy, source=config.source_loss)
    vocabulary_texts = texts_of_rows(run.split("train").rows)
    fit(run, model, tokenizer, template, base=config.base, loss=loss, vocabulary_texts=vocabulary_texts)


if __name__ == "__main__":
    main("train", __file__, Config(), SMOKE, train)
