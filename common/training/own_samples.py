"""Sample a model's own summaries of training dialogues and score them, as examples for the policy gradient."""

import json
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from common.core.errors import UserError
from common.core.files import sha256_texts, shown
from common.generation import resumable
from common.generation.config import DecodingConfig
from common.generation.cut import note_cut
from common.generation.hf import hf_decoder
from common.generation.inference import require_context
from common.generation.resumable import made_under
from common.runs.run import Run
from common.tokenization import examples
from common.tokenization.layout import InputTemplate, TemplateOf
from common.tokenization.tokenizer import require_ids, tokens_in
from common.training import reward
from common.training.checkpoints import newest_intact
from common.training.config import RewardConfig
from common.training.fitting import TrainSettings
from common.training.policy_gradient import require_possible, scored_examples


def sample_summaries(
    run: Run[Any],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    template: InputTemplate | TemplateOf,
    config: RewardConfig,
    vocabulary_texts: Iterable[str] = (),
) -> Dataset:
    """Return examples for `fitting.fit`: the model's own summaries of training dialogues, weighted by their rewards.

    The summaries are kept in train/candidates.jsonl of the run's folder, so that a killed run resumes there.
    Raises UserError as `require_possible`, `resumable.generate` and `scored_examples` do, and when the run has already
    trained on summaries that were sampled with other settings.
    """
    settings: TrainSettings = run.config
    rows = run.split("train").rows
    if 0 < config.dialogues < len(rows):
        rows = tuple(random.Random(settings.seed).sample(rows, config.dialogues))
    require_ids(tokenizer)
    require_context(model.config, settings)
    require_possible(model, settings.training.label_smoothing)
    decoding = DecodingConfig(
        candidates=1,
        beams=1,
        samples=config.sampled,
        samples_temperature=config.sampled_temperature,
        top_p=1.0,
        max_new_tokens=settings.decoding.max_new_tokens,
        no_repeat_ngram=settings.decoding.no_repeat_ngram,
        tokens_at_once=settings.decoding.tokens_at_once,
    )
    path = run.folder / "train" / "candidates.jsonl"
    # The key leaves out the batch size: lowering it after running out of memory must keep the summaries sampled so far.
    key = sha256_texts(
        [run.training_key, str(replace(decoding, tokens_at_once="auto")), json.dumps(getattr(model, "base_source", None))]
    )  # fmt: skip
    _require_not_begun(run, made_under(path), key)
    inputs = examples.sources(rows, tokenizer, settings.lengths, template)
    decoder = hf_decoder(model.eval(), tokenizer, tokens_in(tokenizer, vocabulary_texts))
    found = resumable.generate(decoder, inputs, decoding, path, key=key, seed=settings.seed)
    note_cut(run, "train", found, decoding)
    run.notes["tokens_at_once"] = resumable.agreed_budget(decoder, decoding)
    scores = reward.scores(rows, found, run.competition)
    run.notes["sampled"] = reward.summary(scores)
    rewards = reward.rewards(scores, found, run.competition, config.agreement)
    return scored_examples(rows, inputs, found, rewards, tokenizer, config, decoding.max_new_tokens)


def _require_not_begun(run: Run[Any], before: str | None, key: str) -> None:
    """Raise UserError when a checkpoint has learned from summaries that were sampled under another key."""
    if before not in (None, key) and newest_intact(run.folder / "checkpoints") is not None:
        raise UserError(
            f"{shown(run.folder)} learned from summaries that were sampled with other settings, data or weights. Run "
            "again with restart=1 to start over (the old run is moved aside)."
        )
