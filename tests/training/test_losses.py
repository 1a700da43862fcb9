"""Losses and the logits behind them, against plain computations over everything."""

from functools import partial
from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import PreTrainedModel, ProphetNetConfig, ProphetNetForConditionalGeneration

from common.core.errors import UserError
from common.models.logits import target_logits
from common.tokenization.batches import IGNORE, collate_causal, collate_seq2seq
from common.training.losses import cross_entropy, r_drop
from tests.support import tiny

KINDS = ("bart", "mbart", "qwen2", "gemma3")
PAIRS = [([7, 8, 9, 10, 11], [12, 13, 2]), ([14], [15, 16, 17, 18, 19, 2]), ([20, 21, 22], [2])]


pytestmark = pytest.mark.usefixtures("model_cache")


def batch_of(model: PreTrainedModel, pairs: Any = PAIRS) -> dict[str, torch.Tensor]:
    causal = not model.config.is_encoder_decoder
    collate = collate_causal if causal else collate_seq2seq
    return collate([{"source": s, "target": t} for s, t in pairs], model.config.pad_token_id)


def plain(model: PreTrainedModel, pairs: Any = PAIRS) -> tuple[torch.Tensor, torch.Tensor]:
    """Target logits and tokens, each row alone and without padding, sliced out of the model's full output."""
    found = []
    for source, target in pairs:
        if model.config.is_encoder_decoder:
            # BART starts with a token of its own, mBART with the last of the target (Liu et al. 2020: the language).
            start = target[-1] if model.config.model_type == "mbart" else model.config.decoder_start_token_id
            decoder = torch.tensor([[start, *target[:-1]]])
            found.append(model(input_ids=torch.tensor([source]), decoder_input_ids=decoder).logits[0])
        else:
            whole = model(input_ids=torch.tensor([[*source, *target]])).logits[0]
            found.append(whole[len(source) - 1 : -1])
    return torch.cat(found), torch.tensor([token for _, target in pairs for token in target])


@pytest.mark.parametrize("kind", KINDS)
def test_target_logits_are_those_of_the_whole_output(kind: str) -> None:
    model = tiny.loud(kind)
    logits, labels = target_logits(model, batch_of(model))
    expected, tokens = plain(model)
    assert labels.tolist() == tokens.tolist()
    torch.testing.assert_close(logits, expected, rtol=1e-9, atol=1e-9)
    assert float(logits.detach().std()) > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_only_target_positions_reach_the_output_layer(kind: str) -> None:
    model, rows = tiny.loud(kind), []
    model.get_output_embeddings().register_forward_hook(
        lambda _, inputs, out: rows.append(out.shape[:-1].numel())
    )
    for _ in range(2):  # the second time no hook of the first is left
        cross_entropy(model, batch_of(model), 0.1)
    assert rows == [10, 10]
    batch = batch_of(model)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = batch["labels"].clamp(min=0)
    full = model(**inputs).logits  # the layer is as before: the whole output
    assert full.shape[:-1].numel() == rows[-1] == inputs.get("decoder_input_ids", inputs["input_ids"]).numel()
    with pytest.raises(RuntimeError, match="on purpose"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(model.get_output_embeddings(), "forward", failing)
        target_logits(model, batch)
    assert not model.get_output_embeddings()._forward_pre_hooks  # a failure leaves no hook behind either


def failing(*_: Any, **__: Any) -> None:
    raise RuntimeError("on purpose")


WORDS = torch.tensor(sorted({2, *range(5, 60, 3), *(token for _, target in PAIRS for token in target)}))


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_over_fewer_words_logits_are_those_of_the_whole_output(kind: str, trained: bool) -> None:
    """With a trained output layer too, whose gradient must not be lost."""
    model = tiny.loud(kind)
    head = model.get_output_embeddings()
    head.weight.requires_grad_(trained)
    logits, places = target_logits(model, batch_of(model), WORDS)
    expected, tokens = plain(model)
    assert logits.shape == (len(tokens), len(WORDS)) and len(WORDS) < expected.shape[1]
    torch.testing.assert_close(logits, expected[:, WORDS], rtol=1e-9, atol=1e-9)
    assert WORDS[places].tolist() == tokens.tolist()
    assert model.get_output_embeddings() is head and not head._forward_pre_hooks
    layers = [p for name, p in model.named_parameters() if "layers" in name]
    wanted = [*layers, head.weight] if trained else layers
    found, others = (
        torch.autograd.grad(loss, wanted, allow_unused=True)
        for loss in (
            cross_entropy(model, batch_of(model), 0.1, WORDS),
            functional.cross_entropy(
                expected[:, WORDS], torch.searchsorted(WORDS, tokens), reduction="sum", label_smoothing=0.1
            ),
        )
    )
    assert sum(other is not None for other in others) > 10
    for one, other in zip(found, others, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("missing", [2, 19])
def test_a_target_outside_the_words_is_an_error(missing: int) -> None:
    model = tiny.loud("qwen2")
    with pytest.raises(ValueError, match="a target token is not among the allowed tokens"):
        target_logits(model, batch_of(model), WORDS[missing != WORDS])
    with pytest.raises(ValueError, match="a target token is not among the allowed tokens"):
        target_logits(model, batch_of(model), WORDS[:2])  # beyond the last


def test_a_failure_leaves_the_whole_output_layer_in_place() -> None:
    model = tiny.loud("qwen2")
    head = model.get_output_embeddings()
    head.weight.requires_grad_(False)
    with pytest.raises(RuntimeError, match="on purpose"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(model.get_decoder(), "forward", failing)
        target_logits(model, batch_of(model), WORDS)
    assert model.get_output_embeddings() is head


def test_r_drop_over_fewer_words_is_its_formula_over_their_logits() -> None:
    """Without dropout both passes are alike, and half of twice the cross-entropy is left."""
    model = tiny.loud("qwen2")
    with torch.no_grad():
        found = r_drop(model, batch_of(model), 0.1, 3.0, WORDS)
        expected = cross_entropy(model, batch_of(model), 0.1, WORDS)
    assert float(found) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("kind", KINDS)
def test_cross_entropy_and_its_gradients_are_those_of_all_logits(kind: str, smoothing: float) -> None:
    model = tiny.loud(kind)
    found = cross_entropy(model, batch_of(model), smoothing)
    gradients = torch.autograd.grad(found, list(model.parameters()), allow_unused=True)
    logits, tokens = plain(model)
    expected = functional.cross_entropy(logits, tokens, reduction="sum", label_smoothing=smoothing)
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    others = torch.autograd.grad(expected, list(model.parameters()), allow_unused=True)
    clear = 0
    for (name, _), one, other in zip(model.named_parameters(), gradients, others, strict=True):
        assert (one is None) == (other is None), name
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)  # the loss is summed in float32
            clear += int((other.abs() > 1e-3).any())
    assert clear > 10


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("words", [None, torch.arange(2, 60)])
@pytest.mark.parametrize("kind", ["qwen2", "gemma3"])
def test_a_source_that_is_predicted_too_adds_its_share(
    kind: str, words: torch.Tensor | None, trained: bool
) -> None:
    """Each row alone and without padding; of the source its first token is given."""
    model = tiny.loud(kind)
    model.get_output_embeddings().weight.requires_grad_(trained)
    found = cross_entropy(model, batch_of(model), 0.1, words, source=0.3)
    expected = torch.zeros((), dtype=torch.float64)
    for source, target in PAIRS:
        whole = torch.tensor([[*source, *target]])
        logits = model(input_ids=whole).logits[0, :-1]
        labels = whole[0, 1:]
        if words is not None:
            logits, labels = logits[:, words], torch.searchsorted(words, labels)
        losses = functional.cross_entropy(logits, labels, reduction="none", label_smoothing=0.1)
        expected = expected + 0.3 * losses[: len(source) - 1].sum() + losses[len(source) - 1 :].sum()
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    some = [p for name, p in model.named_parameters() if "layers" in name]
    for one, other in zip(torch.autograd.grad(found, some), torch.autograd.grad(expected, some), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    alone = cross_entropy(model, batch_of(model), 0.1, words)
    nearly = cross_entropy(model, batch_of(model), 0.1, words, source=1e-9)
    assert float(nearly.detach()) == pytest.approx(float(alone.detach()), rel=1e-6)
    assert float(found.detach()) > 1.1 * float(alone.detach())


def test_an_encoder_decoder_does_not_predict_its_source() -> None:
    model = tiny.loud("bart")
    with pytest.raises(ValueError, match="does not predict its source"):
        cross_entropy(model, batch_of(model), 0.0, source=0.2)


def by_hand(model: PreTrainedModel, smoothing: float, alpha: float, pairs: Any = PAIRS) -> float:
    """R-Drop by Liang et al. 2021, halved, from two separate passes' probabilities; log and sums by hand."""
    twice = batch_of(model, [*pairs, *pairs])
    logits, labels = target_logits(model, twice)
    first, second = logits.double().softmax(-1).chunk(2)
    labels = labels[: len(labels) // 2]
    total = 0.0
    for p, q, label in zip(first, second, labels, strict=True):
        for r in (p, q):
            total += 0.5 * float(-(1 - smoothing) * r[label].log() - smoothing * r.log().mean())
        kl = float((p * (p.log() - q.log())).sum()), float((q * (q.log() - p.log())).sum())
        total += alpha / 4 * sum(kl)
    return total


@pytest.mark.parametrize("kind", ["bart", "qwen2"])
@pytest.mark.parametrize(("smoothing", "alpha"), [(0.0, 1.0), (0.1, 5.0), (0.1, 0.0)])
def test_r_drop_is_the_papers_formula(kind: str, smoothing: float, alpha: float) -> None:
    model = dropping(kind)
    with torch.no_grad():
        torch.manual_seed(4)
        expected = by_hand(model, smoothing, alpha)
        torch.manual_seed(4)
        found = float(r_drop(model, batch_of(model), smoothing, alpha))
        torch.manual_seed(4)
        other_alpha = float(r_drop(model, batch_of(model), smoothing, alpha + 1))
        torch.manual_seed(5)
        other_masks = float(r_drop(model, batch_of(model), smoothing, alpha))
    assert found == pytest.approx(expected, rel=1e-5)
    assert other_alpha > found * 1.001  # the passes do differ
    assert other_masks != pytest.approx(found, rel=1e-5)


def dropping(kind: str) -> PreTrainedModel:
    """With dropout that is on."""
    model = tiny.loud(kind)
    for module in model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.4
        if hasattr(module, "dropout") and isinstance(module.dropout, float):
            module.dropout = 0.4
    return model.train()


@pytest.mark.parametrize("kind", KINDS)
def test_r_drop_without_dropout_is_cross_entropy(kind: str) -> None:
    model = tiny.loud(kind)  # in evaluation mode: both passes are alike
    with torch.no_grad():
        found = float(r_drop(model, batch_of(model), 0.1, 7.0))
        assert found == pytest.approx(float(cross_entropy(model, batch_of(model), 0.1)), rel=1e-5)


def test_alpha_zero_is_the_mean_of_two_passes() -> None:
    model = dropping("bart")
    twice = batch_of(model, [*PAIRS, *PAIRS])
    with torch.no_grad():
        torch.manual_seed(2)
        both = float(cross_entropy(model, twice, 0.1))
        torch.manual_seed(2)
        assert float(r_drop(model, batch_of(model), 0.1, 0.0)) == pytest.approx(both / 2, rel=1e-5)


def test_r_drop_draws_the_passes_together() -> None:
    """Its gradient brings two passes closer than cross-entropy alone does."""

    def apart(loss: Any) -> float:
        model = dropping("bart").float()
        torch.manual_seed(0)
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
        for _ in range(30):
            optimizer.zero_grad()
            loss(model, batch_of(model), 0.0).backward()
            optimizer.step()
        with torch.no_grad():
            torch.manual_seed(7)
            with_kl = float(r_drop(model, batch_of(model, PAIRS * 8), 0.0, 1.0))
            torch.manual_seed(7)
            return with_kl - float(r_drop(model, batch_of(model, PAIRS * 8), 0.0, 0.0))

    assert apart(partial(r_drop, alpha=20.0)) < 0.5 * apart(cross_entropy)


def test_labels_of_a_batch_count_only_targets() -> None:
    model = tiny.loud("qwen2")
    assert int((batch_of(model)["labels"] != IGNORE).sum()) == sum(len(target) for _, target in PAIRS)


def test_a_model_that_predicts_several_tokens_at_once_is_refused() -> None:
    """ProphetNet's output layer gets its states once for each of the next tokens."""
    config = ProphetNetConfig(
        vocab_size=50, hidden_size=32, encoder_ffn_dim=32, decoder_ffn_dim=32, num_encoder_layers=1, num_decoder_layers=1,
        num_encoder_attention_heads=2, num_decoder_attention_heads=2, decoder_start_token_id=1,
    )  # fmt: skip
    model = ProphetNetForConditionalGeneration(config)
    with pytest.raises(
        UserError, match=r"^ProphetNetForConditionalGeneration computes more than .* another --model\.$"
    ):
        target_logits(model, batch_of(model))
