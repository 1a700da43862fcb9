"""Losses over more logits than fit at once are those over all of them, with the same gradients."""

import sys
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import PreTrainedModel, T5Config, T5ForConditionalGeneration

from common.core.errors import UserError
from common.models.logits import target_states
from common.tokenization.batches import TARGETS, collate_seq2seq, target_places, with_targets
from common.training import kernels, losses
from common.training.kernels import use_liger
from common.training.losses import cross_entropy, r_drop
from common.training.policy_gradient import collate, policy_gradient
from tests.support import tiny
from tests.support.rewarded import example
from tests.training.test_losses import KINDS, PAIRS, WORDS, batch_of

pytestmark = pytest.mark.usefixtures("model_cache")
SCORED = [example(30, [5, 10, 3], [1.0, -0.5, 0.3]), example(9, [7, 2], [0.7, -0.1])]
FEW = torch.arange(2, 60)
LOSSES: dict[str, tuple[Any, torch.Tensor | None]] = {
    "plain": (partial(cross_entropy, smoothing=0.1), None),
    "allowed": (partial(cross_entropy, smoothing=0.1), WORDS),
    "source": (partial(cross_entropy, smoothing=0.0, source=0.3), None),
    "source, allowed": (partial(cross_entropy, smoothing=0.1, source=0.3), FEW),
    "r_drop": (partial(r_drop, smoothing=0.1, alpha=3.0), None),
    "scores": (partial(policy_gradient, smoothing=0.0), None),
}


def with_gradients(
    loss: Callable[..., torch.Tensor], model: PreTrainedModel, batch: Any, words: torch.Tensor | None
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return the loss and its gradients; the same dropout every time."""
    torch.manual_seed(5)
    model.zero_grad(set_to_none=True)
    found = loss(model, batch, allowed_tokens=words)
    found.backward()
    return found.detach(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_parts_give_the_loss_and_gradients_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, kind: str, name: str, trained: bool
) -> None:
    """Three tokens at a time; Gemma's own soft-capping included."""
    loss, words = LOSSES[name]
    model = tiny.loud(kind)
    if model.config.is_encoder_decoder and name in ("source", "source, allowed", "scores"):
        pytest.skip("for causal models only")
    if kind == "gemma3":
        model.config.final_logit_softcapping = 5.0
    head = model.get_output_embeddings()
    head.weight.requires_grad_(trained)
    batch = collate(SCORED, 0) if name == "scores" else batch_of(model)
    whole = with_gradients(loss, model, batch, words)
    sizes: list[int] = []
    hook = head.register_forward_hook(lambda _, __, output: sizes.append(output.shape[:-1].numel()))
    limited = words is not None and not trained and not model.config.is_encoder_decoder
    width = len(words) if words is not None and limited else model.config.vocab_size
    monkeypatch.setattr(losses, "MOST_LOGITS", 3 * width)
    parts = with_gradients(loss, model, with_targets(batch), words)
    hook.remove()
    assert max(sizes, default=1) <= 3
    torch.testing.assert_close(parts[0], whole[0], rtol=1e-6, atol=1e-6)
    assert parts[1].keys() == whole[1].keys()
    assert max(float(gradient.abs().max()) for gradient in whole[1].values()) > 0.1
    for parameter, gradient in whole[1].items():
        torch.testing.assert_close(parts[1][parameter], gradient, rtol=1e-6, atol=1e-6)


def test_dropout_is_the_same_in_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-Drop needs two passes with different dropout, each of which the backward pass must not repeat."""
    model = tiny.loud("qwen2").train()
    for module in model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.4
    loss = partial(r_drop, smoothing=0.0, alpha=5.0)
    whole = with_gradients(loss, model, batch_of(model), None)
    monkeypatch.setattr(losses, "MOST_LOGITS", 4 * model.config.vocab_size)
    parts = with_gradients(loss, model, batch_of(model), None)
    torch.testing.assert_close(parts[0], whole[0], rtol=1e-6, atol=1e-6)
    for name, gradient in whole[1].items():
        torch.testing.assert_close(parts[1][name], gradient, rtol=1e-6, atol=1e-6)


def test_few_logits_are_computed_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(losses, "target_states", refuse)
    cross_entropy(tiny.loud("qwen2"), batch_of(tiny.loud("qwen2")), 0.0)


def test_a_model_whose_states_cannot_be_had_is_computed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """T5 computes its encoder, decoder and logits in one function."""
    torch.manual_seed(0)
    model = T5ForConditionalGeneration(
        T5Config(vocab_size=100, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2,
                 decoder_start_token_id=0, pad_token_id=0)
    ).eval()  # fmt: skip
    batch = collate_seq2seq([{"source": s, "target": t} for s, t in PAIRS], 0)
    whole = cross_entropy(model, batch, 0.1)
    monkeypatch.setattr(losses, "MOST_LOGITS", 300)
    assert torch.equal(cross_entropy(model, batch, 0.1), whole)
    with pytest.raises(ValueError, match="no part that computes the states"):
        target_states(model, batch)


def test_a_failure_leaves_the_model_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise RuntimeError("on purpose")

    model = tiny.loud("qwen2")
    monkeypatch.setattr(losses, "MOST_LOGITS", 3 * model.config.vocab_size)
    with pytest.raises(RuntimeError, match="on purpose"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(model.get_output_embeddings(), "forward", failing)
        cross_entropy(model, batch_of(model), 0.0)
    assert not model.base_model._forward_hooks
    assert "forward" not in model.base_model.__dict__


@pytest.mark.parametrize("kind", ["bart", "qwen2"])
def test_places_of_targets_are_theirs(kind: str) -> None:
    batch = batch_of(tiny.loud(kind))
    found = with_targets(batch)
    tokens = [token for _, target in PAIRS for token in target]
    assert batch["labels"].flatten()[found[TARGETS]].tolist() == tokens
    assert target_places(found) is found[TARGETS]
    assert {name for name in found if name != TARGETS} == set(batch)


# ---- Liger's loss, whose kernels run on GPUs only: a stand-in computes what its documentation says


def stand_in(
    input: torch.Tensor, weight: torch.Tensor, target: torch.Tensor, bias: Any = None, ce_weight: Any = None,
    ignore_index: int = -100, lse_square_scale: float = 0.0, label_smoothing: float = 0.0,
    reduction: str = "mean", softcap: float | None = None,
) -> torch.Tensor:  # fmt: skip
    """The signature of liger_kernel.transformers.functional 0.8.5, without what is not used here."""
    logits = functional.linear(input, weight, bias)
    if softcap is not None:
        logits = softcap * torch.tanh(logits / softcap)
    return functional.cross_entropy(
        logits.float(), target, reduction=reduction, label_smoothing=label_smoothing
    )


def pretend(monkeypatch: pytest.MonkeyPatch, known: tuple[str, ...] = ("qwen2", "gemma3_text")) -> list[Any]:
    """Let there be a GPU and Liger; return what its function for models is given."""
    given: list[Any] = []
    monkeypatch.setattr(kernels.torch.cuda, "is_available", lambda: True)
    patching = SimpleNamespace(
        MODEL_TYPE_TO_APPLY_LIGER_FN=dict.fromkeys(known),
        _apply_liger_kernel_to_instance=lambda model, **settings: given.append((model, settings)),
    )
    package = SimpleNamespace(monkey_patch=patching)
    for name, module in {
        "liger_kernel": SimpleNamespace(transformers=package),
        "liger_kernel.transformers": package,
        "liger_kernel.transformers.functional": SimpleNamespace(liger_fused_linear_cross_entropy=stand_in),
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    return given


@pytest.mark.parametrize("name", ["plain", "allowed", "source", "scores"])
@pytest.mark.parametrize("kind", ["qwen2", "gemma3"])
def test_ligers_loss_is_given_what_gives_our_loss(
    monkeypatch: pytest.MonkeyPatch, kind: str, name: str
) -> None:
    loss, words = LOSSES[name]
    model = tiny.loud(kind)
    if kind == "gemma3":
        model.config.final_logit_softcapping = 5.0
    batch = collate(SCORED, 0) if name == "scores" else batch_of(model)
    ours = with_gradients(loss, model, batch, words)
    assert pretend(monkeypatch) == []
    use_liger(model)
    assert kernels.has_liger_loss(model)
    ligers = with_gradients(loss, model, batch, words)
    torch.testing.assert_close(ligers[0], ours[0], rtol=1e-6, atol=1e-5)
    for parameter, gradient in ours[1].items():
        torch.testing.assert_close(ligers[1][parameter], gradient, rtol=1e-5, atol=1e-5)


def test_liger_replaces_the_parts_but_not_the_forward_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    model, scaled = tiny.loud("qwen2"), tiny.loud("qwen2")
    given = pretend(monkeypatch)
    use_liger(model)
    assert given == [(model, {"cross_entropy": False, "fused_linear_cross_entropy": False})]
    scaled.config.logits_scaling = 8.0  # as Granite's, which Liger's loss would not do
    use_liger(scaled)
    assert not kernels.has_liger_loss(scaled)


def test_what_liger_cannot_do_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    models = {kind: tiny.loud(kind) for kind in ("qwen2", "bart")}
    with pytest.raises(UserError, match=r"^--kernels liger needs an NVIDIA GPU, and this machine has none; "):
        use_liger(models["qwen2"])
    pretend(monkeypatch, known=("llama", "bart"))
    for kind, model in models.items():
        with pytest.raises(
            UserError, match=rf"Liger has no kernels for \w+ \({kind}\); leave --kernels at torch"
        ):
            use_liger(model)
    monkeypatch.setitem(sys.modules, "liger_kernel.transformers", None)
    with pytest.raises(
        UserError, match=r"cannot be imported .*pip install -c constraints.txt -e '\.\[liger\]'"
    ):
        use_liger(models["qwen2"])
