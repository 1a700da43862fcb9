"""exp013, train: sample a trained model's summaries of training dialogues and learn from their scores."""

from dataclasses import replace
from functools import partial

import torch

from common import drawing, merging, models, stages, tokenization, tracking
from common.files import shown
from common.training import reward
from experiments.exp013.config import ASK, SMOKE, Config


def train(run: tracking.Run[Config]) -> None:
    """Score own summaries and train new adapters on them; save the best checkpoint by ROUGE of decoded dev summaries."""
    config = run.config
    exp010 = shown(merging.folder(run.competition.name, "exp010"))
    base = replace(config.base, model=config.base.model or exp010)
    model, tokenizer = models.pretrained(base, "causal", frozen=True)
    frame = tokenization.text_frame(tokenizer, "", ASK)
    words_of = list(tokenization.texts_of(run.split("train").rows))
    examples = drawing.draw(run, model, tokenizer, frame, config.reward, words_of)
    torch.manual_seed(config.seed)
    model = models.add_lora(model, tokenizer, config.lora, run.competition.tags)
    loss = partial(reward.policy_gradient, clip=config.reward.clip)
    stages.fit(run, model, tokenizer, frame, base=base, examples=examples, collate=reward.collate,
               loss=loss, words_of=words_of)  # fmt: skip


if __name__ == "__main__":
    tracking.main("train", __file__, Config(), SMOKE, train)
