"""Infer with a trained model: decode dev and test, post-process, and score dev."""

import logging
from collections.abc import Sequence
from typing import Any, Protocol

from transformers import AutoConfig, PreTrainedTokenizerFast
from transformers import PreTrainedConfig as ModelConfig

from common.core import distributed
from common.generation import context, resumable
from common.generation.config import DecodingConfig
from common.generation.cut import note_cut
from common.generation.decoder import BatchingDecoder, Decoder
from common.models import storage
from common.postprocess import predictions
from common.postprocess.rules import PostprocessConfig, best_texts, within
from common.runs import candidates
from common.runs.candidates import Candidate
from common.runs.run import Run
from common.runs.scoring import score
from common.tokenization import examples
from common.tokenization.config import LengthConfig
from common.tokenization.layout import InputTemplate, TemplateOf

log = logging.getLogger(__name__)


class InferSettings(Protocol):
    """The settings that decoding needs."""

    seed: int
    lengths: LengthConfig
    decoding: DecodingConfig
    postprocess: PostprocessConfig


def require_context(model: ModelConfig, config: InferSettings) -> None:
    """Raise UserError when the longest source and summary (for a causal model, their sum) exceed the model's context."""
    context.require_context(model, config.lengths.max_source_tokens, config.decoding.max_new_tokens)


def _require_context_of_saved(run: Run[Any]) -> None:
    weights, _ = storage.weights(run.folder / "best")
    require_context(AutoConfig.from_pretrained(weights, trust_remote_code=False), run.config)


def _made_with(decoder: Decoder) -> list[str]:
    """Return what the candidates depend on besides model, data and settings, for their key; mostly []."""
    found: str = getattr(decoder, "made_with", "")
    return [found] if found else []


def infer(
    run: Run[Any],
    decoder: Decoder,
    tokenizer: PreTrainedTokenizerFast,
    *templates: InputTemplate | TemplateOf,
    decoding: DecodingConfig | None = None,
) -> None:
    """Write candidates of dev and test, post-processed predictions and dev scores.

    Each of several templates (prompts) adds its candidates to a dialogue; the prediction is the best of the first template.
    Raises UserError as `require_context` and `resumable.generate` do.
    """
    config: InferSettings = run.config
    _require_context_of_saved(run)
    made_with = _made_with(decoder)
    if made_with:
        (run.notes["decoded_with"],) = made_with
    files = []
    for split in run.splits:
        rows = run.split(split).rows
        path = run.folder / split / "candidates.jsonl"
        chosen = decoding or config.decoding
        pooled: dict[str, list[Candidate]] = {row.id: [] for row in rows}
        for number, template in enumerate(templates):
            inputs = examples.sources(rows, tokenizer, config.lengths, template)
            place = path if len(templates) == 1 else path.with_name(f"prompt-{number}.jsonl")
            found = resumable.generate(
                decoder,
                inputs,
                chosen,
                place,
                key=run.key(split, run.checkpoint, str(decoding), str(number), *made_with),
                seed=config.seed,
            )
            pooled = {name: pooled[name] + found[name] for name in pooled}
        note_cut(run, split, pooled, chosen)
        if not isinstance(decoder, BatchingDecoder):
            run.notes["tokens_at_once"] = resumable.agreed_budget(decoder, chosen)
        if len(templates) > 1 and distributed.rank() == 0:
            candidates.write(path, pooled)
        files += [path, predictions.write(run, split, config.postprocess, pooled)]
    predictions.finish(run, files)


def best_decoding(
    run: Run[Any],
    decoder: Decoder,
    tokenizer: PreTrainedTokenizerFast,
    template: InputTemplate | TemplateOf,
    grid: Sequence[DecodingConfig],
) -> DecodingConfig:
    """Return the setting of the grid whose predictions score best on dev, and record the whole table in the run's notes.

    The best of many dev scores is optimistic, not a fair estimate; the note therefore holds the number of settings tried.
    """
    config: InferSettings = run.config
    _require_context_of_saved(run)
    table = run.inferred.get("notes", {}).get("decoding_grid", {}).get("table", [])
    if [entry["decoding"] for entry in table] == [str(decoding) for decoding in grid]:  # make predict
        scores = [entry["dev"] for entry in table]
        return grid[scores.index(max(scores))]
    rows = run.split("dev").rows
    references = {row.id: row.summaries for row in rows}
    inputs = examples.sources(rows, tokenizer, config.lengths, template)
    postprocess = within(config.postprocess, run.competition.submission.max_characters)
    scores = []
    for number, decoding in enumerate(grid):
        path = run.folder / "grid" / f"setting-{number}.jsonl"
        key = run.key("grid", run.checkpoint, str(decoding), *_made_with(decoder))
        found = resumable.generate(decoder, inputs, decoding, path, key=key, seed=config.seed)
        texts = best_texts(postprocess, found)
        scores.append(score(texts, references, run.competition.dev_profile).headline)
        log.info("%.2f  %s", scores[-1], decoding)
    table = [{"decoding": str(decoding), "dev": dev} for decoding, dev in zip(grid, scores, strict=True)]
    run.notes["decoding_grid"] = {"tried": len(table), "table": table}
    return grid[scores.index(max(scores))]
