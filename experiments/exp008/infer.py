"""exp008, infer: generate n-best summaries by beam search, plus samples."""

from common.generation import engines, inference
from common.runs import Run, main
from common.tokenization.layout import seq2seq_template
from experiments.exp008.config import SMOKE, Config


def infer(run: Run[Config]) -> None:
    """Generate candidates with the best checkpoint, write post-processed predictions and dev scores."""
    decoder, tokenizer = engines.decoder(run.folder / "best", run.config.decoding)
    inference.infer(run, decoder, tokenizer, seq2seq_template(tokenizer))


if __name__ == "__main__":
    main("infer", __file__, Config(), SMOKE, infer)
