"""exp010, infer: a greedy summary and samples."""

from common.generation import engines, inference
from common.runs.run import Run, main
from common.tokenization.tokenizer import text_template, texts_of_rows
from experiments.exp010.config import ASK, SMOKE, Config


def infer(run: Run[Config]) -> None:
    """Decode with the best checkpoint; write candidates, post-processed predictions and dev scores."""
    words_of = texts_of_rows(run.split("train").rows)
    decoder, tokenizer = engines.decoder(run.folder / "best", run.config.decoding, words_of=words_of)
    frame = text_template(tokenizer, "", ASK)
    inference.infer(run, decoder, tokenizer, frame)


if __name__ == "__main__":
    main("infer", __file__, Config(), SMOKE, infer)
