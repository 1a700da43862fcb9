"""Sampling: from the nucleus that transformers keeps, as often as tokens weigh, the same for a source in every batch."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    PreTrainedModel,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from common.generation import sampling
from common.generation.config import DecodingConfig
from common.generation.hf import hf_decoder
from common.generation.sampling import Numbers, penalized, sample_indices, sampler
from tests.support.decoding import GREEDY, KINDS, SAMPLED, WORDS, sources_of


@settings(max_examples=40)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=70).filter(any))
def test_an_index_is_sampled_as_often_as_it_weighs(weights: list[int]) -> None:
    """With random numbers that are evenly spread, all counts are exact to one."""
    count = 1000
    spread = (torch.arange(count, dtype=torch.float64) + 0.5).unsqueeze(1) / count
    rows = torch.tensor(weights, dtype=torch.float32).expand(count, -1)
    counts = torch.bincount(sampling._invert(rows, spread), minlength=len(weights))
    assert torch.allclose(counts.double(), rows[0].double() * count / sum(weights), atol=1.0)
    uniform = torch.rand(count, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = sample_indices(rows, uniform)
    assert found.max() < len(weights) and all(weights[int(i)] > 0 for i in found)
    mean = float((torch.arange(len(weights)) * rows[0]).sum() / rows[0].sum())
    deviation = float(((torch.arange(len(weights)) - mean) ** 2 * rows[0]).sum() / rows[0].sum()) ** 0.5
    assert abs(float(found.double().mean()) - mean) <= 5 * deviation / count**0.5 + 1e-9


@pytest.mark.parametrize("top", [8, 1024], ids=["wider-than-the-top", "within-the-top"])
@pytest.mark.parametrize("top_p", [0.3, 0.9, 1.0])
def test_the_nucleus_is_the_one_that_transformers_keeps(
    top_p: float, top: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For every row, also where the first TOP tokens do not hold the nucleus: rows differ in how flat they are."""
    monkeypatch.setattr(sampling, "TOP", top)
    generator = torch.Generator().manual_seed(1)
    flatness = torch.logspace(-1, 1, 20, dtype=torch.float64).unsqueeze(1)
    logits = torch.randn(20, 40, generator=generator, dtype=torch.float64) * flatness
    warped = TopPLogitsWarper(top_p)(None, TemperatureLogitsWarper(0.7)(None, logits.clone()))
    wanted = warped.softmax(-1)
    if top == 8 and top_p == 0.9:
        sizes = (wanted > 0).sum(-1)
        assert sizes.min() < 8 < sizes.max()
    count = 4000
    rows = torch.arange(20).repeat_interleave(count)
    numbers = Numbers(3, [[row] for row in range(20)], count, "cpu")
    chosen = sampler(0.7, top_p, numbers)(logits[rows], rows * count + torch.arange(count).repeat(20), 0)
    found = torch.zeros_like(wanted).index_put_(
        (rows, chosen), torch.ones(len(rows), dtype=torch.float64), accumulate=True
    )
    assert not bool((found[wanted == 0] > 0).any())
    # Pearson's chi-squared of each row: its mean is the number of tokens minus one, its variance twice that.
    expected = wanted * count
    parts = torch.where(expected > 0, (found - expected) ** 2 / expected.clamp(min=1e-9), 0.0)
    freedom = (wanted > 0).sum(-1) - 1.0
    likely = expected >= 5
    assert bool(likely.any())
    assert float(parts.masked_fill(~likely, 0.0).sum()) < float(
        freedom.sum() + 6 * (2 * freedom.sum()) ** 0.5
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("config", [SAMPLED, replace(GREEDY, samples=3, samples_temperature=1.3)])
def test_a_source_has_the_same_samples_in_every_batch(
    taught_models: dict[str, PreTrainedModel], kind: str, config: DecodingConfig
) -> None:
    """By stepping and by transformers' `generate`; other seeds and other sources have others."""
    sources = list(sources_of(kind, 9).values())
    decoder = hf_decoder(taught_models[kind], WORDS)
    whole = decoder(sources, config, 5)
    parts = [
        group
        for start in (0, 4, 5)
        for group in decoder(sources[start : {0: 4, 4: 5, 5: 9}[start]], config, 5)
    ]
    assert [[c.text for c in group] for group in parts] == [[c.text for c in group] for group in whole]
    backwards = decoder(sources[::-1], config, 5)[::-1]
    assert [[c.text for c in group] for group in backwards] == [[c.text for c in group] for group in whole]
    assert [[c.text for c in group] for group in decoder(sources, config, 6)] != [
        [c.text for c in group] for group in whole
    ]
    assert max(Counter(c.text for group in whole for c in group).values()) < 9


def test_a_penalty_is_that_of_transformers() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 30, generator=generator)
    tokens = torch.randint(0, 30, (5, 12), generator=generator)
    wanted = RepetitionPenaltyLogitsProcessor(1.3)(tokens, logits.clone())
    assert torch.equal(penalized(logits, tokens, 1.3), wanted)
    assert not torch.equal(wanted, logits)


def test_random_numbers_do_not_repeat_themselves() -> None:
    """Between steps, copies and sources; and a step far on is that of asking for one after another."""
    numbers = Numbers(1, [[5, 6], [5, 7]], 3, "cpu")
    found = torch.stack([numbers.at(step) for step in range(200)])
    assert len(found.flatten().unique()) == found.numel() == 200 * 6 * 2
    assert torch.equal(Numbers(1, [[5, 7]], 3, "cpu").at(150), found[150, 3:])
