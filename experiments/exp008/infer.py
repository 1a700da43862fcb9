"""exp008, infer: n-best summaries by beam search, and samples beside them."""

from common import engines, stages, tokenization, tracking
from experiments.exp008.config import SMOKE, Config


def infer(run: tracking.Run[Config]) -> None:
    """Best checkpoint → candidates → post-processed predictions → dev scores."""
    decoder, tokenizer = engines.decoder(run.folder / "best", run.config.decoding)
    stages.infer(run, decoder, tokenizer, tokenization.seq2seq_frame(tokenizer))


if __name__ == "__main__":
    tracking.main("infer", __file__, Config(), SMOKE, infer)
