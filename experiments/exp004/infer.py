"""exp004, infer: the n best summaries of beam search, and samples."""

from common import engines, stages, tokenization, tracking
from experiments.exp004.config import SMOKE, Config


def infer(run: tracking.Run[Config]) -> None:
    """Decode with the best checkpoint; write candidates, post-processed predictions and dev scores."""
    config = run.config
    decoder, tokenizer = engines.decoder(run.folder / "best", config.decoding)
    frame = tokenization.seq2seq_frame(tokenizer, config.language)
    stages.infer(run, decoder, tokenizer, frame)


if __name__ == "__main__":
    tracking.main("infer", __file__, Config(), SMOKE, infer)
