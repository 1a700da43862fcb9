"""exp014, infer: a greedy summary and samples."""

from common import prompts
from common.generation import engines, inference
from common.runs import Run, main
from common.tokenization import chat
from common.tokenization.layout import chat_template
from experiments.exp014.config import SMOKE, Config


def infer(run: Run[Config]) -> None:
    """Decode with the best adapter on its base; write candidates, post-processed predictions and dev scores."""
    decoder, tokenizer = engines.decoder(run.folder / "best", run.config.decoding, run.config.lengths)
    run.notes["chat"] = chat.notes(tokenizer, run.config.prompt)
    template = chat_template(tokenizer, prompts.prompt(config=run.config.prompt))
    inference.infer(run, decoder, tokenizer, template)


if __name__ == "__main__":
    main("infer", __file__, Config(), SMOKE, infer)
