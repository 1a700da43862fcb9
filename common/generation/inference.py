"""The stages that all trained experiments share: train and record, decode and score."""

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from datasets import Dataset
from transformers import AutoConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers import PreTrainedConfig as ModelConfig

from common.core import distributed
from common.core.errors import UserError
from common.core.files import sha256_texts
from common.data.rows import Row
from common.generation import averaged, resumable
from common.generation.config import Decoder, DecodingConfig, end_tokens
from common.generation.resumable import dev_evaluation, dev_scores
from common.models import storage
from common.models.pretrained import PretrainedConfig
from common.models.storage import save_model
from common.postprocess import predictions
from common.postprocess.predictions import SPLITS
from common.postprocess.rules import PostprocessConfig, best_texts
from common.runs import candidates
from common.runs.candidates import Candidate
from common.runs.run import Run
from common.runs.scoring import score
from common.tokenization.tokenizer import (
    InputTemplate,
    LengthConfig,
    TemplateOf,
    collate_causal,
    collate_seq2seq,
    require_ids,
    sources,
    tokens_in,
    training_examples,
)
from common.training import loop
from common.training.losses import Batch, cross_entropy
from common.training.merge import MERGED as MERGED
from common.training.plan import TrainingConfig

log = logging.getLogger(__name__)


class InferSettings(Protocol):
    """The settings that decoding needs."""

    seed: int
    lengths: LengthConfig
    decoding: DecodingConfig
    postprocess: PostprocessConfig


class TrainSettings(InferSettings, Protocol):
    """The settings that training needs, those of decoding included."""

    dev_rows: int
    training: TrainingConfig


def fit(
    run: Run[Any],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    frame: InputTemplate | TemplateOf,
    *,
    base: PretrainedConfig | None = None,
    rows: Sequence[Row] | None = None,
    loss: Callable[..., torch.Tensor] = cross_entropy,
    words_of: Iterable[str] = (),
    examples: Dataset | None = None,
    collate: Callable[..., Batch] | None = None,
) -> None:
    """Train on the competition's rows and record the best checkpoint by ROUGE of decoded dev summaries.

    `base`: the pretrained weights that an adapter is trained on.
    `rows`: training rows to use instead of the split's own.
    `examples`: a data set to train on instead of the rows. `collate`: makes its batches; takes the examples and `pad`.
    `words_of`: when given, the loss only allows the tokens of these texts and of the training examples; `loss` must then
    take `words`. Pass the same texts to `engines.decoder`. Decoding also allows each dialogue's own tokens, and under
    FSDP all tokens.
    Raises UserError as `require_context` and `training.fit` do.
    """
    config: TrainSettings = run.config
    own, dev = run.split("train").rows, run.split("dev").rows
    require_ids(tokenizer)
    require_context(model.config, config)
    if source := getattr(model, "base_source", None):
        run.notes["base"] = source
        _note_origin(run, Path(source["model"]))
    examples_hash = ""
    if examples is None:
        chosen = own if rows is None else rows
        examples, run.notes["train_cuts"] = training_examples(chosen, tokenizer, config.lengths, frame)
    else:
        examples_hash = sha256_texts(map(str, examples))
    allowed = sorted(_allowed_tokens(model, tokenizer, words_of, examples))
    if collate is None:
        causal = not model.config.is_encoder_decoder
        collate = collate_causal if causal else collate_seq2seq
    result = loop.fit(
        model,
        examples,
        partial(collate, pad=tokenizer.pad_token_id),
        dev_evaluation(
            run.competition,
            dev[: config.dev_rows],
            tokenizer,
            config.lengths,
            frame,
            config.decoding,
            allowed,
        ),
        config.training,
        run.folder,
        seed=config.seed,
        # Include the decoding settings, because scores of summaries that were decoded differently are not comparable.
        fingerprint=f"{run.training_key}-{config.decoding.max_new_tokens}-{config.decoding.no_repeat_ngram}"
        f"{'-merged' if config.decoding.merge else ''}{examples_hash}",
        save_best=lambda best, folder, weights: save_model(best, tokenizer, folder, base, weights),
        loss=partial(loss, words=torch.as_tensor(allowed, device=model.device)) if allowed else loss,
        follow=run.tracker.follow,
    )
    run.finish(result=result)


def _note_origin(run: Run[Any], base: Path) -> None:
    """Mark this run stale when the run changes that `make merge` made its base from, if that run still exists."""
    if base.parent.name == MERGED and (run.folder.with_name(base.name) / "best").exists():
        run.uses_run(run.folder.with_name(base.name))


def _allowed_tokens(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, texts: Iterable[str], examples: Dataset
) -> set[int]:
    found = tokens_in(tokenizer, texts)
    ends = end_tokens(model.generation_config, tokenizer)
    return found.union(ends, *examples["source"], *examples["target"]) if found else found


def require_context(model: ModelConfig, config: InferSettings) -> None:
    """Raise UserError when the longest source and summary (for a causal model, their sum) exceed the model's context."""
    context = getattr(model, "max_position_embeddings", None)
    source, summary = config.lengths.max_source_tokens, config.decoding.max_new_tokens
    longest = max(source, summary) if model.is_encoder_decoder else source + summary
    if context and longest > context:
        raise UserError(
            f"this model's context is {context} tokens, which --max-source-tokens {source} "
            f"{'or' if model.is_encoder_decoder else 'and'} --max-new-tokens {summary} exceed; lower them (a trained run "
            "needs restart=1 for the former). Longer dialogues then lose whole turns from the middle."
        )


def _prepare(run: Run[Any]) -> None:
    """Record which other runs decode together with this one.

    Raises UserError when a dialogue or summary may be too long for a model.
    """
    config: InferSettings = run.config
    others = averaged.others(run.folder, config.decoding.average_with)
    for folder in others:
        run.uses_run(folder)
    for folder in (run.folder, *others):
        weights, _ = storage.weights(folder / "best")
        require_context(AutoConfig.from_pretrained(weights, trust_remote_code=False), config)


def infer(
    run: Run[Any],
    decoder: Decoder,
    tokenizer: PreTrainedTokenizerFast,
    *frames: InputTemplate | TemplateOf,
    decoding: DecodingConfig | None = None,
) -> None:
    """Write candidates of dev and test, post-processed predictions and dev scores.

    Each of several frames (prompts) adds its candidates to a dialogue; the prediction is the best of the first frame.
    With `run.dev_only` only the dev scores of the first frame are recorded, computed as during training.
    Raises UserError as `require_context` and `generation.generate` do.
    """
    config: InferSettings = run.config
    _prepare(run)
    if run.dev_only:
        run.notes["dev"] = _dev_scores(run, decoder, tokenizer, frames[0])
        return
    files = []
    for split in SPLITS:
        rows = run.split(split).rows
        path = run.folder / split / "candidates.jsonl"
        pooled: dict[str, list[Candidate]] = {row.id: [] for row in rows}
        for number, frame in enumerate(frames):
            inputs = sources(rows, tokenizer, config.lengths, frame)
            place = path if len(frames) == 1 else path.with_name(f"prompt-{number}.jsonl")
            found = resumable.generate(
                decoder,
                inputs,
                decoding or config.decoding,
                place,
                key=run.key(split, run.checkpoint, str(decoding), str(number)),
                seed=config.seed,
            )
            pooled = {name: pooled[name] + found[name] for name in pooled}
        if len(frames) > 1 and distributed.rank() == 0:
            candidates.write(path, pooled)
        files += [path, predictions.write(run, split, config.postprocess, pooled)]
    predictions.finish(run, files)


def _dev_scores(
    run: Run[Any], decoder: Decoder, tokenizer: PreTrainedTokenizerFast, frame: InputTemplate | TemplateOf
) -> dict[str, float]:
    """Return the scores of greedy summaries of the first `dev_rows` dev dialogues, as training evaluates them."""
    config: InferSettings = run.config
    rows = run.split("dev").rows[: run.config.dev_rows]
    evaluate = dev_scores(run.competition, rows, tokenizer, config.lengths, frame, config.decoding)
    return evaluate(lambda given, greedy: decoder(given, greedy, config.seed))


def best_decoding(
    run: Run[Any],
    decoder: Decoder,
    tokenizer: PreTrainedTokenizerFast,
    frame: InputTemplate | TemplateOf,
    grid: Sequence[DecodingConfig],
) -> DecodingConfig:
    """Return the setting of the grid whose predictions score best on dev, and record the whole table in the run's notes.

    The best of many dev scores is optimistic, not a fair estimate; the note therefore holds the number of settings tried.
    """
    config: InferSettings = run.config
    if run.dev_only:  # these scores use greedy decoding, so there is nothing to choose
        return config.decoding
    _prepare(run)
    rows = run.split("dev").rows
    references = {row.id: row.summaries for row in rows}
    inputs = sources(rows, tokenizer, config.lengths, frame)
    scores = []
    for number, decoding in enumerate(grid):
        path = run.folder / "grid" / f"setting-{number}.jsonl"
        key = run.key("grid", run.checkpoint, str(decoding))
        found = resumable.generate(decoder, inputs, decoding, path, key=key, seed=config.seed)
        texts = best_texts(config.postprocess, found)
        scores.append(score(texts, references, run.competition.dev_profile).headline)
        log.info("%.2f  %s", scores[-1], decoding)
    table = [{"decoding": str(decoding), "dev": dev} for decoding, dev in zip(grid, scores, strict=True)]
    run.notes["decoding_grid"] = {"tried": len(table), "table": table}
    return grid[scores.index(max(scores))]
