"""What every trained experiment does around its idea: fit and record, decode and score."""

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from datasets import Dataset
from transformers import AutoConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers import PreTrainedConfig as ModelConfig

from common import candidates, generation, models, postprocess, predictions, processes, tokenization, training
from common.candidates import Candidate
from common.decoding import Decoder, DecodingConfig, end_tokens
from common.engines import averaged, saved
from common.errors import UserError
from common.files import sha256_texts
from common.merging import FOLDER as MERGED
from common.models import PretrainedConfig
from common.postprocess import PostprocessConfig
from common.rows import Row
from common.scoring import score
from common.tokenization import Frame, FrameOf, LengthConfig
from common.tracking import Run
from common.training import TrainingConfig

log = logging.getLogger(__name__)


class InferSettings(Protocol):
    """What decoding needs to know."""

    seed: int
    lengths: LengthConfig
    decoding: DecodingConfig
    postprocess: PostprocessConfig


class TrainSettings(InferSettings, Protocol):
    """What training needs to know besides."""

    dev_rows: int
    training: TrainingConfig


def fit(
    run: Run[Any],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    frame: Frame | FrameOf,
    *,
    base: PretrainedConfig | None = None,
    rows: Sequence[Row] | None = None,
    loss: Callable[..., torch.Tensor] = training.cross_entropy,
    words_of: Iterable[str] = (),
    examples: Dataset | None = None,
    collate: Callable[..., training.Batch] | None = None,
) -> None:
    """Train on the competition's rows; the best checkpoint by ROUGE of decoded dev summaries is recorded.

    `base`: where an adapter's weights came from. `rows`: other training rows than the split's own.
    `examples` and `collate`: learn from these instead, made into batches by that, which takes `pad`.
    `words_of`: when given, the tokens of these texts and of the training rows are the vocabulary that the loss (a
    `training.losses.Loss` that takes `words`) is over. `engines.decoder` is to have the texts too; what decodes may
    write a dialogue's own tokens besides, and under FSDP all.
    Raises UserError as `training.fit` does.
    """
    config: TrainSettings = run.config
    own, dev = run.split("train").rows, run.split("dev").rows
    tokenization.require_ids(tokenizer)
    require_context(model.config, config)
    if source := getattr(model, "base_source", None):
        run.notes["base"] = source
        _note_origin(run, Path(source["model"]))
    learnt_from = ""
    if examples is None:
        chosen = own if rows is None else rows
        examples, run.notes["train_cuts"] = tokenization.examples(chosen, tokenizer, config.lengths, frame)
    else:
        learnt_from = sha256_texts(map(str, examples))
    words = sorted(_words(model, tokenizer, words_of, examples))
    if collate is None:
        causal = not model.config.is_encoder_decoder
        collate = tokenization.collate_causal if causal else tokenization.collate_seq2seq
    result = training.fit(
        model,
        examples,
        partial(collate, pad=tokenizer.pad_token_id),
        generation.dev_evaluation(
            run.competition, dev[: config.dev_rows], tokenizer, config.lengths, frame, config.decoding, words
        ),
        config.training,
        run.folder,
        seed=config.seed,
        # Scores of summaries that were decoded otherwise do not tell which checkpoint is the best.
        fingerprint=f"{run.training_key}-{config.decoding.max_new_tokens}-{config.decoding.no_repeat_ngram}"
        f"{'-merged' if config.decoding.merge else ''}{learnt_from}",
        save_best=lambda best, folder, weights: models.save(best, tokenizer, folder, base, weights),
        loss=partial(loss, words=torch.as_tensor(words, device=model.device)) if words else loss,
        follow=run.tracker.follow,
    )
    run.finish(result=result)


def _note_origin(run: Run[Any], base: Path) -> None:
    """Let a run that goes on from what `make merge` wrote be stale with the run that was merged, while that is here."""
    if base.parent.name == MERGED and (run.folder.with_name(base.name) / "best").exists():
        run.uses_run(run.folder.with_name(base.name))


def _words(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, texts: Iterable[str], examples: Dataset
) -> set[int]:
    found = tokenization.words_in(tokenizer, texts)
    ends = end_tokens(model.generation_config, tokenizer)
    return found.union(ends, *examples["source"], *examples["target"]) if found else found


def require_context(model: ModelConfig, config: InferSettings) -> None:
    """Raises UserError when the longest source and summary, which a causal model reads as one, exceed its context."""
    context = getattr(model, "max_position_embeddings", None)
    source, summary = config.lengths.max_source_tokens, config.decoding.max_new_tokens
    longest = max(source, summary) if model.is_encoder_decoder else source + summary
    if context and longest > context:
        raise UserError(
            f"this model reads {context} tokens, and --max-source-tokens {source} "
            f"{'or' if model.is_encoder_decoder else 'and'} --max-new-tokens {summary} make more; lower them (after "
            "training the former wants restart=1): longer dialogues lose whole turns from the middle."
        )


def _prepare(run: Run[Any]) -> None:
    """Note which other runs decode along. Raises UserError when a dialogue or summary may be too long for a model."""
    config: InferSettings = run.config
    others = averaged.others(run.folder, config.decoding.average_with)
    for folder in others:
        run.uses_run(folder)
    for folder in (run.folder, *others):
        weights, _ = saved.weights(folder / "best")
        require_context(AutoConfig.from_pretrained(weights, trust_remote_code=False), config)


def infer(
    run: Run[Any],
    decoder: Decoder,
    tokenizer: PreTrainedTokenizerFast,
    *frames: Frame | FrameOf,
    decoding: DecodingConfig | None = None,
) -> None:
    """Candidates of dev and test → post-processed predictions → dev scores.

    Several frames (prompts) give a dialogue as many times the candidates; the first one's best is the prediction.
    With `run.dev_only` only dev scores, as training evaluates, are noted (first frame).
    Raises UserError as `require_context` and `generation.generate` do.
    """
    config: InferSettings = run.config
    _prepare(run)
    if run.dev_only:
        run.notes["dev"] = _dev_scores(run, decoder, tokenizer, frames[0])
        return
    files = []
    for split in predictions.SPLITS:
        rows = run.split(split).rows
        path = run.folder / split / "candidates.jsonl"
        pooled: dict[str, list[Candidate]] = {row.id: [] for row in rows}
        for number, frame in enumerate(frames):
            inputs = tokenization.sources(rows, tokenizer, config.lengths, frame)
            place = path if len(frames) == 1 else path.with_name(f"prompt-{number}.jsonl")
            found = generation.generate(
                decoder,
                inputs,
                decoding or config.decoding,
                place,
                key=run.key(split, run.checkpoint, str(decoding), str(number)),
                seed=config.seed,
            )
            pooled = {name: pooled[name] + found[name] for name in pooled}
        if len(frames) > 1 and processes.rank() == 0:
            candidates.write(path, pooled)
        files += [path, predictions.write(run, split, config.postprocess, pooled)]
    predictions.finish(run, files)


def _dev_scores(
    run: Run[Any], decoder: Decoder, tokenizer: PreTrainedTokenizerFast, frame: Frame | FrameOf
) -> dict[str, float]:
    """What training would say of this model: scores of greedy summaries of the first `dev_rows` dev dialogues."""
    config: TrainSettings = run.config
    rows = run.split("dev").rows[: config.dev_rows]
    evaluate = generation.dev_scores(run.competition, rows, tokenizer, config.lengths, frame, config.decoding)
    return evaluate(lambda given, greedy: decoder(given, greedy, config.seed))


def best_decoding(
    run: Run[Any],
    decoder: Decoder,
    tokenizer: PreTrainedTokenizerFast,
    frame: Frame | FrameOf,
    grid: Sequence[DecodingConfig],
) -> DecodingConfig:
    """The setting of the grid whose predictions score best on dev; the whole table goes into the run's notes.

    The best of many tries flatters itself: its dev score is no fair estimate, and the note says of how many it is.
    """
    config: InferSettings = run.config
    if run.dev_only:  # greedily: nothing to choose
        return config.decoding
    _prepare(run)
    rows = run.split("dev").rows
    references = {row.id: row.summaries for row in rows}
    inputs = tokenization.sources(rows, tokenizer, config.lengths, frame)
    scores = []
    for number, decoding in enumerate(grid):
        path = run.folder / "grid" / f"setting-{number}.jsonl"
        key = run.key("grid", run.checkpoint, str(decoding))
        found = generation.generate(decoder, inputs, decoding, path, key=key, seed=config.seed)
        texts = postprocess.predictions(config.postprocess, found)
        scores.append(score(texts, references, run.competition.dev_profile).headline)
        log.info("%.2f  %s", scores[-1], decoding)
    table = [{"decoding": str(decoding), "dev": dev} for decoding, dev in zip(grid, scores, strict=True)]
    run.notes["decoding_grid"] = {"tried": len(table), "table": table}
    return grid[scores.index(max(scores))]
