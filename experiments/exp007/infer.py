"""exp007, infer: a greedy summary and samples."""

from common import engines, prompts, stages, tokenization, tracking
from experiments.exp007.config import SMOKE, Config


def infer(run: tracking.Run[Config]) -> None:
    """Decode with the best adapter on its base; write candidates, post-processed predictions and dev scores."""
    decoder, tokenizer = engines.decoder(run.folder / "best", run.config.decoding)
    frame = tokenization.chat_frame(tokenizer, prompts.prompt(config=run.config.prompt))
    stages.infer(run, decoder, tokenizer, frame)


if __name__ == "__main__":
    tracking.main("infer", __file__, Config(), SMOKE, infer)
