"""kernels=onednn: the losses and gradients of torch's own products, and the same bits without a gradient."""

import pytest
import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from common.core.errors import UserError
from common.tokenization.batches import collate_causal, collate_seq2seq
from common.training.kernels import use_onednn
from common.training.losses import cross_entropy

ROWS = [{"source": list(range(3, 3 + n)), "target": list(range(5, 12))} for n in (9, 30, 17)]


def bart() -> PreTrainedModel:
    torch.manual_seed(1)
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 128, "decoder_ffn_dim": 128}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    return BartForConditionalGeneration(BartConfig(vocab_size=64, d_model=64, dropout=0.0, **sizes, **heads))


def qwen() -> PreTrainedModel:
    torch.manual_seed(1)
    return Qwen2ForCausalLM(Qwen2Config(vocab_size=64, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
                                        num_attention_heads=2, num_key_value_heads=2))  # fmt: skip


@pytest.mark.parametrize("make", [bart, qwen])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_loss_and_gradients_are_those_of_torch(make, checkpointing: bool) -> None:  # type: ignore[no-untyped-def]
    found = []
    for onednn in (False, True):
        model = make().train()
        batch = (collate_seq2seq if model.config.is_encoder_decoder else collate_causal)(ROWS, 1)
        if onednn:
            use_onednn(model)
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        loss = cross_entropy(model, batch, 0.1)
        loss.backward()
        # Otherwise this test could compare torch with itself.
        assert checkpointing or ("_LinearBackward" in _functions(loss)) == onednn
        found.append((loss.item(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}))
    (one, own), (other, theirs) = found
    # With AMX, oneDNN multiplies in bf16, which has 8 bits of precision.
    tolerance = 2e-2 if torch.cpu._is_amx_tile_supported() else 1e-5
    assert other == pytest.approx(one, rel=tolerance)
    assert own.keys() == theirs.keys()
    for name, gradient in own.items():
        assert torch.allclose(gradient, theirs[name], rtol=tolerance, atol=tolerance), name
    assert torch.get_float32_matmul_precision() == "highest"


def _functions(loss: torch.Tensor) -> set[str]:
    found, waiting = set(), [loss.grad_fn]
    seen = set()
    while waiting:
        function = waiting.pop()
        if function is None or function in seen:
            continue
        seen.add(function)
        found.add(type(function).__name__)
        waiting += [one for one, _ in function.next_functions]
    return found


def test_without_a_gradient_nothing_changes() -> None:
    batch = collate_causal(ROWS, 1)
    model = qwen().eval()
    with torch.no_grad():
        before = model(**{k: batch[k] for k in ("input_ids", "attention_mask")}).logits
        use_onednn(model)
        after = model(**{k: batch[k] for k in ("input_ids", "attention_mask")}).logits
    assert torch.equal(before, after)


def test_a_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(UserError, match="--kernels onednn is for training on a CPU"):
        use_onednn(qwen())
