"""exp012, infer: a greedy summary and samples, from one prompt or several."""

from dataclasses import replace

from common.generation import engines, inference
from common.runs import Run, main
from common.tokenization import chat
from common.tokenization.layout import chat_templates, shots_dropped
from common.tokenization.topics import guessed_topics, with_topics
from experiments.exp012.config import SMOKE, Config


def infer(run: Run[Config]) -> None:
    """Decode with the best checkpoint; write candidates, post-processed predictions and dev scores."""
    config = run.config
    decoder, tokenizer = engines.decoder(run.folder / "best", config.decoding, config.lengths)
    others = [*run.split("dev").rows, *run.split("test").rows]
    train = run.split("train").rows
    prompts = [replace(config.prompt, style=style) for style in config.styles or (config.prompt.style,)]
    templates = [
        chat_templates(tokenizer, prompt, config.lengths, train, others, run.near_copy) for prompt in prompts
    ]
    run.notes["chat"] = chat.notes(tokenizer, config.prompt)
    run.notes["shots_dropped"] = [shots_dropped(template, others) for template in templates]
    if config.topic:
        topics = guessed_topics(train, others)
        templates = [with_topics(template, tokenizer, topics) for template in templates]
    inference.infer(run, decoder, tokenizer, *templates)


if __name__ == "__main__":
    main("infer", __file__, Config(), SMOKE, infer)
