"""exp002, infer: generate n-best summaries of dev and test with beam search."""

from common import engines, stages, tokenization, tracking
from experiments.exp002.config import SMOKE, Config


def infer(run: tracking.Run[Config]) -> None:
    """Generate candidates with the best checkpoint, post-process the predictions and score dev."""
    decoder, tokenizer = engines.decoder(run.folder / "best", run.config.decoding)
    template = tokenization.Frame(after=(tokenizer.eos_token_id,))
    stages.infer(run, decoder, tokenizer, template)


if __name__ == "__main__":
    tracking.main("infer", __file__, Config(), SMOKE, infer)
