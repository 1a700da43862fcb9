"""exp004, infer: the n best summaries of beam search, and samples."""

from common.generation import engines, inference
from common.runs import Run, main
from common.tokenization.layout import seq2seq_template
from experiments.exp004.config import SMOKE, Config


def infer(run: Run[Config]) -> None:
    """Decode with the best checkpoint; write candidates, post-processed predictions and dev scores."""
    config = run.config
    decoder, tokenizer = engines.decoder(run.folder / "best", config.decoding)
    template = seq2seq_template(tokenizer, config.language)
    inference.infer(run, decoder, tokenizer, template)


if __name__ == "__main__":
    main("infer", __file__, Config(), SMOKE, infer)
