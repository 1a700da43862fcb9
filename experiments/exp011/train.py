"""exp011, train: train a BPE tokenizer and a small Qwen2 on the training rows; only summary tokens count in the loss."""

import torch

from common.data.dialogue import clean
from common.models.small import small_qwen2
from common.runs import Run, main
from common.tokenization.layout import InputTemplate
from common.tokenization.tokenizer import train_bpe
from common.training.fitting import fit
from experiments.exp011.config import SMOKE, Config


def train(run: Run[Config]) -> None:
    """Train the tokenizer, then the model; keep the checkpoint with the best ROUGE of decoded dev summaries."""
    config = run.config
    texts = [clean(text) for row in run.split("train").rows for text in (row.dialogue, *row.summaries)]
    tokenizer = train_bpe(texts, config.vocabulary, run.competition.tags)
    torch.manual_seed(config.seed)
    model = small_qwen2(config.model, tokenizer)
    # The start token after the dialogue marks where the summary begins.
    fit(run, model, tokenizer, InputTemplate(suffix=(tokenizer.bos_token_id,)))


if __name__ == "__main__":
    main("train", __file__, Config(), SMOKE, train)
