"""exp008, train: fine-tune all weights of KoBART on the training rows and on rows made from them."""

from common import augment, models, stages, tokenization, tracking
from common.rows import Row
from experiments.exp008.config import SMOKE, Config


def mixed(run: tracking.Run[Config]) -> list[Row]:
    """Return the original and the augmented rows; record the number of each."""
    mix = run.config.mix
    train, others = run.split("train").rows, [*run.split("dev").rows, *run.split("test").rows]
    found: list[augment.AugmentedRow] = []
    for name in mix.made:
        rows = augment.read(run.competition, name, others)
        run.uses(augment.rows_path(run.competition.name, name), len(rows))
        found += rows
    for method in mix.local:
        found += augment.on_the_spot(method, run.competition, train, others, run.near_copy, run.config.seed)
    chosen = augment.mix(
        train, found, mix.ratio, mix.lowest_similarity, mix.highest_similarity, run.config.seed
    )
    run.notes["rows"] = {"original": len(train), "augmented": len(chosen) - len(train), "offered": len(found)}
    return chosen


def train(run: tracking.Run[Config]) -> None:
    """Train pretrained weights on the mixed rows; keep the best checkpoint by ROUGE of decoded dev summaries."""
    rows = mixed(run)
    model, tokenizer = models.pretrained(run.config.base, "seq2seq", frozen=False)
    stages.fit(run, model, tokenizer, tokenization.seq2seq_frame(tokenizer), rows=rows)


if __name__ == "__main__":
    tracking.main("train", __file__, Config(), SMOKE, train)
