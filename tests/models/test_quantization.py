"""4-bit weights: adapters learn on them, evaluations disturb nothing, gradients arrive."""

import gc
import sys
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from common.core.errors import UserError
from common.generation.hf import decode
from common.models.config import LoRAConfig
from common.models.storage import load_model, merge_adapters
from common.training.losses import cross_entropy
from tests.support.adapted import (
    GREEDY,
    LESSON,
    SOURCES,
    adapted,
    base_of,
    batch_of,
    fitted,
    logits_of,
    written,
)

pytestmark = pytest.mark.usefixtures("model_cache", "fresh_precision")

PACKS = torch.cpu._is_avx512_bf16_supported()  # processors on which bitsandbytes packs 4-bit weights


@pytest.mark.parametrize(
    ("kind", "quantization", "checkpointing"),
    [("qwen2", "nf4", False), ("qwen2", "nf4", True), ("gemma3", "nf4", True), ("gemma3", "int8", False)],
)
def test_a_quantized_model_learns_through_evaluations_and_comes_back(
    tmp_path: Path, kind: str, quantization: str, checkpointing: bool
) -> None:
    base = base_of(kind, quantization=quantization, gradient_checkpointing=checkpointing, dtype="auto")
    model, tokenizer, losses = fitted(tmp_path / "run", base)
    layer = {"nf4": "Linear4bit", "int8": "Linear8bitLt"}[quantization]
    quantized = [m for m in model.modules() if type(m).__name__ == layer]
    assert len(quantized) >= 14
    assert losses[-1] < 0.7 * losses[0]
    assert losses[-1] < losses[len(losses) // 2] < losses[1] < losses[0]  # also after the first evaluation
    loaded, words = load_model(tmp_path / "run" / "best")
    assert any(type(m).__name__ == layer for m in loaded.modules())
    torch.testing.assert_close(logits_of(loaded), logits_of(model.eval()), rtol=0, atol=0)
    assert written(loaded, words) == written(model, tokenizer)
    with pytest.raises(UserError, match=r"16-bit or 32-bit weights.*--quantization none"):
        merge_adapters(loaded)
    in_16_bit, _ = load_model(tmp_path / "run" / "best", quantization="none")
    assert merge_adapters(in_16_bit) is not None


def gradients(model: PeftModel) -> float:
    model.train()
    model.zero_grad()
    loss = cross_entropy(model, batch_of(model, [LESSON]), 0.0)
    if not loss.requires_grad:
        return 0.0
    loss.backward()
    return sum(
        float(p.grad.abs().sum())
        for name, p in model.named_parameters()
        if "lora_B" in name and p.grad is not None
    )


@pytest.mark.filterwarnings("ignore:bitsandbytes..gemv_4bit:UserWarning")  # this very loss
def test_bitsandbytes_loses_gradients_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bug that `keep_gradients_on_cpu` avoids; when this fails, bitsandbytes has mended it."""
    if not PACKS:
        pytest.skip("this processor has no AVX512-BF16, so bitsandbytes packs nothing")
    base = base_of("gemma3", quantization="nf4", dtype="auto")
    found = {}
    for told in (True, False):
        if not told:
            monkeypatch.setattr(
                sys.modules["common.models.pretrained"], "keep_gradients_on_cpu", lambda model: None
            )
        model, tokenizer = adapted(base, LoRAConfig(rank=8, alpha=16, dropout=0.0, targets=("all",)))
        before = gradients(model)
        decode(model.eval(), tokenizer, SOURCES, GREEDY)
        found[told] = (before, gradients(model))
        del model
        gc.collect()
    assert found[True][0] > 0
    assert found[True][1] == pytest.approx(found[True][0], rel=0.05)
    assert found[False][1] < 0.7 * found[False][0]
