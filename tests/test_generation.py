"""Decoding in batches gives what decoding one by one gives; files resume to the same candidates."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    GenerationConfig,
    PreTrainedModel,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from common import candidates as on_disk
from common import competition, generation, models, scoring, tokenization
from common.decoding import DecodingConfig, end_tokens
from common.engines import hf, stepping
from common.engines.hf import decode, hf_decoder, sequence_logprobs
from common.errors import UserError
from common.generation import generate
from common.models import cache
from common.tokenization import Frame, LengthConfig
from common.training import cross_entropy

WORDS = tiny.tokenizer()
EOS, PAD = WORDS.eos_token_id, WORDS.pad_token_id
KINDS = ("bart", "qwen2")
FRAMES = {"bart": Frame(after=(EOS,)), "qwen2": Frame(after=(WORDS.bos_token_id,))}
GREEDY = DecodingConfig(candidates=1, beams=1, max_new_tokens=24)
BEAM = DecodingConfig(candidates=3, beams=4, max_new_tokens=24)
SAMPLED = DecodingConfig(candidates=3, beams=1, temperature=1.3, top_p=0.9, max_new_tokens=12)


def sources_of(kind: str, count: int = 7, seed: int = 5) -> dict[str, list[int]]:
    return tokenization.sources(tiny.rows(count, "test", seed), WORDS, LengthConfig(120), FRAMES[kind])


@pytest.fixture(scope="module")
def trained() -> dict[str, PreTrainedModel]:
    """Models that learned a little: they end their summaries, at different lengths. In float64, so that no two
    tokens tie by rounding."""
    found = {}
    for kind in KINDS:
        rows = tiny.rows(24)
        sources = tokenization.sources(rows, WORDS, LengthConfig(120), FRAMES[kind])
        batch = [tiny.example(sources[r.id], [*WORDS.encode(r.summaries[0]), EOS]) for r in rows]
        collate = tokenization.collate_seq2seq if kind == "bart" else tokenization.collate_causal
        tensors = collate(batch, pad=PAD)
        model = tiny.model(kind, WORDS)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for _ in range(25):
            optimizer.zero_grad()
            (cross_entropy(model, tensors, 0.1) / 300).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        found[kind] = model.double().eval()
    return found


def until_end(ids: list[int]) -> list[int]:
    return ids[: ids.index(EOS) + 1] if EOS in ids else ids


@torch.no_grad()
def plain(model: PreTrainedModel, source: Sequence[int], config: DecodingConfig) -> list[list[int]]:
    """What `model.generate` gives for one source alone, without any padding before it."""
    causal = not model.config.is_encoder_decoder
    out = model.generate(
        input_ids=torch.tensor([source]),
        attention_mask=torch.ones(1, len(source), dtype=torch.long),
        generation_config=GenerationConfig(
            max_new_tokens=config.max_new_tokens,
            num_beams=config.beams,
            num_return_sequences=config.candidates,
            do_sample=False,
            early_stopping=config.beams > 1,
            length_penalty=config.length_penalty,
            eos_token_id=EOS,
            pad_token_id=PAD,
            decoder_start_token_id=None if causal else WORDS.bos_token_id,
        ),
    )
    return [until_end(row[len(source) if causal else 1 :]) for row in out.tolist()]


@torch.no_grad()
def next_logits(model: PreTrainedModel, source: Sequence[int], generated: Sequence[int]) -> torch.Tensor:
    """The logits of the token after `generated`, by a whole forward pass without padding or cache."""
    if model.config.is_encoder_decoder:
        start = [model.config.decoder_start_token_id, *generated]
        return model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([start])).logits[0, -1]
    return model(input_ids=torch.tensor([[*source, *generated]])).logits[0, -1]


def by_hand(model: PreTrainedModel, source: Sequence[int], target: Sequence[int]) -> float:
    """log p(target | source), token after token."""
    return sum(
        float(next_logits(model, source, target[:i]).log_softmax(-1)[token]) for i, token in enumerate(target)
    )


@pytest.mark.parametrize(
    "config", [GREEDY, BEAM, replace(BEAM, length_penalty=2.0, beams=3)], ids=["greedy", "beam", "long"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_gives_what_each_source_gives_alone(
    trained: dict[str, PreTrainedModel], kind: str, config: DecodingConfig
) -> None:
    model, sources = trained[kind], list(sources_of(kind).values())
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
def test_log_probabilities_are_sums_of_log_softmax(trained: dict[str, PreTrainedModel], kind: str) -> None:
    rng = random.Random(0)
    sources = [[rng.randrange(3, len(WORDS)) for _ in range(n)] for n in (1, 9, 30, 4)]
    targets = [[rng.randrange(3, len(WORDS)) for _ in range(n)] for n in (6, 1, 3, 11)]
    targets[0][-1] = EOS
    found = sequence_logprobs(trained[kind], sources, targets, PAD)
    expected = [by_hand(trained[kind], s, t) for s, t in zip(sources, targets, strict=True)]
    assert found == pytest.approx(expected, rel=1e-4)
    assert max(found) < 0


@pytest.mark.parametrize("kind", KINDS)
def test_without_log_probabilities_the_texts_are_the_same(
    trained: dict[str, PreTrainedModel], kind: str
) -> None:
    sources = list(sources_of(kind).values())
    with_them, without = (
        decode(trained[kind], WORDS, sources, BEAM, logprobs=wanted) for wanted in (True, False)
    )
    assert [[c.text for c in group] for group in without] == [[c.text for c in group] for group in with_them]
    assert {c.logprob for group in without for c in group} == {0.0}


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_as_many_as_asked_best_mean_first(trained: dict[str, PreTrainedModel], kind: str) -> None:
    model, sources = trained[kind], list(sources_of(kind).values())
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


def banned(generated: list[int], size: int) -> set[int]:
    """Tokens that would repeat an n-gram of what was generated."""
    last = generated[len(generated) - size + 1 :]
    if len(generated) < size - 1:
        return set()
    grams = [generated[i : i + size] for i in range(len(generated) - size + 1)]
    return {gram[-1] for gram in grams if gram[:-1] == last}


def greedy_by_hand(model: PreTrainedModel, source: Sequence[int], size: int, most: int) -> list[int]:
    generated: list[int] = []
    while len(generated) < most and EOS not in generated:
        logits = next_logits(model, source, generated)
        logits[list(banned(generated, size))] = -math.inf
        generated.append(int(logits.argmax()))
    return generated


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_only_generated_ngrams_are_not_repeated(
    trained: dict[str, PreTrainedModel], kind: str, size: int
) -> None:
    model = trained[kind]
    config = replace(GREEDY, no_repeat_ngram=size, max_new_tokens=20)
    # One prompt holds every token there is: if prompts counted, nothing could be said after it.
    everything = (
        [*range(3, len(WORDS)), *FRAMES[kind].after][-250:]
        if kind == "bart"
        else [*range(3, len(WORDS)), *FRAMES[kind].after]
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


def test_beams_do_not_repeat_ngrams_either(trained: dict[str, PreTrainedModel]) -> None:
    for kind in KINDS:
        sources = list(sources_of(kind, 3).values())
        for group in decode(trained[kind], WORDS, sources, replace(BEAM, no_repeat_ngram=2)):
            for candidate in group:
                ids = WORDS.encode(candidate.text)
                assert candidate.tokens >= 1
                assert math.isfinite(candidate.logprob or 0.0)
                assert len(ids) <= candidate.tokens + 1


def test_more_candidates_than_beams_are_refused(trained: dict[str, PreTrainedModel]) -> None:
    with pytest.raises(
        UserError, match=r"--candidates 5 needs at least as many --beams \(now 4\).*--temperature"
    ):
        decode(trained["bart"], WORDS, [[5, EOS]], replace(BEAM, candidates=5))


def test_batches_hold_every_source_once_within_the_budget() -> None:
    lengths = [random.Random(i).randint(1, 200) for i in range(50)]
    config = DecodingConfig(candidates=2, beams=4, max_new_tokens=30, tokens_at_once=2000)
    found = generation.batches(lengths, config)
    assert sorted(i for batch in found for i in batch) == list(range(50))
    for batch in found:
        assert len(batch) == 1 or len(batch) * (max(lengths[i] for i in batch) + 30) * 4 <= 2000


# ---- files


SMALL_BATCHES = replace(SAMPLED, tokens_at_once=700)  # two or three dialogues at a time


def make(model: PreTrainedModel, path: Path, config: DecodingConfig = SMALL_BATCHES, key: str = "k", seed: int = 1,
         sources: dict[str, list[int]] | None = None) -> dict[str, list[on_disk.Candidate]]:  # fmt: skip
    path.parent.mkdir(exist_ok=True)
    given = sources_of("bart") if sources is None else sources
    return generate(hf_decoder(model, WORDS), given, config, path, key=key, seed=seed)


def test_candidates_keep_the_order_given_and_are_the_same_on_disk(
    trained: dict[str, PreTrainedModel], tmp_path: Path
) -> None:
    sources = sources_of("bart", 12)
    shuffled = dict(random.Random(3).sample(sorted(sources.items()), 12))  # not by id, not by length
    lengths = [len(source) for source in shuffled.values()]
    assert lengths != sorted(lengths, reverse=True)
    assert len(generation.batches(lengths, SMALL_BATCHES)) > 3
    found = make(trained["bart"], tmp_path / "a.jsonl", sources=shuffled)
    assert list(found) == list(shuffled)
    stored = on_disk.read(tmp_path / "a.jsonl")
    assert list(stored) == list(shuffled)
    assert stored == found
    assert {len(group) for group in found.values()} == {3}
    # Each id has the summary of its own source.
    greedy = make(
        trained["bart"], tmp_path / "b.jsonl", replace(GREEDY, tokens_at_once=300), sources=shuffled
    )
    for name, source in shuffled.items():
        (ids,) = plain(trained["bart"], source, GREEDY)
        assert greedy[name][0].text == WORDS.decode(ids, skip_special_tokens=True).strip()


@pytest.mark.parametrize(
    "config", [SMALL_BATCHES, replace(BEAM, tokens_at_once=900)], ids=["sampled", "beam"]
)
def test_after_a_crash_at_any_byte_the_same_candidates_come_out(
    trained: dict[str, PreTrainedModel], tmp_path: Path, config: DecodingConfig
) -> None:
    path = tmp_path / "candidates.jsonl"
    make(trained["bart"], path, config)
    whole = path.read_bytes()
    rng = random.Random()
    hangul = next(i for i, byte in enumerate(whole) if byte > 127) + 1  # in the middle of a letter
    for size in (0, hangul, len(whole) - 1, rng.randrange(len(whole)), rng.randrange(len(whole))):
        path.write_bytes(whole[:size])
        make(trained["bart"], path, config)
        assert path.read_bytes() == whole, size
    # As the crash leaves it: lines in the order of decoding.
    lines = whole.splitlines(keepends=True)
    rng.shuffle(lines)
    path.write_bytes(b"".join(lines[:4]) + lines[4][:20])
    make(trained["bart"], path, config)
    assert path.read_bytes() == whole


def test_a_second_crash_after_the_first_is_survived_too(
    trained: dict[str, PreTrainedModel], tmp_path: Path
) -> None:
    path = tmp_path / "candidates.jsonl"
    make(trained["bart"], path)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(lines[2] + lines[5][:20])
    with pytest.raises(IndexError):  # the last batch holds a token that the model does not know
        make(trained["bart"], path, sources=sources_of("bart") | {"worse": [10**6]})
    written = [path, *path.parent.glob("candidates.*.jsonl")]
    left = [line for file in written for line in file.read_bytes().splitlines(keepends=True)]
    assert 1 < len(left) < len(lines)
    assert set(left) < set(lines)
    make(trained["bart"], path)
    assert path.read_bytes() == whole


def test_a_finished_file_is_not_decoded_again(trained: dict[str, PreTrainedModel], tmp_path: Path) -> None:
    path = tmp_path / "candidates.jsonl"
    found = make(trained["bart"], path)
    assert make(tiny.model("bart", WORDS, seed=9), path) == found  # another model is never asked


def test_another_key_or_seed_starts_anew(trained: dict[str, PreTrainedModel], tmp_path: Path) -> None:
    path = tmp_path / "candidates.jsonl"
    first = make(trained["bart"], path)
    fewer = replace(SMALL_BATCHES, candidates=2)
    second = make(trained["bart"], path, fewer, key="other settings")
    assert second == make(trained["bart"], tmp_path / "fresh.jsonl", fewer)
    assert {len(group) for group in second.values()} == {2}
    assert make(trained["bart"], path, key="k", seed=2) != first
    (tmp_path / "candidates.key.json").unlink()  # nobody knows what the lines were made with
    assert make(trained["bart"], path, key="k", seed=1) == first


def test_a_file_of_other_dialogues_is_refused(trained: dict[str, PreTrainedModel], tmp_path: Path) -> None:
    path = tmp_path / "candidates.jsonl"
    make(trained["bart"], path)
    fewer = dict(list(sources_of("bart").items())[1:])
    with pytest.raises(
        UserError, match=r"candidates\.jsonl: id 'test_0' is not in this split; delete the file"
    ):
        make(trained["bart"], path, sources=fewer)


def test_a_broken_line_is_named(trained: dict[str, PreTrainedModel], tmp_path: Path) -> None:
    path = tmp_path / "candidates.jsonl"
    make(trained["bart"], path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"id": "test_1", "cand\n' + b"".join(lines[2:]))
    with pytest.raises(UserError, match=r"candidates\.jsonl:2: not valid JSON"):
        make(trained["bart"], path)


def test_memory_that_does_not_suffice_names_the_setting_to_lower(tmp_path: Path) -> None:
    def exhaust(*_: Any) -> Any:
        return torch.empty(2**60, dtype=torch.uint8)  # more than any machine has

    with pytest.raises(
        UserError,
        match=r"^out of memory; run this again with a lower --tokens-at-once \(now 700\)\.$",
    ):
        generate(exhaust, sources_of("bart"), SMALL_BATCHES, tmp_path / "found.jsonl", key="k", seed=1)


@pytest.mark.parametrize("size", [0, 1])
def test_the_dev_evaluation_scores_greedy_summaries(
    trained: dict[str, PreTrainedModel], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """As long as the run's summaries, n-grams blocked as in them, in batches of their budget; one each, no sample."""
    chosen, rows = competition.load("daily_talk"), tiny.rows(6, "dev", seed=4)
    decoding = DecodingConfig(candidates=2, beams=4, samples=4, temperature=0.7, max_new_tokens=14,
                              no_repeat_ngram=size, tokens_at_once=250)  # fmt: skip
    at_once: list[int] = []
    every = range(len(WORDS))  # passed on, and no word forbidden

    def watched(
        model: PreTrainedModel, tokenizer: Any, given: list[list[int]], *rest: Any, **how: Any
    ) -> Any:
        at_once.append(len(given) * (max(map(len, given)) + 14))
        assert how["words"] == every
        return decode(model, tokenizer, given, *rest, **how)

    monkeypatch.setattr(generation, "decode", watched)
    for kind in KINDS:
        evaluate = generation.dev_evaluation(
            chosen, rows, WORDS, LengthConfig(120), FRAMES[kind], decoding, every
        )
        sources = tokenization.sources(rows, WORDS, LengthConfig(120), FRAMES[kind])
        written = {
            name: greedy_by_hand(trained[kind], source, size, 14)
            if size
            else plain(trained[kind], source, replace(GREEDY, max_new_tokens=14))[0]
            for name, source in sources.items()
        }
        assert max(map(len, written.values())) == 14  # the limit is felt
        texts = {name: WORDS.decode(ids, skip_special_tokens=True).strip() for name, ids in written.items()}
        at_once.clear()
        found = evaluate(trained[kind])
        assert 1 < len(at_once) < 6
        assert max(at_once) <= 250
        references = {row.id: row.summaries for row in rows}
        expected, rouge_sum = (
            scoring.score(texts, references, profile).headline for profile in (chosen.dev_profile, "rouge101")
        )
        assert found == {
            "score": pytest.approx(expected),
            "rouge_sum": pytest.approx(rouge_sum),
            "distinct": len(set(texts.values())) / 6,
        }
        assert 0 < expected <= 100


@pytest.mark.parametrize("kind", ["qwen2", "gemma3"])
def test_a_source_is_read_once_for_all_its_samples(kind: str) -> None:
    """The same samples as when every copy of it is read."""
    config = models.PretrainedConfig(model=f"tiny:{kind}", dtype="float32")
    model, tokenizer = models.pretrained(config, frozen=False)
    inputs = [list(range(5, 5 + length)) for length in (30, 90, 7)]
    read: list[int] = []

    def sample(sources: list[list[int]], copies: int) -> list[tuple[str, float]]:
        torch.manual_seed(0)
        hook = model.get_input_embeddings().register_forward_pre_hook(
            lambda _, ids: read.append(ids[0].numel())
        )
        wanted = DecodingConfig(candidates=copies, temperature=0.7, max_new_tokens=12)
        found = decode(model.eval(), tokenizer, sources, wanted)
        hook.remove()
        return [(c.text, round(c.logprob or 0.0, 3)) for group in found for c in group]

    once, first = sample(inputs, 3), list(read)
    read.clear()
    copied = sample([source for source in inputs for _ in range(3)], 1)
    assert [sorted(once[i : i + 3]) for i in (0, 3, 6)] == [sorted(copied[i : i + 3]) for i in (0, 3, 6)]
    assert first[:2] == [3 * 90, 9] and read[0] == 9 * 90


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_texts_that_have_ended_leave_the_batch(
    trained: dict[str, PreTrainedModel], temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, sources = trained["qwen2"], list(sources_of("qwen2", 12).values())
    config = replace(GREEDY, temperature=temperature, top_p=1.0)
    # Every text its own numbers, whichever rows are left.
    monkeypatch.setattr(stepping, "draw", lambda weights: (weights.cumsum(-1) < 0.6).sum(-1))
    rows: list[int] = []
    hook = model.get_input_embeddings().register_forward_pre_hook(lambda _, ids: rows.append(len(ids[0])))
    found = decode(model, WORDS, sources, config)
    left = list(rows)
    rows.clear()
    monkeypatch.setattr(stepping, "ALIVE", 0.0)
    whole = decode(model, WORDS, sources, config)
    hook.remove()
    for (one,), (other,) in zip(found, whole, strict=True):
        assert (one.text, one.tokens) == (other.text, other.tokens)
        assert one.logprob == pytest.approx(other.logprob, abs=1e-6)
    assert set(rows) == {12} and len(left) == len(rows)
    assert left == sorted(left, reverse=True) and left[-1] < 9


@pytest.mark.parametrize("kind", KINDS)
def test_the_greedy_summary_comes_first_and_its_samples_behind(
    trained: dict[str, PreTrainedModel], kind: str
) -> None:
    """And a causal model reads a source once for all of them."""
    model, sources = trained[kind], list(sources_of(kind).values())
    read: list[int] = []
    hook = model.get_input_embeddings().register_forward_pre_hook(lambda _, ids: read.append(ids[0].numel()))
    write = hf_decoder(model, WORDS)
    config = replace(GREEDY, samples=3, samples_temperature=1.3, top_p=0.9)
    found = write(sources, config, 4)
    reads, longest = list(read), max(map(len, sources))
    hook.remove()
    greedy = decode(model, WORDS, sources, GREEDY)
    assert [(group[0].text, group[0].tokens) for group in found] == [(g[0].text, g[0].tokens) for g in greedy]
    assert [group[0].logprob for group in found] == pytest.approx([g[0].logprob for g in greedy], abs=1e-6)
    for source, group in zip(sources, found, strict=True):
        assert len(group) == 4 and len({c.text for c in group[1:]}) > 1
        means = [(c.logprob or 0.0) / c.tokens for c in group[1:]]
        assert means == sorted(means, reverse=True)
        for candidate in group:
            ids = [*WORDS.encode(candidate.text, add_special_tokens=False)]
            if candidate.tokens == len(ids) + 1 < GREEDY.max_new_tokens:
                assert candidate.logprob == pytest.approx(by_hand(model, source, [*ids, EOS]), abs=1e-3)
    assert write(sources, config, 4) == found != write(sources, config, 5)
    if kind == "qwen2":
        assert [n for n in reads if n > 4 * len(sources)] == [longest * len(sources)]


@pytest.mark.parametrize("layers", ["merged", "adapters"])
@pytest.mark.parametrize("temperature", [0.0, 1.3])
def test_words_that_nobody_used_are_never_written(
    temperature: float, layers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when their logits were -inf in the model, whose output layer is whole again afterwards."""
    monkeypatch.setattr(stepping, "draw", lambda w: (w.cumsum(-1) < 0.6 * w.sum(-1, keepdim=True)).sum(-1))
    config = models.PretrainedConfig(model="tiny:gemma3", dtype="float32")
    model, tokenizer = models.pretrained(config, frozen=False)
    if layers == "adapters":
        torch.manual_seed(1)
        model = models.add_lora(model, tokenizer, models.LoRAConfig(rank=2, targets=("all",)), ())
    model = model.double().eval()
    inputs = [list(range(5, 5 + length)) for length in (6, 20, 3)]
    words = {40, 41, 43, 60, 61}
    size = model.get_output_embeddings().weight.shape[0]
    allowed = sorted({*words, *range(5, 25), *end_tokens(model.generation_config, tokenizer)})

    def write(**given: Any) -> list[tuple[str, float]]:
        torch.manual_seed(2)
        wanted = replace(GREEDY, candidates=1, temperature=temperature, top_p=0.9, no_repeat_ngram=2)
        found = decode(model, tokenizer, inputs, wanted, **given)
        return [(c.text, round(c.logprob or 0.0, 6)) for group in found for c in group]

    free = write()
    found = write(words=words)
    assert model.get_output_embeddings().weight.shape[0] == size and write() == free
    inner = model.get_base_model() if layers == "adapters" else model
    inner.lm_head.register_forward_hook(
        lambda _, __, logits: torch.full_like(logits, -math.inf).index_copy(
            -1, torch.tensor(allowed), logits[..., allowed]
        )
    )
    assert [text for text, _ in write()] == [text for text, _ in found] != [text for text, _ in free]
    assert [p for _, p in write()] == pytest.approx([p for _, p in found], abs=1e-5)


@pytest.mark.parametrize("kind", ["qwen2", "gemma3"])
def test_a_cache_with_room_gives_the_very_same_texts(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than the room, past Gemma's window, and with rows that leave."""
    config = models.PretrainedConfig(model=f"tiny:{kind}", dtype="float32")
    model, tokenizer = models.pretrained(config, frozen=False)
    window = getattr(model.config, "sliding_window", None) or 64
    assert window < 90
    monkeypatch.setattr(cache, "ROOM", 7)
    monkeypatch.setattr(hf, "end_tokens", lambda *_: list(range(0, 400, 23)))  # many an end
    inputs = [list(range(5, 5 + length)) for length in (window - 20, 90, 7)]
    found = []
    for _ in range(2):
        torch.manual_seed(0)
        wanted = DecodingConfig(candidates=4, temperature=1.5, top_p=1.0, max_new_tokens=40)
        found.append(decode(model.double().eval(), tokenizer, inputs, wanted))
        monkeypatch.setattr(
            stepping, "repeat_with_room", lambda memory, copies: memory.batch_repeat_interleave(copies)
        )
    lengths = {c.tokens for group in found[0] for c in group}
    assert found[0] == found[1] and len(lengths) > 4


@settings(max_examples=40)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=70).filter(any))
def test_an_index_is_drawn_as_often_as_it_weighs(weights: list[int]) -> None:
    """With random numbers that are evenly spread, all counts are exact to one."""
    count = 1000
    spread = (torch.arange(count, dtype=torch.float64) + 0.5).unsqueeze(1) / count
    rows = torch.tensor(weights, dtype=torch.float32).expand(count, -1)
    numbers = iter([spread, spread])  # the block's, then that within it, which must not depend on it
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "rand", lambda *_, **__: next(numbers))
        blocks = stepping._invert(rows)
    counts = torch.bincount(blocks, minlength=len(weights))
    assert torch.allclose(counts.double(), rows[0].double() * count / sum(weights), atol=1.0)
    torch.manual_seed(0)
    drawn = stepping.draw(rows)
    assert drawn.max() < len(weights) and all(weights[int(i)] > 0 for i in drawn)
    mean = float((torch.arange(len(weights)) * rows[0]).sum() / rows[0].sum())
    spread_of = float(((torch.arange(len(weights)) - mean) ** 2 * rows[0]).sum() / rows[0].sum()) ** 0.5
    assert abs(float(drawn.double().mean()) - mean) <= 5 * spread_of / count**0.5 + 1e-9


@pytest.mark.parametrize("top_p", [0.3, 0.9, 1.0])
def test_sampling_draws_from_the_nucleus_that_transformers_keeps(
    top_p: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = torch.randn(50, 40, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    warped = TopPLogitsWarper(top_p)(None, TemperatureLogitsWarper(0.7)(None, logits.clone()))
    wanted = warped.softmax(-1)
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(stepping, "draw", lambda weights: seen.append(weights) or torch.zeros(50).long())
    chosen = stepping.sampler(0.7, top_p)(logits)
    kept = seen[0] / seen[0].sum(-1, keepdim=True)
    assert torch.allclose(kept.sort(-1).values, wanted.sort(-1).values, atol=1e-12)
    assert torch.equal(chosen, torch.zeros(50).long() if top_p == 1 else wanted.argmax(-1))
