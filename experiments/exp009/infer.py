"""exp009, infer: every decoding of a grid on dev, the best one on test."""

from dataclasses import replace

from common import decoding, engines, stages, tokenization, tracking
from experiments.exp009.config import SMOKE, Config


def infer(run: tracking.Run[Config]) -> None:
    """Best checkpoint → decoding grid on dev → candidates → predictions → dev scores."""
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
