"""exp013, train: sample a trained model's summaries of training dialogues and learn from their scores."""

from dataclasses import replace
from functools import partial

import torch

from common.models.adapters import add_lora, lora_targets
from common.models.pretrained import load_pretrained
from common.runs import Run, main
from common.tokenization.layout import text_template
from common.tokenization.tokenizer import texts_of_rows
from common.training.fitting import fit
from common.training.own_samples import sample_summaries
from common.training.policy_gradient import collate, policy_gradient
from experiments.exp013.config import ASK, SMOKE, Config


def train(run: Run[Config]) -> None:
    """Score own summaries and train new adapters on them; save the best checkpoint by ROUGE of decoded dev summaries."""
    config = run.config
    base = replace(config.base, model=config.start_model(run.competition))
    model, tokenizer = load_pretrained(base, "causal", frozen=True)
    lora_targets(model, config.lora.targets)  # a name without layers is refused before the samples are drawn
    template = text_template(tokenizer, "", ASK)
    vocabulary_texts = list(texts_of_rows(run.split("train").rows))
    examples = sample_summaries(run, model, tokenizer, template, config.reward, vocabulary_texts)
    torch.manual_seed(config.seed)
    model = add_lora(model, tokenizer, config.lora, run.competition.tags)
    loss = partial(policy_gradient, clip=config.reward.clip)
    fit(run, model, tokenizer, template, base=base, examples=examples, collate=collate,
               loss=loss, vocabulary_texts=vocabulary_texts)  # fmt: skip


if __name__ == "__main__":
    main("train", __file__, Config(), SMOKE, train)
