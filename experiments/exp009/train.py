"""exp009, train: KoBART with R-Drop, label smoothing and a moving average of the weights."""

from functools import partial

from common.models.pretrained import load_pretrained
from common.runs import Run, main
from common.tokenization.layout import seq2seq_template
from common.training.fitting import fit
from common.training.losses import cross_entropy, r_drop
from experiments.exp009.config import SMOKE, Config


def train(run: Run[Config]) -> None:
    """Fine-tune with R-Drop; save the best averaged weights by ROUGE of decoded dev summaries."""
    config = run.config
    model, tokenizer = load_pretrained(config.base, "seq2seq", frozen=False)
    loss = partial(r_drop, alpha=config.r_drop) if config.r_drop else cross_entropy
    fit(run, model, tokenizer, seq2seq_template(tokenizer), loss=loss)


if __name__ == "__main__":
    main("train", __file__, Config(), SMOKE, train)
