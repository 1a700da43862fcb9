"""exp012, infer: a greedy summary and samples."""

from common.generation import engines, inference
from common.runs import Run, main
from common.tokenization.layout import chat_templates, shots_dropped
from experiments.exp012.config import SMOKE, Config


def infer(run: Run[Config]) -> None:
    """Decode with the best checkpoint; write candidates, post-processed predictions and dev scores."""
    config = run.config
    decoder, tokenizer = engines.decoder(run.folder / "best", config.decoding, config.lengths)
    others = [*run.split("dev").rows, *run.split("test").rows]
    train = run.split("train").rows
    templates = chat_templates(tokenizer, config.prompt, config.lengths, train, others, run.near_copy)
    run.notes["shots_dropped"] = shots_dropped(templates, others)
    inference.infer(run, decoder, tokenizer, templates)


if __name__ == "__main__":
    main("infer", __file__, Config(), SMOKE, infer)
