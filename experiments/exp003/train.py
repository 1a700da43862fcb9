"""exp003, train: fine-tune all weights of KoBART."""

from common.models.pretrained import load_pretrained
from common.runs import Run, main
from common.tokenization.layout import seq2seq_template
from common.training.fitting import fit
from experiments.exp003.config import SMOKE, Config


def train(run: Run[Config]) -> None:
    """Fine-tune the pretrained weights; save the best checkpoint by ROUGE of decoded dev summaries."""
    model, tokenizer = load_pretrained(run.config.base, "seq2seq", frozen=False)
    fit(run, model, tokenizer, seq2seq_template(tokenizer))


if __name__ == "__main__":
    main("train", __file__, Config(), SMOKE, train)
