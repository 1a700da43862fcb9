"""exp012, infer: a greedy summary and samples."""

from common import engines, stages, tokenization, tracking
from experiments.exp012.config import SMOKE, Config


def infer(run: tracking.Run[Config]) -> None:
    """Decode with the best checkpoint; write candidates, post-processed predictions and dev scores."""
    config = run.config
    decoder, tokenizer = engines.decoder(run.folder / "best", config.decoding)
    others = [*run.split("dev").rows, *run.split("test").rows]
    train = run.split("train").rows
    frames = tokenization.chat_frames(tokenizer, config.prompt, config.lengths, train, others, run.near_copy)
    run.notes["shots_dropped"] = tokenization.shots_dropped(frames, others)
    stages.infer(run, decoder, tokenizer, frames)


if __name__ == "__main__":
    tracking.main("infer", __file__, Config(), SMOKE, infer)
