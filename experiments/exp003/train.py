"""exp003, train: fine-tune all weights of KoBART."""

from common import models, stages, tokenization, tracking
from experiments.exp003.config import SMOKE, Config


def train(run: tracking.Run[Config]) -> None:
    """Fine-tune the pretrained weights; save the best checkpoint by ROUGE of decoded dev summaries."""
    model, tokenizer = models.pretrained(run.config.base, "seq2seq", frozen=False)
    stages.fit(run, model, tokenizer, tokenization.seq2seq_frame(tokenizer))


if __name__ == "__main__":
    tracking.main("train", __file__, Config(), SMOKE, train)
