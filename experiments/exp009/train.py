"""exp009, train: KoBART with R-Drop, label smoothing and a moving average of the weights."""

from functools import partial

from common import models, stages, tokenization, tracking, training
from experiments.exp009.config import SMOKE, Config


def train(run: tracking.Run[Config]) -> None:
    """Fine-tune with R-Drop; save the best averaged weights by ROUGE of decoded dev summaries."""
    config = run.config
    model, tokenizer = models.pretrained(config.base, "seq2seq", frozen=False)
    loss = partial(training.r_drop, alpha=config.r_drop) if config.r_drop else training.cross_entropy
    stages.fit(run, model, tokenizer, tokenization.seq2seq_frame(tokenizer), loss=loss)


if __name__ == "__main__":
    tracking.main("train", __file__, Config(), SMOKE, train)
