"""exp009, infer: choose the best decoding settings of a grid on dev, then decode with them."""

from dataclasses import replace

from common import decoding, engines, stages, tokenization, tracking
from experiments.exp009.config import SMOKE, Config


def infer(run: tracking.Run[Config]) -> None:
    """Choose decoding settings on dev; write candidates, post-processed predictions and dev scores."""
    config = run.config
    decoder, tokenizer = engines.decoder(run.folder / "best", config.decoding)
    frame = tokenization.seq2seq_frame(tokenizer)
    best = stages.best_decoding(run, decoder, tokenizer, frame, decoding.grid(config.decoding, config.grid))
    chosen = replace(
        best, candidates=min(config.decoding.candidates, best.beams), samples=config.decoding.samples
    )
    stages.infer(run, decoder, tokenizer, frame, decoding=chosen)


if __name__ == "__main__":
    tracking.main("infer", __file__, Config(), SMOKE, infer)
