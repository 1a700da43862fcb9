"""exp012, train: adapters or all weights of a large Qwen2.5, on one or several GPUs."""

from functools import partial

import torch

from common.models.adapters import add_lora
from common.models.pretrained import load_pretrained
from common.runs import Run, main
from common.tokenization import chat
from common.tokenization.layout import chat_templates, shots_dropped
from common.tokenization.topics import guessed_topics, with_topics
from common.training import policy_gradient
from common.training.fitting import fit
from common.training.losses import cross_entropy, r_drop
from common.training.own_samples import sample_summaries
from experiments.exp012.config import SMOKE, Config


def train(run: Run[Config]) -> None:
    """Train adapters or all weights; save the best checkpoint by ROUGE of decoded dev summaries."""
    config = run.config
    model, tokenizer = load_pretrained(
        config.base, "causal", frozen=config.adapter, sharded=config.training.sharding == "fsdp"
    )
    torch.manual_seed(config.seed)
    if config.adapter:
        model = add_lora(model, tokenizer, config.lora, run.competition.tags)
    others = [*run.split("dev").rows, *run.split("test").rows]
    train_rows = run.split("train").rows
    templates = chat_templates(tokenizer, config.prompt, config.lengths, train_rows, others, run.near_copy)
    run.notes["chat"] = chat.notes(tokenizer, config.prompt)
    run.notes["shots_dropped"] = shots_dropped(templates, train_rows)
    if config.topic:
        templates = with_topics(templates, tokenizer, guessed_topics(train_rows, others))
    loss = partial(cross_entropy, source=config.source_loss)
    if config.r_drop:
        loss = partial(r_drop, alpha=config.r_drop)
    examples = collate = None
    if config.own_scores:
        examples, collate = (
            sample_summaries(run, model, tokenizer, templates, config.reward),
            policy_gradient.collate,
        )
        loss = partial(policy_gradient.policy_gradient, clip=config.reward.clip)
    fit(run, model, tokenizer, templates, base=config.base, loss=loss, examples=examples, collate=collate)


if __name__ == "__main__":
    main("train", __file__, Config(), SMOKE, train)
