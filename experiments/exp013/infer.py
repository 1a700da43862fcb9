"""exp013, infer: a greedy summary and samples."""

from common.generation import engines, inference
from common.runs import Run, main
from common.tokenization.layout import text_template
from common.tokenization.tokenizer import texts_of_rows
from experiments.exp013.config import ASK, SMOKE, Config


def infer(run: Run[Config]) -> None:
    """Decode with the best checkpoint; write candidates, post-processed predictions and dev scores."""
    vocabulary_texts = texts_of_rows(run.split("train").rows)
    decoder, tokenizer = engines.decoder(
        run.folder / "best", run.config.decoding, run.config.lengths, vocabulary_texts=vocabulary_texts
    )
    template = text_template(tokenizer, "", ASK)
    inference.infer(run, decoder, tokenizer, template)


if __name__ == "__main__":
    main("infer", __file__, Config(), SMOKE, infer)
