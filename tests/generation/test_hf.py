"""Decoding in batches gives what decoding one by one gives; log-probabilities are sums of log softmax."""

import math
import random
from dataclasses import replace

import pytest
import torch
from transformers import PreTrainedModel

from common.core.errors import UserError
from common.generation import hf, resumable
from common.generation.by_generate import sequence_logprobs
from common.generation.config import DecodingConfig
from common.generation.hf import decode
from tests.support.decoding import (
    BEAM,
    EOS,
    GREEDY,
    KINDS,
    PAD,
    SAMPLED,
    TEMPLATES,
    WORDS,
    by_hand,
    greedy_by_hand,
    plain,
    sources_of,
)


@pytest.mark.parametrize(
    "config", [GREEDY, BEAM, replace(BEAM, length_penalty=2.0, beams=3)], ids=["greedy", "beam", "long"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_gives_what_each_source_gives_alone(
    taught_models: dict[str, PreTrainedModel], kind: str, config: DecodingConfig
) -> None:
    model, sources = taught_models[kind], list(sources_of(kind).values())
    assert len({len(source) for source in sources}) > 3
    found = decode(model, WORDS, sources, config)
    lengths = set()
    for source, group in zip(sources, found, strict=True):
        expected = plain(model, source, config)
        assert len(group) == config.candidates
        assert [c.text for c in group] == [
            WORDS.decode(ids, skip_special_tokens=True).strip() for ids in expected
        ]
        assert [c.tokens for c in group] == [len(ids) for ids in expected]
        for candidate, ids in zip(group, expected, strict=True):
            assert candidate.logprob == pytest.approx(by_hand(model, source, ids), abs=1e-3)
            lengths.add(len(ids))
    assert len(lengths) > 1
    assert min(lengths) < config.max_new_tokens
    assert any("#Person1#" in c.text for group in found for c in group)


@pytest.mark.parametrize("kind", KINDS)
def test_log_probabilities_are_sums_of_log_softmax(
    taught_models: dict[str, PreTrainedModel], kind: str
) -> None:
    rng = random.Random(0)
    sources = [[rng.randrange(3, len(WORDS)) for _ in range(n)] for n in (1, 9, 30, 4)]
    targets = [[rng.randrange(3, len(WORDS)) for _ in range(n)] for n in (6, 1, 3, 11)]
    targets[0][-1] = EOS
    found = sequence_logprobs(taught_models[kind], sources, targets, PAD)
    expected = [by_hand(taught_models[kind], s, t) for s, t in zip(sources, targets, strict=True)]
    assert found == pytest.approx(expected, rel=1e-4)
    assert max(found) < 0


@pytest.mark.parametrize("kind", KINDS)
def test_without_log_probabilities_the_texts_are_the_same(
    taught_models: dict[str, PreTrainedModel], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `generate` searches; our own search has them on the way."""
    monkeypatch.setattr(hf, "can_step", lambda *_: False)
    sources = list(sources_of(kind).values())
    with_them, without = (
        decode(taught_models[kind], WORDS, sources, BEAM, logprobs=wanted) for wanted in (True, False)
    )
    assert [[c.text for c in group] for group in without] == [[c.text for c in group] for group in with_them]
    assert {c.logprob for group in without for c in group} == {0.0}


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_as_many_as_asked_best_mean_first(
    taught_models: dict[str, PreTrainedModel], kind: str
) -> None:
    model, sources = taught_models[kind], list(sources_of(kind).values())
    config = replace(SAMPLED, candidates=5)  # more than the one beam
    torch.manual_seed(0)
    found = decode(model, WORDS, sources, config)
    torch.manual_seed(0)
    assert decode(model, WORDS, sources, config) == found
    torch.manual_seed(1)
    assert decode(model, WORDS, sources, config) != found
    for group in found:
        assert len(group) == 5
        means = [c.logprob / c.tokens for c in group if c.logprob is not None]
        assert len(means) == 5
        assert means == sorted(means, reverse=True)
    assert sum(len({c.text for c in group}) > 1 for group in found) == len(found)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_only_generated_ngrams_are_not_repeated(
    taught_models: dict[str, PreTrainedModel], kind: str, size: int
) -> None:
    model = taught_models[kind]
    config = replace(GREEDY, no_repeat_ngram=size, max_new_tokens=20)
    # One prompt holds every token there is: if prompts counted, nothing could be said after it.
    everything = (
        [*range(3, len(WORDS)), *TEMPLATES[kind].suffix][-250:]
        if kind == "bart"
        else [*range(3, len(WORDS)), *TEMPLATES[kind].suffix]
    )
    sources = [everything, *sources_of(kind, 3).values()]
    found = decode(model, WORDS, sources, config)
    for source, (candidate,) in zip(sources, found, strict=True):
        ids = greedy_by_hand(model, source, size, 20)
        assert candidate.text == WORDS.decode(ids, skip_special_tokens=True).strip()
        assert candidate.tokens == len(ids)
        grams = [tuple(ids[i : i + size]) for i in range(len(ids) - size + 1)]
        assert len(grams) == len(set(grams))
        if size == 1 and kind == "qwen2":
            assert set(ids) & set(source)


def test_beams_do_not_repeat_ngrams_either(taught_models: dict[str, PreTrainedModel]) -> None:
    for kind in KINDS:
        sources = list(sources_of(kind, 3).values())
        for group in decode(taught_models[kind], WORDS, sources, replace(BEAM, no_repeat_ngram=2)):
            for candidate in group:
                ids = WORDS.encode(candidate.text)
                assert candidate.tokens >= 1
                assert math.isfinite(candidate.logprob or 0.0)
                assert len(ids) <= candidate.tokens + 1


def test_more_candidates_than_beams_are_refused(taught_models: dict[str, PreTrainedModel]) -> None:
    with pytest.raises(
        UserError, match=r"--candidates 5 needs at least as many --beams \(now 4\).*--temperature"
    ):
        decode(taught_models["bart"], WORDS, [[5, EOS]], replace(BEAM, candidates=5))


def test_batches_hold_every_source_once_within_the_budget() -> None:
    lengths = [random.Random(i).randint(1, 200) for i in range(50)]
    config = DecodingConfig(candidates=2, beams=4, max_new_tokens=30, tokens_at_once=2000)
    found = resumable.batches(lengths, config)
    assert sorted(i for batch in found for i in batch) == list(range(50))
    for batch in found:
        assert len(batch) == 1 or len(batch) * (max(lengths[i] for i in batch) + 30) * 4 <= 2000
