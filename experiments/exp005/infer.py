"""exp005, infer: summarize each dialogue after showing the most similar solved ones of the train split."""

from dataclasses import replace

from common.generation import engines, inference
from common.runs import Run, main
from common.tokenization import chat
from common.tokenization.layout import chat_templates, shots_dropped
from experiments.exp005.config import SMOKE, Config


def infer(run: Run[Config]) -> None:
    """Select shots by BM25, build prompts of several styles, generate candidates, write predictions and dev scores."""
    config = run.config
    decoder, tokenizer = engines.decoder(run.folder / "best", config.decoding, config.lengths)
    train, others = run.split("train").rows, [*run.split("dev").rows, *run.split("test").rows]
    prompts = [replace(config.prompt, style=style) for style in config.styles]
    templates = [
        chat_templates(tokenizer, prompt, config.lengths, train, others, run.near_copy) for prompt in prompts
    ]
    run.notes["chat"] = chat.notes(tokenizer, config.prompt)
    run.notes["shots_dropped"] = [shots_dropped(template, others) for template in templates]
    inference.infer(run, decoder, tokenizer, *templates)


if __name__ == "__main__":
    main("infer", __file__, Config(), SMOKE, infer)
