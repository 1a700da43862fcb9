"""exp014, train: QLoRA on Qwen3-14B with one instruction; the loss covers the answer only."""

import torch

from common import prompts
from common.models.adapters import add_lora
from common.models.pretrained import load_pretrained
from common.runs import Run, main
from common.tokenization import chat
from common.tokenization.layout import chat_template
from common.training.fitting import fit
from experiments.exp014.config import SMOKE, Config


def train(run: Run[Config]) -> None:
    """Train adapters on 4-bit weights; save the best checkpoint by ROUGE of decoded dev summaries."""
    config = run.config
    model, tokenizer = load_pretrained(config.base, "causal", frozen=True)
    torch.manual_seed(config.seed)
    model = add_lora(model, tokenizer, config.lora, run.competition.tags)
    run.notes["chat"] = chat.notes(tokenizer, config.prompt)
    template = chat_template(tokenizer, prompts.prompt(config=config.prompt))
    fit(run, model, tokenizer, template, base=config.base)


if __name__ == "__main__":
    main("train", __file__, Config(), SMOKE, train)
