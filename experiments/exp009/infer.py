"""exp009, infer: choose the best decoding settings of a grid on dev, then decode with them."""

from dataclasses import replace

from common.generation import engines, inference
from common.generation.config import grid
from common.generation.inference import best_decoding
from common.runs import Run, main
from common.tokenization.layout import seq2seq_template
from experiments.exp009.config import SMOKE, Config


def infer(run: Run[Config]) -> None:
    """Choose decoding settings on dev; write candidates, post-processed predictions and dev scores."""
    config = run.config
    decoder, tokenizer = engines.decoder(run.folder / "best", config.decoding)
    template = seq2seq_template(tokenizer)
    best = best_decoding(run, decoder, tokenizer, template, grid(config.decoding, config.grid))
    chosen = replace(
        best, candidates=min(config.decoding.candidates, best.beams), samples=config.decoding.samples
    )
    inference.infer(run, decoder, tokenizer, template, decoding=chosen)


if __name__ == "__main__":
    main("infer", __file__, Config(), SMOKE, infer)
