"""exp012, train: adapters or all weights of a large Qwen2.5, on one or several GPUs."""

from functools import partial

import torch

from common import drawing, models, stages, tokenization, tracking, training
from common.training import reward
from experiments.exp012.config import SMOKE, Config


def train(run: tracking.Run[Config]) -> None:
    """Train adapters or all weights; save the best checkpoint by ROUGE of decoded dev summaries."""
    config = run.config
    model, tokenizer = models.pretrained(
        config.base, "causal", frozen=config.adapter, sharded=config.training.sharding == "fsdp"
    )
    torch.manual_seed(config.seed)
    if config.adapter:
        model = models.add_lora(model, tokenizer, config.lora, run.competition.tags)
    others = [*run.split("dev").rows, *run.split("test").rows]
    train_rows = run.split("train").rows
    frames = tokenization.chat_frames(
        tokenizer, config.prompt, config.lengths, train_rows, others, run.near_copy
    )
    run.notes["shots_dropped"] = tokenization.shots_dropped(frames, train_rows)
    loss = partial(training.cross_entropy, source=config.source_loss)
    if config.r_drop:
        loss = partial(training.r_drop, alpha=config.r_drop)
    examples = collate = None
    if config.own_scores:
        examples, collate = drawing.draw(run, model, tokenizer, frames, config.reward), reward.collate
        loss = partial(reward.policy_gradient, clip=config.reward.clip)
    stages.fit(run, model, tokenizer, frames, base=config.base, loss=loss, examples=examples, collate=collate)


if __name__ == "__main__":
    tracking.main("train", __file__, Config(), SMOKE, train)
