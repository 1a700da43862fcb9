"""exp011, infer: generate n-best summaries of dev and test with beam search."""

from common.generation import engines, inference
from common.runs import Run, main
from common.tokenization.layout import InputTemplate
from experiments.exp011.config import SMOKE, Config


def infer(run: Run[Config]) -> None:
    """Generate candidates with the best checkpoint, post-process the predictions and score dev."""
    decoder, tokenizer = engines.decoder(run.folder / "best", run.config.decoding, run.config.lengths)
    template = InputTemplate(suffix=(tokenizer.bos_token_id,))
    inference.infer(run, decoder, tokenizer, template)


if __name__ == "__main__":
    main("infer", __file__, Config(), SMOKE, infer)
