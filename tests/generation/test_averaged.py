"""Models that decode as one write what the mean of their log-probabilities says, step by step, and record it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)

from common.core import verified_folder
from common.core.errors import UserError
from common.core.files import write_json
from common.generation import engines, stepping
from common.generation.config import DecodingConfig
from common.generation.hf import decode
from common.models.adapters import LoRAConfig, add_lora
from common.models.averaging import Averaged, mean_log_probabilities
from common.models.pretrained import PretrainedConfig, load_pretrained
from common.models.small import SmallModelConfig
from common.models.storage import load_model, merge_adapters, save_model
from common.runs.candidates import read as read_candidates
from common.runs.record import read_record, stale_reasons
from tests.support import repository as repositories
from tests.support import tiny

WORDS = tiny.tokenizer()
EOS, PAD = WORDS.eos_token_id, WORDS.pad_token_id
KINDS = ("bart", "qwen2")
LARGER = SmallModelConfig(width=128, layers=2, feed_forward=64, dropout=0.0, positions=256)
GREEDY = DecodingConfig(candidates=1, beams=1, max_new_tokens=10)
BEAM = DecodingConfig(candidates=3, beams=3, max_new_tokens=10, length_penalty=0.8)
SAMPLED = DecodingConfig(candidates=3, beams=1, temperature=0.8, top_p=0.9, max_new_tokens=10)
SOURCES = [[7, 8, 9, 10, 11, EOS], [60, EOS], [90, 200, 13, EOS]]
CONFIGS = {"greedy": GREEDY, "beams": BEAM, "samples": SAMPLED}


def model(kind: str, seed: int, size: SmallModelConfig = tiny.SIZE) -> PreTrainedModel:
    """A random model that says the end token now and then, in float64, so that no two tokens tie by rounding."""
    made = tiny.model(kind, WORDS, size, seed)
    with torch.no_grad():
        if kind == "bart":
            made.final_logits_bias[0, EOS] = 2.0
        else:
            made.get_input_embeddings().weight[EOS] *= 1.8
    return made.double().eval()


def pair(kind: str) -> list[PreTrainedModel]:
    return [model(kind, 0), model(kind, 1, LARGER)]


@torch.no_grad()
def next_words(
    both: Sequence[PreTrainedModel], source: Sequence[int], generated: Sequence[int]
) -> torch.Tensor:
    """The averaged log-probabilities of the word after `generated`, by whole forward passes without any cache."""
    found = []
    for one in both:
        if one.config.is_encoder_decoder:
            start = [one.config.decoder_start_token_id, *generated]
            logits = one(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([start])).logits
        else:
            logits = one(input_ids=torch.tensor([[*source, *generated]])).logits
        found.append(logits[0, -1].softmax(-1))
    product = torch.stack(found).log().mean(0).exp()  # the geometric mean, renormalised
    return (product / product.sum()).log()


def by_hand(both: Sequence[PreTrainedModel], source: Sequence[int], target: Sequence[int]) -> float:
    return sum(float(next_words(both, source, target[:n])[token]) for n, token in enumerate(target))


class Slow(LogitsProcessor):
    """The other models asked about the whole prefix at every step: what the cached way must come to."""

    def __init__(self, both: Sequence[PreTrainedModel], source: Sequence[int], start: int) -> None:
        self.both, self.source, self.start = both, source, start

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        rows = [next_words(self.both, self.source, row[self.start :]) for row in input_ids.tolist()]
        return torch.stack(rows).to(scores.dtype)


@torch.no_grad()
def slowly(both: Sequence[PreTrainedModel], source: Sequence[int], config: DecodingConfig) -> list[list[int]]:
    """What `generate` of the first model writes when its scores are replaced by the averaged ones."""
    first = both[0]
    start = 1 if first.config.is_encoder_decoder else len(source)
    sampling = {"do_sample": True, "temperature": config.temperature, "top_p": config.top_p, "top_k": 0}
    searching = {"num_beams": config.beams, "do_sample": False}
    if config.beams > 1:
        searching |= {"early_stopping": True, "length_penalty": config.length_penalty}
    torch.manual_seed(3)
    out = first.generate(
        input_ids=torch.tensor([source]),
        attention_mask=torch.ones(1, len(source), dtype=torch.long),
        logits_processor=LogitsProcessorList([Slow(both, source, start)]),
        generation_config=GenerationConfig(
            max_new_tokens=config.max_new_tokens, num_return_sequences=config.candidates, eos_token_id=EOS,
            pad_token_id=PAD, **(sampling if config.temperature else searching),
            decoder_start_token_id=getattr(first.config, "decoder_start_token_id", None),
        ),
    )  # fmt: skip
    rows = [row[start:] for row in out.tolist()]
    return [row[: row.index(EOS) + 1] if EOS in row else row for row in rows]


def as_generate_samples(temperature: float, top_p: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def choose(logits: torch.Tensor) -> torch.Tensor:
        warped = TopPLogitsWarper(top_p)(None, TemperatureLogitsWarper(temperature)(None, logits))
        return torch.multinomial(warped.softmax(-1), 1).squeeze(1)

    return choose


@pytest.mark.parametrize("how", CONFIGS)
@pytest.mark.parametrize("kind", KINDS)
def test_two_models_write_what_the_slow_way_writes(
    kind: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, config = pair(kind), CONFIGS[how]
    # The random numbers of `generate`, and as many of them.
    monkeypatch.setattr(stepping, "sampler", as_generate_samples)
    monkeypatch.setattr(stepping, "COMPACT_BELOW", 0.0)
    lengths, alone = [], 0
    for source in SOURCES:
        torch.manual_seed(3)
        (found,) = decode(Averaged(both), WORDS, [source], config)
        expected = [
            (WORDS.decode(ids, skip_special_tokens=True).strip(), len(ids), by_hand(both, source, ids))
            for ids in slowly(both, source, config)
        ]
        if config.temperature:
            expected.sort(key=lambda entry: entry[2] / entry[1], reverse=True)
        assert [(c.text, c.tokens) for c in found] == [entry[:2] for entry in expected]
        assert [c.logprob for c in found] == pytest.approx([entry[2] for entry in expected], abs=1e-3)
        lengths += [c.tokens for c in found]
        torch.manual_seed(3)
        alone += decode(both[0], WORDS, [source], config)[0] != found
    assert alone > 0
    assert len(set(lengths)) > 1 or how == "greedy"


@pytest.mark.parametrize("how", CONFIGS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_averaged_with_itself_writes_as_it_does_alone(kind: str, how: str) -> None:
    """In a batch of sources of different lengths, which are padded."""
    one = model(kind, 4)
    found = []
    for writer in (one, Averaged([one, one]), Averaged([one])):
        torch.manual_seed(11)
        found.append(decode(writer, WORDS, SOURCES, CONFIGS[how]))
    for group, *others in zip(*found, strict=True):
        for other in others:
            assert [(c.text, c.tokens) for c in other] == [(c.text, c.tokens) for c in group]
            assert [c.logprob for c in other] == pytest.approx([c.logprob for c in group], abs=1e-3)


def test_the_mean_is_the_renormalised_geometric_one() -> None:
    logits = [torch.randn(4, 9), torch.randn(4, 9) * 3]
    found = mean_log_probabilities(logits)
    torch.testing.assert_close(found.exp().sum(-1), torch.ones(4))
    geometric = (logits[0].softmax(-1) * logits[1].softmax(-1)).sqrt()
    torch.testing.assert_close(found.exp(), geometric / geometric.sum(-1, keepdim=True))
    assert mean_log_probabilities([logits[0].bfloat16()]).dtype == torch.float32


def test_adapters_on_one_base_and_a_sliding_window_decode_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_MODEL_CACHE", str(tmp_path))
    base = PretrainedConfig(model="tiny:gemma3", dtype="float32")
    for seed in (0, 1):
        one, words = load_pretrained(base, frozen=True)
        one = add_lora(one, words, LoRAConfig(rank=2, alpha=4, dropout=0.0))
        torch.manual_seed(seed)
        with torch.no_grad():
            for parameter in one.parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn_like(parameter))
        best = tmp_path / f"exp010-{seed}" / "best"
        verified_folder.save(
            best, lambda staging, one=one, words=words: save_model(one, words, staging, base)
        )
        write_json(best.parent / "run.json", {"train": {"status": "finished"}})
    config = replace(SAMPLED, average_with=("exp010-1",))
    folder = tmp_path / "exp010-0" / "best"
    write, words = engines.decoder(folder, config)
    sources = [list(range(5, 5 + length)) for length in (70, 12)]  # longer than the window of 64
    both = [merge_adapters(load_model(tmp_path / f"exp010-{n}" / "best")[0]).double().eval() for n in (0, 1)]
    for wanted in (GREEDY, replace(SAMPLED, candidates=2)):
        for source, group in zip(sources, write(sources, wanted, 5), strict=True):
            for candidate in group:
                ids = words.encode(candidate.text, add_special_tokens=False)
                if len(ids) == candidate.tokens and words.decode(ids).strip() == candidate.text:
                    assert candidate.logprob == pytest.approx(by_hand(both, source, ids), abs=2e-3)
    greedy = write(sources, GREEDY, 5)
    for source, (candidate,) in zip(sources, greedy, strict=True):
        ids: list[int] = []
        while len(ids) < 10 and words.eos_token_id not in ids:
            ids.append(int(next_words(both, source, ids).argmax()))
        assert candidate.text == words.decode(ids, skip_special_tokens=True).strip()
        assert candidate.logprob == pytest.approx(by_hand(both, source, ids), abs=2e-3)


def test_models_that_cannot_be_averaged_are_refused(tmp_path: Path) -> None:
    kinds = {
        "exp002": ("bart", WORDS), "exp002-b": ("bart", WORDS), "exp002-c": ("qwen2", WORDS),
        "exp002-d": ("bart", tiny.tokenizer(380)),
    }  # fmt: skip
    for run, (kind, words) in kinds.items():
        made = tiny.model(kind, words)
        verified_folder.save(
            tmp_path / run / "best",
            lambda staging, made=made, words=words: save_model(made, words, staging),
        )
        write_json(tmp_path / run / "run.json", {"train": {"status": "finished"}})
    engines.decoder(tmp_path / "exp002" / "best", replace(GREEDY, average_with=("exp002-b",)))
    for words, message in {
        ("exp002",): r"^--average-with exp002: wanted other runs than exp002, each once",
        ("exp002-b", "exp002-b"): r"wanted other runs than exp002, each once",
        ("exp002-z",): r"exp002-z has not been trained; first run: make exp=exp002 train run=exp002-z",
        ("../x",): r"^--average-with \.\./x: wanted a run, as in exp002-b",
        ("exp002-b", "exp002-c"): r"^--average-with exp002-c: its model has a causal model, not an encoder",
        ("exp002-d",): r"^--average-with exp002-d: its model has another vocabulary \(380 tokens, 400 wanted",
    }.items():
        with pytest.raises(UserError, match=message):
            engines.decoder(tmp_path / "exp002" / "best", replace(GREEDY, average_with=words))
    with pytest.raises(UserError, match=r"^--average-with works with --engine hf alone, not with vllm"):
        config = replace(GREEDY, average_with=("exp002-b",), engine="vllm")
        engines.decoder(tmp_path / "exp002" / "best", config)


def test_a_run_records_whom_it_decoded_with_and_is_stale_with_them(trained_pair: Path) -> None:
    root, place = trained_pair, trained_pair / "outputs" / "daily_talk"
    path = place / "exp002" / "dev" / "candidates.jsonl"
    other = "outputs/daily_talk/exp002-b"
    repositories.stage(root, "exp002", "infer", "--average-with=exp002-b")
    record = read_record(place / "exp002")
    assert record["infer"]["runs"] == {other: read_record(root / other)["train"]["checkpoint"]}
    assert record["train"]["runs"] == {}
    assert record["infer"]["config"]["decoding.average_with"] == ["exp002-b"]
    assert stale_reasons(place / "exp002") == []

    # Half a file of candidates made with another model beside it is not gone on with.
    lines = path.read_text(encoding="utf-8").splitlines()
    marked = json.loads(lines[0])
    marked["candidates"][0]["text"] = "표시"
    path.write_text(json.dumps(marked) + "\n", encoding="utf-8")
    repositories.stage(root, "exp002", "infer", "--average-with=exp002-b")
    assert read_candidates(path)["dev_0"][0].text == "표시"  # the same models: it is gone on with
    anew, words = load_model(root / other / "best")
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in anew.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    fingerprint = verified_folder.save(
        root / other / "best", lambda staging: save_model(anew, words, staging)
    )
    train = read_record(root / other)
    train["train"]["checkpoint"] = fingerprint
    write_json(root / other / "run.json", train)
    assert stale_reasons(place / "exp002") == [f"run {other} was trained anew"]
    repositories.stage(root, "exp002", "infer", "--average-with=exp002-b")
    assert read_candidates(path)["dev_0"][0].text != "표시"
    assert stale_reasons(place / "exp002") == []
