"""exp003, infer: the n best summaries of beam search, and samples."""

from common import engines, stages, tokenization, tracking
from experiments.exp003.config import SMOKE, Config


def infer(run: tracking.Run[Config]) -> None:
    """Decode with the best checkpoint; write candidates, post-processed predictions and dev scores."""
    decoder, tokenizer = engines.decoder(run.folder / "best", run.config.decoding)
    stages.infer(run, decoder, tokenizer, tokenization.seq2seq_frame(tokenizer))


if __name__ == "__main__":
    tracking.main("infer", __file__, Config(), SMOKE, infer)
