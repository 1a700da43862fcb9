"""Engines: log-probabilities are the model's, an engine is part of what candidates depend on."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from common.core.config import plain
from common.core.errors import UserError
from common.generation import by_generate, engines, hf
from common.generation.by_generate import sequence_logprobs
from common.generation.config import DecodingConfig
from common.generation.decoder import candidates_of
from common.generation.hf import decode
from common.models.storage import load_model
from tests.support.engines import BEAM, GREEDY, SAMPLED, WORDS, ct2_of, sources_of, template_of

pytestmark = pytest.mark.usefixtures("place")


@torch.no_grad()
def by_hand(model: PreTrainedModel, source: Sequence[int], target: Sequence[int]) -> float:
    """log p(target | source) by one forward pass without padding."""
    if model.config.is_encoder_decoder:
        read = [model.config.decoder_start_token_id, *target[:-1]]
        logits = model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([read])).logits[0]
    else:
        logits = model(input_ids=torch.tensor([[*source, *target[:-1]]])).logits[0, len(source) - 1 :]
    return float(logits.log_softmax(-1).gather(1, torch.tensor(target).unsqueeze(1)).sum())


@pytest.mark.parametrize(
    "config",
    [
        GREEDY,
        SAMPLED,
        replace(GREEDY, no_repeat_ngram=2),
        replace(SAMPLED, temperature=0.3, no_repeat_ngram=1),
    ],
    ids=["greedy", "sampled", "blocked", "sampled-blocked"],
)
@pytest.mark.parametrize("kind", ["bart", "qwen2", "mbart", "adapted"])
def test_log_probabilities_summed_on_the_way_are_those_of_a_second_pass(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str, config: DecodingConfig
) -> None:
    model, words = load_model(request.getfixturevalue(kind))
    sources = sources_of(words, template_of(model, words, "ko_KR" if kind in ("mbart", "adapted") else None))
    kept: dict[str, Any] = {}
    collect: Callable[..., Any] = candidates_of

    def spy(generated: Any, scores: Any, *rest: Any) -> Any:
        kept.update(generated=generated, scores=scores)
        return collect(generated, scores, *rest)

    monkeypatch.setattr(hf, "candidates_of", spy)
    monkeypatch.setattr(by_generate, "candidates_of", spy)
    if kind == "mbart":  # its tokenizer knows no tags, so summaries are longer
        config = replace(config, max_new_tokens=60)
    decode(model, words, sources, config, seed=0)
    repeated = [source for source in sources for _ in range(config.candidates)]
    pairs = list(zip(repeated, kept["generated"], strict=True))
    assert kept["scores"] == pytest.approx([by_hand(model, *pair) for pair in pairs], abs=1e-3)
    if kind in ("bart", "qwen2"):
        assert len({len(tokens) for tokens in kept["generated"]}) > 1
    if kind != "adapted":  # which never ends a summary
        # mBART's own way from labels to decoder inputs wants the end token in them, and no padding token before it.
        end, pad = words.eos_token_id, words.pad_token_id
        whole = [i for i, (_, t) in enumerate(pairs) if kind != "mbart" or (t[-1] == end and pad not in t)]
        texts, summaries = ([pairs[i][side] for i in whole] for side in (0, 1))
        expected = sequence_logprobs(model, texts, summaries, words.pad_token_id)
        assert [kept["scores"][i] for i in whole] == pytest.approx(expected, abs=1e-3)
    assert not any(module._forward_hooks for module in model.modules())


def test_hf_is_the_engine_unless_another_is_chosen(qwen2: Path) -> None:
    model, words = load_model(qwen2)
    sources = sources_of(words, template_of(model, words), 5)
    decoder, _ = engines.decoder(qwen2, GREEDY)
    assert decoder(sources, GREEDY, 1) == decode(model, words, sources, GREEDY)


def test_only_words_of_the_texts_given_and_of_the_dialogue_are_written(
    qwen2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, words = load_model(qwen2)
    sources = sources_of(words, template_of(model, words), 5)
    texts = ["#Person1#은 우산을 산다.", "비가 온다."]
    config = replace(GREEDY, candidates=3, temperature=3.0, top_p=1.0)
    written: list[int] = []
    collect: Callable[..., Any] = candidates_of

    def spy(generated: list[list[int]], *rest: Any) -> Any:
        written.extend(token for tokens in generated for token in tokens)
        return collect(generated, *rest)

    monkeypatch.setattr(hf, "candidates_of", spy)
    known = {words.eos_token_id}.union(*words(texts).input_ids, *sources)
    for given, inside in ((texts, True), ([], False)):
        written.clear()
        decoder, _ = engines.decoder(qwen2, config, vocabulary_texts=given)
        assert len(decoder(sources, config, 1)) == len(sources)
        assert (set(written) <= known) is inside


def test_the_engine_is_part_of_what_candidates_depend_on() -> None:
    settings = [plain(c) for c in (GREEDY, ct2_of(GREEDY), ct2_of(GREEDY, "int8"))]
    assert len({json.dumps(s) for s in settings}) == 3


def test_more_candidates_than_beams_are_refused_by_every_engine(bart: Path) -> None:
    decoder, _ = engines.decoder(bart, ct2_of(BEAM))
    with pytest.raises(UserError, match=r"--candidates 5 needs at least as many --beams \(now 4\)"):
        decoder([[5, WORDS.eos_token_id]], replace(BEAM, candidates=5), 1)
