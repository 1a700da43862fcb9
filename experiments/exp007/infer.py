"""exp007, infer: a greedy summary and samples beside it."""

from common import engines, prompts, stages, tokenization, tracking
from experiments.exp007.config import SMOKE, Config


def infer(run: tracking.Run[Config]) -> None:
    """Best adapter on its base → candidates → post-processed predictions → dev scores."""
    decoder, tokenizer = engines.decoder(run.folder / "best", run.config.decoding)
    frame = tokenization.chat_frame(tokenizer, prompts.prompt(config=run.config.prompt))
    stages.infer(run, decoder, tokenizer, frame)


if __name__ == "__main__":
    tracking.main("infer", __file__, Config(), SMOKE, infer)
