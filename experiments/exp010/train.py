"""exp010, train: LoRA adapters on a pretrained Gemma that writes the summary after the dialogue."""

from functools import partial

import torch

from common.generation.inference import fit
from common.models.adapters import add_lora
from common.models.pretrained import load_pretrained
from common.runs.run import Run, main
from common.tokenization.tokenizer import text_template, texts_of_rows
from common.training.losses import cross_entropy
from experiments.exp010.config import ASK, SMOKE, Config


def train(run: Run[Config]) -> None:
    """Train adapters; save the best checkpoint by ROUGE of decoded dev summaries."""
    config = run.config
    model, tokenizer = load_pretrained(config.base, "causal", frozen=True)
    torch.manual_seed(config.seed)
    model = add_lora(model, tokenizer, config.lora, run.competition.tags)
    frame = text_template(tokenizer, "", ASK)
    loss = partial(cross_entropy, source=config.source_loss)
    words_of = texts_of_rows(run.split("train").rows)
    fit(run, model, tokenizer, frame, base=config.base, loss=loss, words_of=words_of)


if __name__ == "__main__":
    main("train", __file__, Config(), SMOKE, train)
