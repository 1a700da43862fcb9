"""exp013, infer: a greedy summary and samples."""

from common import engines, stages, tokenization, tracking
from experiments.exp013.config import ASK, SMOKE, Config


def infer(run: tracking.Run[Config]) -> None:
    """Decode with the best checkpoint; write candidates, post-processed predictions and dev scores."""
    words_of = tokenization.texts_of(run.split("train").rows)
    decoder, tokenizer = engines.decoder(run.folder / "best", run.config.decoding, words_of=words_of)
    frame = tokenization.text_frame(tokenizer, "", ASK)
    stages.infer(run, decoder, tokenizer, frame)


if __name__ == "__main__":
    tracking.main("infer", __file__, Config(), SMOKE, infer)
