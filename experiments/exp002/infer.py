"""exp002, infer: n-best summaries of dev and test by beam search."""

from common import generation, models, predictions, tokenization, tracking
from experiments.exp002.config import SMOKE, Config


def infer(run: tracking.Run[Config]) -> None:
    """Best checkpoint → candidates → post-processed predictions → dev scores."""
    config, best = run.config, run.folder / "best"
    tokenizer, model = tokenization.load_tokenizer(best), models.load(best)
    files = []
    for split in predictions.SPLITS:
        rows = run.split(split).rows
        sources = tokenization.sources(rows, tokenizer, config.lengths, [tokenizer.eos_token_id])
        path = run.folder / split / "candidates.jsonl"
        key = run.key(split, run.checkpoint)
        found = generation.generate(
            model, tokenizer, sources, config.decoding, path, key=key, seed=config.seed
        )
        texts = {name: candidates[0].text for name, candidates in found.items()}
        files += [path, predictions.write(run, split, config.postprocess, texts)]
    predictions.finish(run, files)


if __name__ == "__main__":
    tracking.main("infer", __file__, Config(), SMOKE, infer)
