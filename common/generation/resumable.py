"""Decode splits into candidates on disk: batched by length, resumable, shared by processes, in the order of the ids."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from common.core import distributed
from common.core.errors import UserError
from common.core.files import read_json, remove_incomplete_line, sha256_texts, shown, write_json
from common.core.memory import advise_when_out_of_memory
from common.core.progress import progress
from common.data.competition import Competition
from common.data.rows import Row
from common.generation.config import Decoder, DecodingConfig
from common.generation.hf import decode
from common.models.storage import for_evaluation
from common.runs import candidates as runs_candidates
from common.runs.candidates import Candidate, append, read
from common.runs.scoring import score
from common.tokenization import tokenizer as tokenization_tokenizer
from common.tokenization.tokenizer import InputTemplate, LengthConfig, TemplateOf, token_budget_batches

Write = Callable[[Sequence[Sequence[int]], DecodingConfig], list[list[Candidate]]]
"""(sources as token ids, settings) → candidates of each source."""


def batches(lengths: Sequence[int], config: DecodingConfig) -> list[list[int]]:
    """Return batches of indices, in descending order of length, whose decoding fits the token budget."""
    width = max(config.beams, config.candidates + config.samples)
    costs = [(length + config.max_new_tokens) * width for length in lengths]
    return token_budget_batches(costs, config.tokens_at_once, rng=None)


def generate(
    decoder: Decoder,
    sources: Mapping[str, Sequence[int]],
    config: DecodingConfig,
    path: Path,
    *,
    key: str,
    seed: int,
) -> dict[str, list[Candidate]]:
    """Return the candidates of every source (token ids) by id, in the order given, and write them as JSON lines to `path`.

    After a crash, the same call resumes and ends with the same candidates, including sampled ones.
    Several processes share the batches; each returns all candidates.
    `key` identifies what the candidates depend on (model, data, settings): those of another key are made again.
    Raises UserError when the file has an id that is not in `sources`, and when memory runs out.
    """
    part = path.with_name(f"{path.stem}.{distributed.rank()}{path.suffix}")
    if distributed.rank() == 0:
        _drop_other_key(path, key)
    distributed.wait()
    done = _read_parts(path)
    distributed.wait()
    unknown = sorted(set(done) - set(sources))
    if unknown:
        raise UserError(
            f"{shown(path)}: id {unknown[0]!r} is not in this split; delete the file and run this again."
        )
    bar = progress(
        total=len(sources), initial=len(done), description=f"decode {path.parent.name}", unit="dialogue"
    )
    names = list(sources)
    groups = batches([len(sources[name]) for name in names], config)
    for group in groups[distributed.rank() :: distributed.count()]:
        ids = [names[index] for index in group]
        if all(name in done for name in ids):
            continue
        # One seed per batch, so that sampling does not depend on resuming or on the number of processes.
        batch_seed = int(sha256_texts([str(seed), *ids])[:15], 16)
        with advise_when_out_of_memory(
            f"run this again with a lower --tokens-at-once (now {config.tokens_at_once})."
        ):
            decoded = decoder([sources[i] for i in ids], config, batch_seed)
        for name, found in zip(ids, decoded, strict=True):
            if name not in done:
                append(part, name, found)
                done[name] = found
                bar.update(1)
    bar.close()
    distributed.wait()
    done = _read_parts(path)
    ordered = {name: done[name] for name in names}
    distributed.wait()
    if distributed.rank() == 0:
        runs_candidates.write(path, ordered)
        for piece in _parts(path):
            piece.unlink()
    distributed.wait()
    return ordered


def _parts(path: Path) -> list[Path]:
    """Return the files in which each process collects its candidates until the candidates file is complete."""
    return sorted(path.parent.glob(f"{path.stem}.[0-9]*{path.suffix}"))


def _read_parts(path: Path) -> dict[str, list[Candidate]]:
    found = read(path)
    for piece in _parts(path):
        found |= read(piece)
    return found


def made_under(path: Path) -> str | None:
    """Return the key of `generate` for a candidates file, complete or not; None when there is none yet."""
    key_path = path.with_suffix(".key.json")
    return str(read_json(key_path)["key"]) if key_path.exists() else None


def _drop_other_key(path: Path, key: str) -> None:
    """Delete candidates of another key, and remove lines that a crash left incomplete."""
    other = made_under(path) != key
    for piece in [path, *_parts(path)]:
        if other:
            piece.unlink(missing_ok=True)
        else:
            remove_incomplete_line(piece)
    write_json(path.with_suffix(".key.json"), {"key": key})


def dev_evaluation(
    competition: Competition,
    rows: Sequence[Row],
    tokenizer: PreTrainedTokenizerFast,
    lengths: LengthConfig,
    frame: InputTemplate | TemplateOf,
    decoding: DecodingConfig,
    words: Collection[int] = (),
) -> Callable[[PreTrainedModel], dict[str, float]]:
    """Return a function that scores a model on the rows, as `dev_scores` does.

    `words`: the allowed token ids, as in `decode`. With `decoding.merge`, a copy with merged adapters is scored.
    """
    scores = dev_scores(competition, rows, tokenizer, lengths, frame, decoding)

    def evaluate(model: PreTrainedModel) -> dict[str, float]:
        scored = for_evaluation(model) if decoding.merge else model
        return scores(
            lambda given, config: decode(scored, tokenizer, given, config, logprobs=False, words=words)
        )

    return evaluate


def dev_scores(
    competition: Competition,
    rows: Sequence[Row],
    tokenizer: PreTrainedTokenizerFast,
    lengths: LengthConfig,
    frame: InputTemplate | TemplateOf,
    decoding: DecodingConfig,
) -> Callable[[Write], dict[str, float]]:
    """Return a function that takes a `Write` and returns the scores of its greedily decoded summaries of the rows.

    The scores are `score` (the dev profile's headline), `rouge_sum` and `distinct` (the share of distinct summaries).
    Only `max_new_tokens`, `no_repeat_ngram` and `tokens_at_once` of `decoding` are used.
    Several processes share the rows; each gets the scores of all rows.
    """
    config = replace(decoding, candidates=1, beams=1, samples=0, temperature=0.0)
    inputs = tokenization_tokenizer.sources(rows, tokenizer, lengths, frame)
    references = {row.id: row.summaries for row in rows}

    def evaluate(write: Write) -> dict[str, float]:
        groups = batches([len(ids) for ids in inputs.values()], config)
        texts: list[tuple[str, str]] = []
        for first in range(0, len(groups), distributed.count()):
            mine = first + distributed.rank()
            # Processes that share a sharded model must call it equally often: one with no batch left repeats the first.
            names = [list(inputs)[index] for index in groups[mine if mine < len(groups) else 0]]
            found = write([inputs[name] for name in names], config)
            if mine < len(groups):
                texts += [(name, candidates[0].text) for name, candidates in zip(names, found, strict=True)]
        by_id = dict(distributed.gather(texts))
        result = score(by_id, references, competition.dev_profile)
        # The project's goals are on the scale of rouge101, and sweeps maximise it.
        rouge_sum = score(by_id, references, "rouge101").headline
        distinct = len(set(by_id.values())) / len(by_id)
        return {"score": result.headline, "rouge_sum": rouge_sum, "distinct": distinct}

    return evaluate
