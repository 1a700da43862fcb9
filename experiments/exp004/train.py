"""exp004, train: LoRA adapters on mBART-50, with Korean as source and target language."""

import torch

from common.models.adapters import add_lora
from common.models.pretrained import load_pretrained, set_language
from common.runs import Run, main
from common.tokenization.layout import seq2seq_template
from common.training.fitting import fit
from experiments.exp004.config import SMOKE, Config


def train(run: Run[Config]) -> None:
    """Set the language and train adapters; save the best checkpoint by ROUGE of decoded dev summaries."""
    config = run.config
    model, tokenizer = load_pretrained(config.base, "seq2seq", frozen=True)
    template = seq2seq_template(tokenizer, config.language)
    set_language(model, tokenizer, config.language)
    torch.manual_seed(config.seed)
    model = add_lora(model, tokenizer, config.lora, run.competition.tags)
    fit(run, model, tokenizer, template, base=config.base)


if __name__ == "__main__":
    main("train", __file__, Config(), SMOKE, train)
