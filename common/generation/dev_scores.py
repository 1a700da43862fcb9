"""Score greedy summaries of dev dialogues while a model trains."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from torch.distributed.fsdp import FSDPModule
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from common.core import distributed
from common.core.memory import advise_when_out_of_memory
from common.core.progress import BatchProgress, batches_shown
from common.core.signals import Interrupted
from common.data.competition import Competition
from common.data.rows import Row
from common.generation.config import DecodingConfig
from common.generation.halving import Halving
from common.generation.hf import HFDecoder, warn_of_slow_decoding
from common.generation.resumable import agreed_budget, batches, costs
from common.models.storage import for_evaluation
from common.runs.scoring import score
from common.tokenization.config import LengthConfig
from common.tokenization.examples import sources
from common.tokenization.layout import InputTemplate, TemplateOf


def dev_evaluation(
    competition: Competition,
    rows: Sequence[Row],
    tokenizer: PreTrainedTokenizerFast,
    lengths: LengthConfig,
    template: InputTemplate | TemplateOf,
    decoding: DecodingConfig,
    allowed_tokens: Collection[int] = (),
) -> Callable[[PreTrainedModel], dict[str, float]]:
    """Return a function that returns the scores of a model's greedily decoded summaries of the rows.

    The scores are `score` (the dev profile's headline), `rouge_sum` and `distinct` (the share of distinct summaries).
    Only `max_new_tokens`, `no_repeat_ngram`, `repetition_penalty`, `tokens_at_once` and `merge` of `decoding` are used; with
    `merge` true, a copy with merged adapters is scored.
    `allowed_tokens`: the allowed token ids, as in `decode`.
    Several processes share the rows; each gets the scores of all rows. A signal ends the function between two batches:
    it raises Interrupted in every process.
    """
    config = replace(decoding, candidates=1, beams=1, samples=0, temperature=0.0, compiled=False)
    inputs = sources(rows, tokenizer, lengths, template)
    references = {row.id: row.summaries for row in rows}
    warned = False

    def evaluate(model: PreTrainedModel) -> dict[str, float]:
        scored = for_evaluation(model) if decoding.merge is True else model
        nonlocal warned
        if not warned:
            warn_of_slow_decoding(scored)
        warned = True
        decoder = Halving(
            HFDecoder(scored, tokenizer, allowed_tokens, logprobs=False), shared=isinstance(model, FSDPModule)
        )
        size = [len(ids) for ids in inputs.values()]
        groups = batches(size, config, agreed_budget(decoder, config))
        cost = costs(size, config)
        shown = groups[
            :: distributed.count()
        ]  # the batches of the first process, which alone shows its progress
        state = BatchProgress(
            sum(cost[index] for group in shown for index in group), sum(map(len, shown)), "dialogues"
        )
        texts: list[tuple[str, str]] = []
        with batches_shown(state, "evaluate on dev"):
            for first in range(0, len(groups), distributed.count()):
                if signal := distributed.agreed_signal():
                    raise Interrupted(signal, together=True)
                mine = first + distributed.rank()
                # Processes that share a sharded model must call it equally often: one with no batch left repeats the first.
                group = groups[mine if mine < len(groups) else 0]
                names = [list(inputs)[index] for index in group]
                with _advice(decoder):
                    found = decoder([inputs[name] for name in names], config, 0)
                state.advance(sum(cost[index] for index in group), len(group))
                if mine < len(groups):
                    texts += [
                        (name, candidates[0].text) for name, candidates in zip(names, found, strict=True)
                    ]
        by_id = dict(distributed.gather(texts))
        result = score(by_id, references, competition.dev_profile)
        # The project's goals are on the scale of rouge101, and sweeps maximise it.
        rouge_sum = score(by_id, references, "rouge101").headline
        distinct = len(set(by_id.values())) / len(by_id)
        return {"score": result.headline, "rouge_sum": rouge_sum, "distinct": distinct}

    return evaluate


def _advice(decoder: Halving) -> AbstractContextManager[None]:
    """Return a context that says what helps when one dialogue alone does not fit; smaller batches do not."""
    if decoder.shared:
        return nullcontext()
    return advise_when_out_of_memory(
        "one dev dialogue alone does not fit beside the training. Free memory and run the same command: it resumes from "
        "the last checkpoint. Or train again with restart=1 and a lower --max-source-tokens or --max-new-tokens."
    )
