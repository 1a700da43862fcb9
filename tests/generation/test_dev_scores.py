"""The dev evaluation scores greedy summaries."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from common.core.errors import UserError
from common.data.competition_file import load_competition
from common.generation import hf
from common.generation.config import DecodingConfig
from common.generation.dev_scores import dev_evaluation
from common.generation.hf import decode
from common.runs.scoring import score
from common.tokenization import examples
from common.tokenization.config import LengthConfig
from tests.support import tiny
from tests.support.decoding import GREEDY, KINDS, TEMPLATES, WORDS, greedy_by_hand, plain


@pytest.mark.parametrize("size", [0, 1])
def test_the_dev_evaluation_scores_greedy_summaries(
    taught_models: dict[str, PreTrainedModel], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """As long as the run's summaries, n-grams blocked as in them, in batches of their budget; one each, no sample."""
    chosen, rows = load_competition("daily_talk"), tiny.rows(6, "dev", seed=4)
    decoding = DecodingConfig(candidates=2, beams=4, samples=4, temperature=0.7, max_new_tokens=14,
                              no_repeat_ngram=size, tokens_at_once=250)  # fmt: skip
    at_once: list[int] = []
    every = range(len(WORDS))  # passed on, and no word forbidden

    def watched(
        model: PreTrainedModel, tokenizer: Any, given: list[list[int]], *rest: Any, **how: Any
    ) -> Any:
        at_once.append(len(given) * (max(map(len, given)) + 14))
        assert how["allowed_tokens"] == every
        return decode(model, tokenizer, given, *rest, **how)

    monkeypatch.setattr(hf, "decode", watched)
    for kind in KINDS:
        evaluate = dev_evaluation(chosen, rows, WORDS, LengthConfig(120), TEMPLATES[kind], decoding, every)
        sources = examples.sources(rows, WORDS, LengthConfig(120), TEMPLATES[kind])
        written = {
            name: greedy_by_hand(taught_models[kind], source, size, 14)
            if size
            else plain(taught_models[kind], source, replace(GREEDY, max_new_tokens=14))[0]
            for name, source in sources.items()
        }
        assert max(map(len, written.values())) == 14  # the limit is felt
        texts = {name: WORDS.decode(ids, skip_special_tokens=True).strip() for name, ids in written.items()}
        at_once.clear()
        found = evaluate(taught_models[kind])
        assert 1 < len(at_once) < 6
        assert max(at_once) <= 250
        references = {row.id: row.summaries for row in rows}
        expected, rouge_sum = (
            score(texts, references, profile).headline for profile in (chosen.dev_profile, "rouge101")
        )
        assert found == {
            "score": pytest.approx(expected),
            "rouge_sum": pytest.approx(rouge_sum),
            "distinct": len(set(texts.values())) / 6,
        }
        assert 0 < expected <= 100


def test_a_dev_dialogue_that_does_not_fit_alone_gets_advice_that_helps(
    taught_models: dict[str, PreTrainedModel],
) -> None:
    def run_out(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    model = taught_models["bart"]
    evaluate = dev_evaluation(
        load_competition("daily_talk"),
        tiny.rows(3, "dev"),
        WORDS,
        LengthConfig(120),
        TEMPLATES["bart"],
        GREEDY,
    )
    hook = model.register_forward_pre_hook(run_out)
    try:
        with pytest.raises(
            UserError, match=r"^out of memory; one dev dialogue alone does not fit .*resumes from"
        ):
            evaluate(model)
    finally:
        hook.remove()
