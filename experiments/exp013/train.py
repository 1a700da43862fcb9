"""exp013, train: sample a trained model's summaries of training dialogues and learn from their scores."""

from dataclasses import replace
from functools import partial

import torch

from common.core.files import shown
from common.generation.inference import fit
from common.models.adapters import add_lora
from common.models.pretrained import load_pretrained
from common.runs.run import Run, main
from common.tokenization.tokenizer import text_template, texts_of_rows
from common.training import reward
from common.training.merge import merged_folder
from common.training.own_samples import sample_summaries
from common.training.reward import policy_gradient
from experiments.exp013.config import ASK, SMOKE, Config


def train(run: Run[Config]) -> None:
    """Score own summaries and train new adapters on them; save the best checkpoint by ROUGE of decoded dev summaries."""
    config = run.config
    exp010 = shown(merged_folder(run.competition.name, "exp010"))
    base = replace(config.base, model=config.base.model or exp010)
    model, tokenizer = load_pretrained(base, "causal", frozen=True)
    frame = text_template(tokenizer, "", ASK)
    words_of = list(texts_of_rows(run.split("train").rows))
    examples = sample_summaries(run, model, tokenizer, frame, config.reward, words_of)
    torch.manual_seed(config.seed)
    model = add_lora(model, tokenizer, config.lora, run.competition.tags)
    loss = partial(policy_gradient, clip=config.reward.clip)
    fit(run, model, tokenizer, frame, base=base, examples=examples, collate=reward.collate,
               loss=loss, words_of=words_of)  # fmt: skip


if __name__ == "__main__":
    main("train", __file__, Config(), SMOKE, train)
