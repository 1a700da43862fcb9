"""exp002, infer: n-best summaries of dev and test by beam search."""

from common import engines, stages, tokenization, tracking
from experiments.exp002.config import SMOKE, Config


def infer(run: tracking.Run[Config]) -> None:
    """Best checkpoint → candidates → post-processed predictions → dev scores."""
    decoder, tokenizer = engines.decoder(run.folder / "best", run.config.decoding)
    frame = tokenization.Frame(after=(tokenizer.eos_token_id,))
    stages.infer(run, decoder, tokenizer, frame)


if __name__ == "__main__":
    tracking.main("infer", __file__, Config(), SMOKE, infer)
