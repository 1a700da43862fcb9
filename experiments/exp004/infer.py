"""exp004, infer: n-best summaries by beam search, and samples beside them."""

from common import engines, stages, tokenization, tracking
from experiments.exp004.config import SMOKE, Config


def infer(run: tracking.Run[Config]) -> None:
    """Best checkpoint → candidates → post-processed predictions → dev scores."""
    config = run.config
    decoder, tokenizer = engines.decoder(run.folder / "best", config.decoding)
    frame = tokenization.seq2seq_frame(tokenizer, config.language)
    stages.infer(run, decoder, tokenizer, frame)


if __name__ == "__main__":
    tracking.main("infer", __file__, Config(), SMOKE, infer)
