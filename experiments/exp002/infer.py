"""exp002, infer: generate n-best summaries of dev and test with beam search."""

from common.generation import engines, inference
from common.runs import Run, main
from common.tokenization.layout import InputTemplate, TemplateOf
from common.tokenization.topics import guessed_topics, with_topics
from experiments.exp002.config import SMOKE, Config


def infer(run: Run[Config]) -> None:
    """Generate candidates with the best checkpoint, post-process the predictions and score dev."""
    decoder, tokenizer = engines.decoder(run.folder / "best", run.config.decoding)
    template: InputTemplate | TemplateOf = InputTemplate(suffix=(tokenizer.eos_token_id,))
    if run.config.topic:
        others = [*run.split("dev").rows, *run.split("test").rows]
        template = with_topics(template, tokenizer, guessed_topics(run.split("train").rows, others))
    inference.infer(run, decoder, tokenizer, template)


if __name__ == "__main__":
    main("infer", __file__, Config(), SMOKE, infer)
