"""Our own loops give what transformers' `generate` gives: encoder-decoders, beams, rules of the settings and the checkpoint."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import (
    NoRepeatNGramLogitsProcessor,
    PegasusConfig,
    PegasusForConditionalGeneration,
    PreTrainedModel,
)

from common.generation import beam_search, hf, steppers
from common.generation.hf import can_step, decode, hf_decoder
from common.generation.linear import fast_linear
from common.generation.rules import without_repeated
from common.runs.candidates import Candidate
from tests.support import architectures
from tests.support.architectures import BART, BUILD
from tests.support.decoding import BEAM, EOS, GREEDY, SAMPLED, WORDS, sources_of

CASES = {
    "greedy": GREEDY,
    "sampled": SAMPLED,
    "beams": BEAM,
    "long": replace(BEAM, beams=3, length_penalty=2.0),
    "short": replace(BEAM, beams=5, candidates=5, length_penalty=-1.0),
    "n-grams": replace(BEAM, no_repeat_ngram=2),
    "no token twice": replace(GREEDY, no_repeat_ngram=1),
    "penalty": replace(BEAM, repetition_penalty=1.5),
    "one token": replace(BEAM, max_new_tokens=1),
}
MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    kind: BUILD[kind] for kind in ("bart", "mbart", "t5", "mt5", "t5gemma", "t5gemma2", "qwen2", "gemma3")
} | {"pegasus": lambda: PegasusForConditionalGeneration(PegasusConfig(**BART))}
MANY_ENDS = list(range(0, len(WORDS), 23))


@pytest.fixture(scope="module")
def loud_models() -> dict[str, PreTrainedModel]:
    """Random models whose logits differ clearly, in float64, and whose texts end at many tokens."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        # With right padding, a short window leaves padded positions of T5Gemma's encoder nothing to attend to: NaN.
        patch.setitem(architectures.GEMMA, "sliding_window", 512)
        for kind, build in MODELS.items():
            torch.manual_seed(0)
            model = build()
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(torch.randn_like(parameter) * 0.08)
            if (
                model.config.is_encoder_decoder
                and getattr(model.config, "decoder_start_token_id", None) is None
            ):
                model.config.decoder_start_token_id = WORDS.bos_token_id
            model.generation_config.eos_token_id = MANY_ENDS
            found[kind] = model.double().eval()
    return found


def compared(
    model: PreTrainedModel, config: Any, monkeypatch: pytest.MonkeyPatch, seed: int = 3
) -> list[list[Candidate]]:
    """Return what our loops write, after comparing it with `generate`, which reads sources of a causal model alone:
    it penalizes the tokens of their padding."""
    causal = not model.config.is_encoder_decoder
    sources = list(sources_of("qwen2" if causal else "bart", 6).values())
    assert can_step(model, config)
    found: list[list[Candidate]] = decode(model, WORDS, sources, config, seed=seed)
    with monkeypatch.context() as patch:
        patch.setattr(hf, "can_step", lambda *_: False)
        groups = [[source] for source in sources] if causal else [sources]
        expected = [one for group in groups for one in decode(model, WORDS, group, config, seed=seed)]
    assert [[(c.text, c.tokens, c.cut) for c in group] for group in found] == [
        [(c.text, c.tokens, c.cut) for c in group] for group in expected
    ]
    # `generate` gives logits in float32.
    assert [c.logprob for group in found for c in group] == pytest.approx(
        [c.logprob for group in expected for c in group], abs=5e-5
    )
    return found


@pytest.mark.parametrize("forced", [False, True], ids=["free", "forced"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", MODELS)
def test_our_loops_give_what_generate_gives(
    loud_models: dict[str, PreTrainedModel],
    kind: str,
    case: str,
    forced: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`forced`: the checkpoint asks for a first and a last token, as mBART's and BART's do."""
    model, config = loud_models[kind], CASES[case]
    if forced:
        if not model.config.is_encoder_decoder and config.beams == 1:
            pytest.skip("greedy decoding and sampling with causal models do not force tokens")
        monkeypatch.setattr(model.generation_config, "forced_bos_token_id", 33)
        monkeypatch.setattr(model.generation_config, "forced_eos_token_id", EOS)
    compared(model, config, monkeypatch)


def test_scores_are_those_of_generate(loud_models: dict[str, PreTrainedModel]) -> None:
    """The order of the candidates is that of the sum of log-probabilities over the length to the power of the penalty."""
    model, sources = loud_models["bart"], list(sources_of("bart", 4).values())
    config = replace(BEAM, candidates=4, length_penalty=0.7)
    found = decode(model.float(), WORDS, sources, config)
    for source, group in zip(sources, found, strict=True):
        out = model.generate(
            input_ids=torch.tensor([source]), max_new_tokens=config.max_new_tokens, num_beams=4, num_return_sequences=4,
            early_stopping=True, length_penalty=0.7, eos_token_id=[EOS, *MANY_ENDS], pad_token_id=WORDS.pad_token_id,
            return_dict_in_generate=True, output_scores=True, do_sample=False,
        )  # fmt: skip
        scores = [(c.logprob or 0.0) / c.tokens**0.7 for c in group]
        assert scores == pytest.approx(out.sequences_scores.tolist(), abs=1e-5)
    model.double()


@pytest.mark.parametrize("config", [BEAM, SAMPLED, replace(GREEDY, samples=3, samples_temperature=1.3)])
def test_a_source_is_read_once_and_leaves_when_its_texts_have_ended(
    loud_models: dict[str, PreTrainedModel], config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, sources = loud_models["mbart"], list(sources_of("bart", 12).values())
    monkeypatch.setattr(steppers, "COMPACT_BELOW", 1.0)
    read: list[int] = []
    rows: list[int] = []
    hooks = [
        model.get_encoder().register_forward_hook(lambda _, __, out: read.append(len(out[0]))),
        model.get_decoder().register_forward_hook(lambda _, __, out: rows.append(len(out[0]))),
    ]
    found = hf_decoder(model, WORDS)(sources, config, 4)
    for hook in hooks:
        hook.remove()
    assert read == [12] and rows[0] == 12
    width = config.beams if config.beams > 1 else config.candidates + config.samples
    assert rows[1] <= 12 * width and rows[1:] == sorted(rows[1:], reverse=True)
    assert len(set(rows[1:])) > 1
    assert [len(group) for group in found] == [config.candidates + config.samples] * 12


def test_samples_of_an_encoder_decoder_do_not_depend_on_a_greedy_candidate(
    loud_models: dict[str, PreTrainedModel],
) -> None:
    """So that the samples of earlier runs stay the same, also after many steps."""
    model, sources = loud_models["bart"], list(sources_of("bart", 3).values())
    model.generation_config.eos_token_id = EOS
    both = replace(GREEDY, samples=3, samples_temperature=1.3, max_new_tokens=100)
    alone = replace(both, samples=0, candidates=3, temperature=1.3)
    found = hf_decoder(model, WORDS)(sources, both, 4)
    expected = hf_decoder(model, WORDS)(sources, alone, 4)
    model.generation_config.eos_token_id = MANY_ENDS
    assert max(c.tokens for group in expected for c in group) > 64
    assert [[(c.text, c.tokens) for c in group[1:]] for group in found] == [
        [(c.text, c.tokens) for c in group] for group in expected
    ]


@pytest.mark.parametrize(
    "setting", [{"suppress_tokens": [5]}, {"min_new_tokens": 3}, {"encoder_no_repeat_ngram_size": 2}]
)
def test_a_checkpoint_with_other_rules_is_left_to_generate(
    loud_models: dict[str, PreTrainedModel], setting: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in setting.items():
        for model in loud_models.values():
            monkeypatch.setattr(model.generation_config, name, value)
    assert not can_step(loud_models["bart"], GREEDY)
    assert not can_step(loud_models["qwen2"], BEAM)
    assert can_step(loud_models["qwen2"], GREEDY)


def test_other_encoder_decoders_are_left_to_generate() -> None:
    from transformers import SwitchTransformersConfig, SwitchTransformersForConditionalGeneration

    settings = {**architectures.T5, "num_experts": 2, "expert_capacity": 64}
    model = SwitchTransformersForConditionalGeneration(SwitchTransformersConfig(**settings)).eval()
    assert not can_step(model, GREEDY)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_banned_tokens_are_those_of_transformers(size: int) -> None:
    torch.manual_seed(0)
    processor = NoRepeatNGramLogitsProcessor(size)
    for step in range(size, 30, 3):
        tokens, logits = torch.randint(0, 6, (9, step)), torch.randn(9, 8)
        assert torch.equal(without_repeated(logits, tokens, size), processor(tokens, logits.clone()))


@pytest.mark.parametrize(("size", "count"), [(40, 8), (4000, 8), (4001, 12), (16383, 3)])
def test_the_highest_scores_are_found_in_blocks(size: int, count: int) -> None:
    torch.manual_seed(0)
    values = torch.randn(7, size)
    values[0] = -torch.inf
    values[0, 5] = 0.0
    values[1, -1] = 9.0
    best, places = beam_search._top(values, count)
    assert torch.equal(best, values.topk(count).values)
    assert torch.equal(values.gather(1, places)[1:], best[1:]) and places[0, 0] == 5
    assert int(places.max()) < size


def test_linear_layers_of_onednn_change_no_text(
    loud_models: dict[str, PreTrainedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    from common.generation import linear

    if not torch.backends.mkldnn.is_available():
        pytest.skip("this torch has no oneDNN")
    model, sources = loud_models["bart"].float(), list(sources_of("bart", 12).values())
    monkeypatch.setattr(linear, "pays", lambda: False)
    expected = decode(model, WORDS, sources, BEAM)
    monkeypatch.setattr(linear, "pays", lambda: True)
    layer, states = model.get_encoder().layers[0].fc1, torch.randn(3, 20, 32)
    with torch.inference_mode(), fast_linear(model):
        assert "forward" in vars(layer)
        assert torch.allclose(
            layer(states), torch.nn.functional.linear(states, layer.weight, layer.bias), atol=1e-5
        )
    assert "forward" not in vars(layer)
    found = decode(model, WORDS, sources, BEAM)
    model.double()
    assert [[(c.text, c.tokens) for c in group] for group in found] == [
        [(c.text, c.tokens) for c in group] for group in expected
    ]
