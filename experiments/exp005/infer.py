"""exp005, infer: summarize each dialogue after showing the most similar solved ones of the train split."""

from dataclasses import replace

from common import engines, stages, tokenization, tracking
from experiments.exp005.config import SMOKE, Config


def infer(run: tracking.Run[Config]) -> None:
    """Select shots by BM25, build prompts of several styles, generate candidates, write predictions and dev scores."""
    config = run.config
    decoder, tokenizer = engines.decoder(run.folder / "best", config.decoding)
    train, others = run.split("train").rows, [*run.split("dev").rows, *run.split("test").rows]
    prompts = [replace(config.prompt, style=style) for style in config.styles]
    frames = [
        tokenization.chat_frames(tokenizer, prompt, config.lengths, train, others, run.near_copy)
        for prompt in prompts
    ]
    run.notes["shots_dropped"] = [tokenization.shots_dropped(frame, others) for frame in frames]
    stages.infer(run, decoder, tokenizer, *frames)


if __name__ == "__main__":
    tracking.main("infer", __file__, Config(), SMOKE, infer)
