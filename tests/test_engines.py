"""Every engine decodes as transformers' `generate` does, or refuses in one line; log-probabilities are the model's."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from transformers import (
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from common import candidates as on_disk
from common import checkpoints, engines, generation, models, tokenization
from common.candidates import Candidate
from common.config import plain
from common.decoding import DecodingConfig
from common.engines import ct2, hf
from common.engines.hf import decode, sequence_logprobs
from common.errors import UserError
from common.models import LoRAConfig, PretrainedConfig
from common.models.tiny import tiny as tiny_model
from common.tokenization import Frame, LengthConfig
from common.training import cross_entropy

WORDS = tiny.tokenizer()
GREEDY = DecodingConfig(candidates=1, beams=1, max_new_tokens=24)
BEAM = DecodingConfig(candidates=3, beams=4, max_new_tokens=24)
SAMPLED = DecodingConfig(candidates=4, beams=1, temperature=1.3, top_p=0.9, max_new_tokens=12)
ROWS = 24
MBART = PretrainedConfig(model="tiny:mbart", dtype="float32")


def ct2_of(config: DecodingConfig, weights: Any = "float32") -> DecodingConfig:
    return replace(config, engine="ctranslate2", ct2_weights=weights)


def frame_of(model: PreTrainedModel, words: PreTrainedTokenizerFast, language: str | None = None) -> Frame:
    if model.config.is_encoder_decoder:
        return tokenization.seq2seq_frame(words, language) if language else Frame(after=(words.eos_token_id,))
    return Frame(after=(words.bos_token_id,))


def sources_of(words: PreTrainedTokenizerFast, frame: Frame, count: int = ROWS) -> list[list[int]]:
    return list(tokenization.sources(tiny.rows(count, "test", 5), words, LengthConfig(120), frame).values())


def taught(
    model: PreTrainedModel, words: PreTrainedTokenizerFast, frame: Frame, steps: int = 25
) -> PreTrainedModel:
    """The model after a few steps, so that summaries end and no two tokens are nearly alike."""
    rows = tiny.rows(ROWS)
    sources = tokenization.sources(rows, words, LengthConfig(120), frame)
    batch = [
        tiny.example(sources[r.id], [*frame.target_before, *words.encode(r.summaries[0]), words.eos_token_id])
        for r in rows
    ]
    collate = tokenization.collate_seq2seq if model.config.is_encoder_decoder else tokenization.collate_causal
    tensors = collate(batch, pad=words.pad_token_id)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        (cross_entropy(model, tensors, 0.1) / 300).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A repository root whose caches are the tests' own."""
    root = tmp_path_factory.mktemp("engines")
    patch = pytest.MonkeyPatch()
    patch.setenv("KDS_ROOT", str(root))
    yield root
    patch.undo()


def saved(
    model: PreTrainedModel, words: PreTrainedTokenizerFast, folder: Path, base: PretrainedConfig | None = None
) -> Path:
    checkpoints.save(folder, lambda staging: models.save(model, words, staging, base))
    return folder


@pytest.fixture(scope="module")
def bart(place: Path) -> Path:
    model = tiny.model("bart", WORDS)
    return saved(taught(model, WORDS, frame_of(model, WORDS)), WORDS, place / "bart")


@pytest.fixture(scope="module")
def mbart(place: Path) -> Path:
    """A tiny mBART that begins its summaries with ko_KR."""
    model, words = models.pretrained(MBART, frozen=False)
    models.set_language(model, words, "ko_KR")
    return saved(taught(model, words, frame_of(model, words, "ko_KR"), 40), words, place / "mbart")


@pytest.fixture(scope="module")
def adapted(place: Path) -> Path:
    """Adapters on a random mBART."""
    model, words = models.pretrained(MBART, frozen=True)
    torch.manual_seed(0)
    model = models.add_lora(model, words, LoRAConfig(rank=16, alpha=64, dropout=0.0, targets=("all",)))
    return saved(taught(model, words, frame_of(model, words, "ko_KR"), 40), words, place / "adapted", MBART)


@pytest.fixture(scope="module")
def qwen2(place: Path) -> Path:
    model = tiny.model("qwen2", WORDS)
    return saved(taught(model, WORDS, frame_of(model, WORDS)), WORDS, place / "qwen2")


def both(
    folder: Path, config: DecodingConfig, weights: str = "float32", language: str | None = None
) -> tuple[list[list[Candidate]], list[list[Candidate]]]:
    """What hf and ctranslate2 make of the same sources."""
    model, words = models.load(folder)
    sources = sources_of(words, frame_of(model, words, language))
    other, tokenizer = engines.decoder(folder, ct2_of(config, weights))
    assert tokenizer.get_vocab() == words.get_vocab()
    return decode(model, words, sources, config), other(sources, config, 1)


def alike(ours: Sequence[Sequence[Candidate]], theirs: Sequence[Sequence[Candidate]]) -> float:
    """Share of the best candidates that are the same text."""
    return sum(a[0].text == b[0].text for a, b in zip(ours, theirs, strict=True)) / len(ours)


# ---- hf


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
    model, words = models.load(request.getfixturevalue(kind))
    sources = sources_of(words, frame_of(model, words, "ko_KR" if kind in ("mbart", "adapted") else None))
    kept: dict[str, Any] = {}
    collect: Callable[..., Any] = hf.candidates_of

    def spy(generated: Any, scores: Any, *rest: Any) -> Any:
        kept.update(generated=generated, scores=scores)
        return collect(generated, scores, *rest)

    monkeypatch.setattr(hf, "candidates_of", spy)
    torch.manual_seed(0)
    if kind == "mbart":  # its tokenizer knows no tags, so summaries are longer
        config = replace(config, max_new_tokens=60)
    decode(model, words, sources, config)
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
    model, words = models.load(qwen2)
    sources = sources_of(words, frame_of(model, words), 5)
    decoder, _ = engines.decoder(qwen2, GREEDY)
    assert decoder(sources, GREEDY, 1) == decode(model, words, sources, GREEDY)


def test_only_words_of_the_texts_given_and_of_the_dialogue_are_written(
    qwen2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, words = models.load(qwen2)
    sources = sources_of(words, frame_of(model, words), 5)
    texts = ["#Person1#은 우산을 산다.", "비가 온다."]
    config = replace(GREEDY, candidates=3, temperature=3.0, top_p=1.0)
    written: list[int] = []
    collect: Callable[..., Any] = hf.candidates_of

    def spy(generated: list[list[int]], *rest: Any) -> Any:
        written.extend(token for tokens in generated for token in tokens)
        return collect(generated, *rest)

    monkeypatch.setattr(hf, "candidates_of", spy)
    known = {words.eos_token_id}.union(*words(texts).input_ids, *sources)
    for given, inside in ((texts, True), ([], False)):
        written.clear()
        decoder, _ = engines.decoder(qwen2, config, words_of=given)
        assert len(decoder(sources, config, 1)) == len(sources)
        assert (set(written) <= known) is inside


def test_the_engine_is_part_of_what_candidates_depend_on() -> None:
    settings = [plain(c) for c in (GREEDY, ct2_of(GREEDY), ct2_of(GREEDY, "int8"))]
    assert len({json.dumps(s) for s in settings}) == 3


# ---- ctranslate2


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
    model, words = models.pretrained(base, frozen=True)
    torch.manual_seed(0)
    model = models.add_lora(model, words, LoRAConfig(rank=16, alpha=64, dropout=0.0, targets=("all",)))
    taught(model, words, frame_of(model, words, "ko_KR"), 40)
    folder = saved(model, words, place / "quantized", base)
    decoder, _ = engines.decoder(folder, replace(GREEDY, merge=True))
    other, _ = engines.decoder(folder, ct2_of(GREEDY))
    sources = sources_of(words, frame_of(model, words, "ko_KR"))
    expected, found = decoder(sources, GREEDY, 1), other(sources, GREEDY, 1)
    assert [group[0].text for group in found] == [group[0].text for group in expected]


def test_samples_follow_their_seed(bart: Path) -> None:
    decoder, words = engines.decoder(bart, ct2_of(SAMPLED))
    sources = sources_of(words, Frame(after=(words.eos_token_id,)), 8)
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
    model, words = models.load(bart)
    sources = sources_of(words, Frame(after=(words.eos_token_id,)), 4)
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
    frame = Frame(after=(words.eos_token_id,))
    sources = tokenization.sources(tiny.rows(9, "test", 5), words, LengthConfig(120), frame)
    path = tmp_path / "candidates.jsonl"
    found = generation.generate(decoder, sources, config, path, key="k", seed=1)
    assert {len(group) for group in found.values()} == {4}
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[3:5]))
    again, _ = engines.decoder(bart, config)
    assert generation.generate(again, sources, config, path, key="k", seed=1) == found == on_disk.read(path)
    assert path.read_bytes() == whole


def test_a_model_is_converted_once_and_again_when_damaged(
    bart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ct2.convert(bart, "float32")
    assert ct2.convert(bart, "int8") != folder
    before = checkpoints.fingerprint(folder)
    with monkeypatch.context() as patch:
        patch.setattr(models, "load", None)
        assert ct2.convert(bart, "float32") == folder
    (folder / "model.bin").write_bytes(b"torn")
    assert ct2.convert(bart, "float32") == folder
    assert checkpoints.fingerprint(folder) == before


def test_more_candidates_than_beams_are_refused_by_every_engine(bart: Path) -> None:
    decoder, _ = engines.decoder(bart, ct2_of(BEAM))
    with pytest.raises(UserError, match=r"--candidates 5 needs at least as many --beams \(now 4\)"):
        decoder([[5, WORDS.eos_token_id]], replace(BEAM, candidates=5), 1)


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


# ---- vllm


def vllm_of(config: DecodingConfig) -> DecodingConfig:
    return replace(config, engine="vllm")


def test_vllm_wants_a_gpu_and_its_package(qwen2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        UserError, match=r"^--engine vllm needs a CUDA GPU, and this machine has none; .*--engine hf"
    ):
        engines.decoder(qwen2, vllm_of(GREEDY))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError, match=r"pip install -c constraints-vllm\.txt -e '\.\[train,vllm\]'"):
        engines.decoder(qwen2, vllm_of(GREEDY))


FAKE = {
    "__init__.py": '''
"""Stands for vLLM in tests: records what it is given, answers with tokens made from the seed."""
from types import SimpleNamespace
CALLS = []

class SamplingParams:
    def __init__(self, **settings):
        self.settings = settings

class LLM:
    def __init__(self, **settings):
        CALLS.append(["LLM", settings])

    def generate(self, prompts, sampling_params=None, *, use_tqdm=True, lora_request=None):
        assert len(prompts) == len(sampling_params)
        assert not use_tqdm
        CALLS.append(["generate", prompts, [p.settings for p in sampling_params], lora_request and vars(lora_request)])
        return [SimpleNamespace(outputs=[self._output(p.settings, i) for i in range(p.settings["n"])])
                for p in sampling_params]

    def _output(self, settings, index):
        ids = [5 + (settings["seed"] + index) % 7, 20 + index, settings["stop_token_ids"][0]]
        # The second sample's tokens are likelier; the other token stands for the best one, which may be reported too.
        steps = [{token: SimpleNamespace(logprob=-1.0 / (1 + index)), 9999: SimpleNamespace(logprob=0.0)}
                 for token in ids]
        return SimpleNamespace(token_ids=tuple(ids), logprobs=steps)
''',
    "inputs.py": "class TokensPrompt(dict):\n    pass\n",
    "lora/__init__.py": "",
    "lora/request.py": """
class LoRARequest:
    def __init__(self, lora_name, lora_int_id, lora_path):
        self.name, self.id, self.path = lora_name, lora_int_id, lora_path
""",
}
DRIVER = """
import json, sys
from dataclasses import asdict
from pathlib import Path
import torch
import vllm
import common.engines.saved
from common.engines import decoder
from common.errors import UserError
from common.decoding import DecodingConfig
torch.cuda.is_available = lambda: True  # once everything is imported

def answer(folder, sources, settings):
    vllm.CALLS.clear()
    config = DecodingConfig(engine="vllm", **settings)
    try:
        run, _ = decoder(Path(folder), config)
        found = run(sources, config, 2**63 - 1)
    except UserError as error:
        return {"error": str(error)}
    return {"calls": list(vllm.CALLS), "found": [[asdict(c) for c in group] for group in found]}

print(json.dumps({name: answer(*case) for name, case in json.loads(sys.argv[1]).items()}))
"""
ONE = {"candidates": 1, "beams": 1}
SAMPLING = {
    "candidates": 3,
    "beams": 1,
    "temperature": 0.7,
    "top_p": 0.8,
    "max_new_tokens": 33,
    "vllm_gpus": 2,
}


@pytest.fixture(scope="module")
def answers(place: Path, bart: Path, qwen2: Path) -> dict[str, Any]:
    """What the engine gives a fake vLLM and makes of its answers, in a process of its own, case by case."""
    for name, text in FAKE.items():
        path = place / "packages" / "vllm" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    base = PretrainedConfig(model="tiny:qwen2", dtype="bfloat16")
    for kind, lora in (("adapter", LoRAConfig(rank=12)), ("tagged", LoRAConfig(rank=2, added_tags=True))):
        model, words = models.pretrained(base, frozen=True)
        saved(models.add_lora(model, words, lora, ["#Person1#"]), words, place / kind, base)
    saved(models.load(qwen2)[0], WORDS, place / "ends")
    GenerationConfig(eos_token_id=[WORDS.eos_token_id, 50, 51]).save_pretrained(place / "ends")
    (place / "on-its-base").mkdir()
    models.save_base(PretrainedConfig(model=str(place / "ends")), "causal", place / "on-its-base")
    cases: dict[str, Any] = {
        "sampled": [str(qwen2), [[7, 8, 1], [9, 1]], SAMPLING],
        "adapter": [str(place / "adapter"), [[7, 8]], ONE],
        "ends": [str(place / "ends"), [[7, 8]], ONE],
        "on its base": [str(place / "on-its-base"), [[7, 8]], ONE],
        "tagged": [str(place / "tagged"), [[7, 8]], ONE],
        "bart": [str(bart), [[7]], ONE],
        "beams": [str(qwen2), [[7]], {}],
        "blocked": [str(qwen2), [[7]], ONE | {"no_repeat_ngram": 3}],
    }
    paths = os.pathsep.join([str(place / "packages"), str(tiny.REPOSITORY)])
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(cases)],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_vllm_is_given_token_ids_and_a_seed_for_every_sample(qwen2: Path, answers: dict[str, Any]) -> None:
    """Tests only how our settings are mapped, on a stand-in for vLLM; no vLLM is installed here."""
    (_, made), (_, prompts, params, lora) = answers["sampled"]["calls"]
    assert made == {
        "model": str(qwen2),
        "skip_tokenizer_init": True,
        "tensor_parallel_size": 2,
        "logprobs_mode": "raw_logprobs",
        "dtype": "float32",
        "seed": 0,
    }
    assert prompts == [{"prompt_token_ids": [7, 8, 1]}, {"prompt_token_ids": [9, 1]}]
    assert lora is None
    expected = {"n": 3, "temperature": 0.7, "top_p": 0.8, "max_tokens": 33, "ignore_eos": True, "logprobs": 0}
    expected |= {"stop_token_ids": [WORDS.eos_token_id], "detokenize": False}
    seeds = [given.pop("seed") for given in params]
    assert params == [expected, expected]
    assert len({seed + i for seed in seeds for i in range(3)}) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)
    for group in answers["sampled"]["found"]:  # likelier ones first
        assert [c["logprob"] for c in group] == pytest.approx([-1, -1.5, -3])
        assert [c["tokens"] for c in group] == [3, 3, 3]
        assert "</s>" not in group[0]["text"]


def test_vllm_loads_adapters_on_the_base_they_were_trained_on(place: Path, answers: dict[str, Any]) -> None:
    """Tests only how our settings are mapped, on a stand-in for vLLM; no vLLM is installed here."""
    (_, made), (_, _, params, lora) = answers["adapter"]["calls"]
    assert made["model"] == str(tiny_model("tiny:qwen2"))
    assert (made["dtype"], made["enable_lora"], made["max_lora_rank"]) == ("bfloat16", True, 16)
    assert lora == {"name": "best", "id": 1, "path": str(place / "adapter")}
    assert (params[0]["n"], params[0]["temperature"], params[0]["top_p"]) == (1, 0.0, 1.0)


@pytest.mark.parametrize("case", ["ends", "on its base"])
def test_vllm_stops_at_every_end_that_the_checkpoint_names(answers: dict[str, Any], case: str) -> None:
    """Tests only how our settings are mapped, on a stand-in for vLLM; no vLLM is installed here."""
    _, (_, _, (params,), _) = answers[case]["calls"]
    assert params["stop_token_ids"] == [WORDS.eos_token_id, 50, 51]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("tagged", "trained embedding rows (--added-tags), which vLLM cannot load: use --engine hf"),
        ("bart", "is an encoder-decoder (bart): use --engine ctranslate2"),
        ("beams", "does not support --beams 4"),
        ("blocked", "cannot block n-grams"),
    ],
)
def test_what_vllm_cannot_do_is_refused(answers: dict[str, Any], case: str, message: str) -> None:
    assert message in answers[case]["error"]
