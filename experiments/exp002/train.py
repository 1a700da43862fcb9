"""exp002, train: a BPE tokenizer and a small BART learn from the training rows alone."""

from functools import partial

import torch

from common import models, tokenization, tracking, training
from common.dialogue import clean
from common.generation import dev_evaluation
from experiments.exp002.config import SMOKE, Config


def train(run: tracking.Run[Config]) -> None:
    """Rows → tokenizer → examples → model → the best checkpoint by ROUGE of decoded dev summaries."""
    config = run.config
    rows, dev = run.split("train").rows, run.split("dev").rows
    texts = [clean(text) for row in rows for text in (row.dialogue, *row.summaries)]
    tokenizer = tokenization.train_bpe(texts, config.vocabulary, run.competition.tags)
    ending = [tokenizer.eos_token_id]
    examples, run.notes["train_cuts"] = tokenization.examples(rows, tokenizer, config.lengths, ending)
    torch.manual_seed(config.seed)
    model = models.small_bart(config.model, tokenizer)
    result = training.fit(
        model,
        examples,
        partial(tokenization.collate_seq2seq, pad=tokenizer.pad_token_id),
        dev_evaluation(run.competition, dev[: config.dev_rows], tokenizer, config.lengths, ending),
        config.training,
        run.folder,
        seed=config.seed,
        fingerprint=run.training_key,
        save_best=lambda best, folder: models.save(best, tokenizer, folder),
    )
    run.finish(result=result)


if __name__ == "__main__":
    tracking.main("train", __file__, Config(), SMOKE, train)
