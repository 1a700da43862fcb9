"""Train an experiment's model on its rows and record the result."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from common.core.files import sha256_texts
from common.data.rows import Row
from common.data.sampled_rows import sampled_rows
from common.generation.decoder import end_tokens
from common.generation.dev_scores import dev_evaluation
from common.generation.inference import InferSettings, require_context
from common.models.config import PretrainedConfig
from common.models.merged_models import merged_run
from common.models.pretrained import device
from common.models.storage import save_model
from common.runs.run import Run
from common.tokenization.batches import collate_causal, collate_seq2seq
from common.tokenization.examples import training_examples
from common.tokenization.layout import InputTemplate, TemplateOf
from common.tokenization.tokenizer import require_ids, tokens_in
from common.training import loop
from common.training.config import TrainingConfig
from common.training.losses import Batch, cross_entropy


class TrainSettings(InferSettings, Protocol):
    """The settings that training needs, those of decoding included."""

    dev_rows: int
    training: TrainingConfig


def fit(
    run: Run[Any],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    template: InputTemplate | TemplateOf,
    *,
    base: PretrainedConfig | None = None,
    rows: Sequence[Row] | None = None,
    loss: Callable[..., torch.Tensor] = cross_entropy,
    vocabulary_texts: Iterable[str] = (),
    examples: Dataset | None = None,
    collate: Callable[..., Batch] | None = None,
) -> None:
    """Train on the competition's rows and record the best checkpoint by ROUGE of decoded dev summaries.

    `base`: the pretrained weights that an adapter is trained on.
    `rows`: training rows to use instead of the split's own.
    `examples`: a data set to train on instead of the rows. `collate`: makes its batches; takes the examples and `pad`.
    `vocabulary_texts`: when given, the loss only allows the tokens of these texts and of the training examples; `loss` must then
    take `allowed_tokens`. Pass the same texts to `engines.decoder`. Decoding also allows each dialogue's own tokens, and under
    FSDP all tokens.
    Raises UserError as `require_context` and `loop.fit` do.
    """
    config: TrainSettings = run.config
    own, dev = run.split("train").rows, run.split("dev").rows
    scored = sampled_rows(dev, config.dev_rows, config.seed)
    scored_hash = ""
    if len(scored) < len(dev):
        ids = [row.id for row in scored]
        run.notes["dev_rows"] = {"seed": config.seed, "of": len(dev), "ids": ids}
        scored_hash = f"-rows{sha256_texts(ids)}"
    require_ids(tokenizer)
    require_context(model.config, config)
    if source := getattr(model, "base_source", None):
        run.notes["base"] = source
        _note_origin(run, source["model"])
    examples_hash = ""
    if examples is None:
        chosen = own if rows is None else rows
        examples, run.notes["train_cuts"] = training_examples(
            chosen, tokenizer, config.lengths, _with_forced_start(template, model)
        )
    else:
        examples_hash = sha256_texts(map(str, examples))
    allowed = sorted(_allowed_tokens(model, tokenizer, vocabulary_texts, examples))
    if collate is None:
        causal = not model.config.is_encoder_decoder
        collate = collate_causal if causal else collate_seq2seq
    result = loop.fit(
        model,
        examples,
        partial(collate, pad=tokenizer.pad_token_id),
        dev_evaluation(
            run.competition,
            scored,
            tokenizer,
            config.lengths,
            template,
            config.decoding,
            allowed,
        ),
        config.training,
        run.folder,
        seed=config.seed,
        # Include the decoding settings and the dev dialogues: scores of summaries that were decoded differently, or of others,
        # are not comparable.
        fingerprint=f"{run.training_key}-{config.decoding.max_new_tokens}-{config.decoding.no_repeat_ngram}"
        f"{f'-penalty{config.decoding.repetition_penalty}' if config.decoding.repetition_penalty != 1 else ''}"
        f"{'-merged' if config.decoding.merge is True else ''}{examples_hash}{scored_hash}",
        save_best=lambda best, folder, weights: save_model(best, tokenizer, folder, base, weights),
        loss=partial(loss, allowed_tokens=torch.as_tensor(allowed, device=device())) if allowed else loss,
        follow=run.tracker.follow,
    )
    run.finish(result=result)


def _with_forced_start(
    template: InputTemplate | TemplateOf, model: PreTrainedModel
) -> InputTemplate | TemplateOf:
    """Return the template with the token that decoding forces a summary to begin with (BART's <s>), unless it has one.

    A model that never saw it in training would continue from a token that it does not know there.
    """
    start = model.generation_config.forced_bos_token_id
    if start is None or not model.config.is_encoder_decoder:
        return template

    def forced(one: InputTemplate) -> InputTemplate:
        return one if one.target_prefix else replace(one, target_prefix=(start,))

    return forced(template) if isinstance(template, InputTemplate) else lambda row: forced(template(row))


def _note_origin(run: Run[Any], base: str) -> None:
    """Mark this run stale when the run changes that `make merge` made its base from, if that run still exists."""
    origin = merged_run(base)
    if origin and (run.folder.with_name(origin) / "best").exists():
        run.uses_run(run.folder.with_name(origin))


def _allowed_tokens(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, texts: Iterable[str], examples: Dataset
) -> set[int]:
    found = tokens_in(tokenizer, texts)
    ends = end_tokens(model.generation_config, tokenizer)
    return found.union(ends, *examples["source"], *examples["target"]) if found else found
