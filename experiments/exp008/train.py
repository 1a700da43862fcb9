"""exp008, train: fine-tune all weights of KoBART on the training rows and on rows made from them."""

from common import augment
from common.augment import AugmentedRow, augment_in_memory, rows_path
from common.data.rows import Row
from common.models.pretrained import load_pretrained
from common.runs import Run, main
from common.tokenization.layout import seq2seq_template
from common.training.fitting import fit
from experiments.exp008.config import SMOKE, Config


def mixed(run: Run[Config]) -> list[Row]:
    """Return the original and the augmented rows; record the number of each."""
    mix = run.config.mix
    train, others = run.split("train").rows, [*run.split("dev").rows, *run.split("test").rows]
    found: list[AugmentedRow] = []
    for name in mix.made:
        rows = augment.read(run.competition, name, others)
        run.uses(rows_path(run.competition.name, name), len(rows))
        found += rows
    for method in mix.local:
        found += augment_in_memory(method, run.competition, train, others, run.near_copy, run.config.seed)
    chosen = augment.mix(
        train, found, mix.ratio, mix.lowest_similarity, mix.highest_similarity, run.config.seed
    )
    run.notes["rows"] = {"original": len(train), "augmented": len(chosen) - len(train), "offered": len(found)}
    return chosen


def train(run: Run[Config]) -> None:
    """Train pretrained weights on the mixed rows; keep the best checkpoint by ROUGE of decoded dev summaries."""
    rows = mixed(run)
    model, tokenizer = load_pretrained(run.config.base, "seq2seq", frozen=False)
    fit(run, model, tokenizer, seq2seq_template(tokenizer), rows=rows)


if __name__ == "__main__":
    main("train", __file__, Config(), SMOKE, train)
