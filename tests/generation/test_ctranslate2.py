"""CTranslate2 decodes as transformers' `generate` does, or refuses in one line."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from common.core import verified_folder
from common.core.errors import UserError
from common.generation import ctranslate2, engines, resumable
from common.generation.config import DecodingConfig
from common.generation.hf import decode
from common.models import storage
from common.models.adapters import add_lora
from common.models.config import LoRAConfig
from common.models.pretrained import load_pretrained
from common.models.storage import load_model
from common.runs import candidates
from common.runs.candidates import Candidate
from common.tokenization import examples
from common.tokenization.config import LengthConfig
from common.tokenization.layout import InputTemplate
from tests.support import tiny
from tests.support.engines import (
    BEAM,
    GREEDY,
    MBART,
    SAMPLED,
    WORDS,
    ct2_of,
    saved,
    sources_of,
    taught,
    template_of,
)

pytestmark = pytest.mark.usefixtures("place")


def both(
    folder: Path, config: DecodingConfig, weights: str = "float32", language: str | None = None
) -> tuple[list[list[Candidate]], list[list[Candidate]]]:
    """What hf and ctranslate2 make of the same sources."""
    model, words = load_model(folder)
    sources = sources_of(words, template_of(model, words, language))
    other, tokenizer = engines.decoder(folder, ct2_of(config, weights))
    assert tokenizer.get_vocab() == words.get_vocab()
    return decode(model, words, sources, config), other(sources, config, 1)


def alike(ours: Sequence[Sequence[Candidate]], theirs: Sequence[Sequence[Candidate]]) -> float:
    """Share of the best candidates that are the same text."""
    return sum(a[0].text == b[0].text for a, b in zip(ours, theirs, strict=True)) / len(ours)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_greedy_summaries_are_those_of_hf(bart: Path, size: int) -> None:
    expected, found = both(bart, replace(GREEDY, no_repeat_ngram=size))
    assert [[c.text for c in group] for group in found] == [[c.text for c in group] for group in expected]
    assert [group[0].tokens for group in found] == [group[0].tokens for group in expected]
    assert [g[0].logprob for g in found] == pytest.approx([g[0].logprob for g in expected], abs=1e-3)
    assert len({group[0].tokens for group in found}) > 1
    assert any("#Person1#" in group[0].text for group in found)


@pytest.mark.parametrize("penalty", [0.0, 0.5, 1.0, 2.0])
def test_beam_search_is_nearly_that_of_hf(bart: Path, penalty: float) -> None:
    """Measured: 22, 24, 24 and 21 of 24 best summaries alike; away from 1 the two stop searching a little apart."""
    expected, found = both(bart, replace(BEAM, length_penalty=penalty))
    assert alike(expected, found) >= (0.9 if penalty in (0.5, 1.0) else 0.75)
    for ours, theirs in zip(expected, found, strict=True):
        assert len(theirs) == 3
        known = {c.text: c for c in ours}
        for candidate in theirs:
            if candidate.text in known:
                assert candidate.logprob == pytest.approx(known[candidate.text].logprob, abs=1e-3)
                assert candidate.tokens == known[candidate.text].tokens


def test_int8_summaries_are_mostly_the_same(bart: Path) -> None:
    """Measured: 24 of 24 on a processor that has AVX-512, 17 of 24 on one that has only AVX2."""
    expected, found = both(bart, BEAM, "int8")
    assert alike(expected, found) >= 0.5
    exact, _ = both(bart, BEAM)
    assert [g[0].logprob for g in found] != [g[0].logprob for g in exact]


@pytest.mark.parametrize("config", [GREEDY, BEAM, replace(GREEDY, no_repeat_ngram=2)])
def test_an_mbart_begins_with_its_language(mbart: Path, config: DecodingConfig) -> None:
    """Measured: all 24 of 24 alike."""
    expected, found = both(mbart, config, language="ko_KR")
    assert alike(expected, found) >= (1 if config.beams == 1 else 0.9)
    assert all(c.text.startswith("ko_KR") for group in found for c in group)
    if config.beams == 1:
        assert [g[0].logprob for g in found] == pytest.approx([g[0].logprob for g in expected], abs=1e-3)


def test_adapters_are_merged_before_the_conversion(adapted: Path) -> None:
    expected, found = both(adapted, GREEDY, language="ko_KR")
    assert alike(expected, found) == 1
    assert [g[0].logprob for g in found] == pytest.approx([g[0].logprob for g in expected], abs=1e-3)


def test_adapters_of_quantized_weights_are_merged_into_whole_ones(place: Path) -> None:
    base = replace(MBART, quantization="nf4", dtype="auto")
    model, words = load_pretrained(base, frozen=True)
    torch.manual_seed(0)
    model = add_lora(model, words, LoRAConfig(rank=16, alpha=64, dropout=0.0, targets=("all",)))
    taught(model, words, template_of(model, words, "ko_KR"), 40)
    folder = saved(model, words, place / "quantized", base)
    decoder, _ = engines.decoder(folder, replace(GREEDY, merge=True))
    other, _ = engines.decoder(folder, ct2_of(GREEDY))
    sources = sources_of(words, template_of(model, words, "ko_KR"))
    expected, found = decoder(sources, GREEDY, 1), other(sources, GREEDY, 1)
    assert [group[0].text for group in found] == [group[0].text for group in expected]


def test_a_gpu_that_it_cannot_use_is_left_for_the_cpu_in_one_line(
    bart: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As beside the libraries of another CUDA: here the real package finds no driver."""
    package = pytest.importorskip("ctranslate2")
    expected, _ = both(bart, GREEDY)
    monkeypatch.setattr(package, "get_cuda_device_count", lambda: 1)
    with caplog.at_level(logging.WARNING, "common.generation.ctranslate2"):
        _, found = both(bart, GREEDY)
    assert [[c.text for c in group] for group in found] == [[c.text for c in group] for group in expected]
    (line,) = [r.getMessage() for r in caplog.records if r.name == "common.generation.ctranslate2"]
    assert line.startswith("--engine ctranslate2 cannot use the GPU (") and "CUDA" in line
    assert line.endswith("); decoding on the CPU.")


def test_a_penalty_on_repetition_is_nearly_that_of_hf(bart: Path) -> None:
    expected, found = both(bart, replace(GREEDY, repetition_penalty=1.4))
    free, _ = both(bart, GREEDY)
    assert [g[0].text for g in expected] != [g[0].text for g in free]
    assert alike(expected, found) >= 0.9


def test_cut_summaries_are_marked_as_by_hf(bart: Path) -> None:
    whole, _ = both(bart, GREEDY)
    limit = sorted(group[0].tokens for group in whole)[len(whole) // 2]
    expected, found = both(bart, replace(GREEDY, max_new_tokens=limit))
    assert [g[0].cut for g in found] == [g[0].cut for g in expected]
    assert {g[0].cut for g in found} == {True, False}


def test_samples_follow_their_seed(bart: Path) -> None:
    decoder, words = engines.decoder(bart, ct2_of(SAMPLED))
    sources = sources_of(words, InputTemplate(suffix=(words.eos_token_id,)), 8)
    first, second = decoder(sources, SAMPLED, 1), decoder(sources, SAMPLED, 2**40 + 2)
    assert first != second
    decoder(sources, GREEDY, 5)
    assert decoder(sources, SAMPLED, 1) == first
    again, _ = engines.decoder(bart, ct2_of(SAMPLED))
    assert again(sources, SAMPLED, 2**40 + 2) == second
    for group in first:
        means = [c.logprob / c.tokens for c in group if c.logprob is not None]
        assert len(means) == 4
        assert means == sorted(means, reverse=True)
    assert sum(len({c.text for c in group}) > 1 for group in first) >= 7
    sure = replace(SAMPLED, candidates=1, top_p=1e-6, temperature=5.0)
    assert [g[0].text for g in decoder(sources, sure, 3)] == [
        g[0].text for g in decoder(sources, replace(GREEDY, max_new_tokens=12), 3)
    ]


def test_samples_are_as_likely_as_those_of_hf(bart: Path) -> None:
    """The mean log-probability of many samples, at a temperature and nucleus where a slip would show."""
    config = replace(SAMPLED, candidates=100, temperature=0.8, top_p=0.8, max_new_tokens=8)
    model, words = load_model(bart)
    sources = sources_of(words, InputTemplate(suffix=(words.eos_token_id,)), 4)
    decoder, _ = engines.decoder(bart, ct2_of(config))
    torch.manual_seed(0)
    for ours, theirs in zip(decode(model, words, sources, config), decoder(sources, config, 1), strict=True):
        values = [torch.tensor([c.logprob for c in group]) for group in (ours, theirs)]
        error = sum(v.var() / 100 for v in values) ** 0.5
        assert abs(values[0].mean() - values[1].mean()) < 4 * error + 1e-3


def test_candidates_are_generated_and_resumed_as_with_hf(bart: Path, tmp_path: Path) -> None:
    config = ct2_of(
        replace(BEAM, candidates=2, samples=2, samples_temperature=1.5, tokens_at_once=2000), "int8"
    )
    decoder, words = engines.decoder(bart, config)
    template = InputTemplate(suffix=(words.eos_token_id,))
    sources = examples.sources(tiny.rows(9, "test", 5), words, LengthConfig(120), template)
    path = tmp_path / "candidates.jsonl"
    found = resumable.generate(decoder, sources, config, path, key="k", seed=1)
    assert {len(group) for group in found.values()} == {4}
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[3:5]))
    again, _ = engines.decoder(bart, config)
    assert resumable.generate(again, sources, config, path, key="k", seed=1) == found == candidates.read(path)
    assert path.read_bytes() == whole


def test_a_model_is_converted_once_and_again_when_damaged(
    bart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ctranslate2.convert(bart, "float32")
    assert ctranslate2.convert(bart, "int8") != folder
    before = verified_folder.fingerprint(folder)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "load_model", None)
        assert ctranslate2.convert(bart, "float32") == folder
    (folder / "model.bin").write_bytes(b"torn")
    assert ctranslate2.convert(bart, "float32") == folder
    assert verified_folder.fingerprint(folder) == before


def test_models_that_ctranslate2_is_not_trusted_with_are_refused(
    qwen2: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"^--engine ctranslate2 .* causal model \(qwen2\): use --engine hf"):
        engines.decoder(qwen2, ct2_of(GREEDY))
    t5 = T5ForConditionalGeneration(
        T5Config(
            vocab_size=400, d_model=32, d_kv=16, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=0
        )
    )
    with pytest.raises(UserError, match=r"is t5: use --engine hf\.$"):
        engines.decoder(saved(t5, WORDS, place / "t5"), ct2_of(GREEDY))
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(
        UserError,
        match=r"not installed; run: \.venv/bin/pip install -c constraints\.txt -e '\.\[ctranslate2\]' .*hf",
    ):
        engines.decoder(qwen2, ct2_of(GREEDY))
